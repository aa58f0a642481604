/** Strips kept in a folder: made once, and there to be looked at. */

import { readFile, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Corners } from "@fourtier/core/frames"
import { markUsed } from "../util/cache-folders.ts"
import { fileNamed } from "../util/file-name.ts"
import type { StripOptions } from "../video/keyframes.ts"
import type { DescribedClip } from "./provider.ts"
import type { StripSource } from "./strip.ts"

/** How the strips that a model sees are made. Part of every key. */
export interface StripConfig {
  /** Key frames per strip, K. */
  frames: number
  /** Pixels: a number; null for the video's own height; `auto` for the video's own, but `AUTO_HEIGHT` at most. */
  height: number | "auto" | null
}

/**
 * The most that strips of five 16:9 frames may have in height to stay within the 1,536 patches of 32² that models of OpenAI's newer
 * kind look at (docs/describe.md, "How large a strip is").
 */
export const AUTO_HEIGHT = 384

/** The height of a clip's strip in pixels; null for the video's own. */
function heightOf({ height: own }: Pick<DescribedClip, "height">, { height }: StripConfig): number | null {
  if (height !== "auto") return height
  return own > AUTO_HEIGHT ? AUTO_HEIGHT : null
}

/**
 * Where strips are kept: beside the cache of answers.
 *
 * @example
 * ```ts
 * import { stripFolder } from "fourtier/describe"
 *
 * stripFolder("cache/descriptions.jsonl") // "cache/strips"
 * ```
 */
export function stripFolder(cachePath: string): string {
  return join(dirname(cachePath), "strips")
}

/**
 * Path of a clip's strip. When the video or the settings change, so does the name.
 *
 * @example
 * ```ts
 * import { stripFile } from "fourtier/describe"
 *
 * const clip = { id: "hug/clip-01", hash: "5feceb66ffc86f38", height: 1080 }
 * stripFile("strips", clip, { frames: 5, height: 256 }) // "strips/hug/clip-01.5feceb66-k5-h256.jpg"
 * ```
 */
export function stripFile(
  folder: string,
  clip: Pick<DescribedClip, "id" | "hash" | "height">,
  config: StripConfig,
): string {
  const height = heightOf(clip, config)
  const size = height === null ? "" : `-h${height}`
  return join(folder, fileNamed(clip.id, `.${clip.hash.slice(0, 8)}-k${config.frames}${size}.jpg`))
}

/** How the strip at `stripFile` is made, for who makes it elsewhere. */
export function stripOptions(clip: Pick<DescribedClip, "height">, config: StripConfig): StripOptions {
  return { frames: config.frames, height: heightOf(clip, config) ?? undefined }
}

/**
 * Strips from a folder; missing ones are made and kept there. The video decoder is loaded when the first has to be made.
 *
 * @example
 * ```ts
 * import { folderStrips, stripFolder } from "fourtier/describe"
 *
 * const strips = folderStrips(stripFolder("cache/descriptions.jsonl"), { frames: 5, height: 256 })
 * ```
 */
export function folderStrips(folder: string, config: StripConfig): StripSource {
  const { frames, height } = config
  const [whole, shrunk] = [
    { frames, height: null },
    { frames, height: AUTO_HEIGHT },
  ]
  const bySize =
    height === "auto"
      ? {
          settingsOf: (clip: DescribedClip) => (heightOf(clip, config) === null ? whole : shrunk),
          // what was asked about the whole picture was paid for, and is as good
          olderSettingsOf: (clip: DescribedClip) => (heightOf(clip, config) === null ? null : whole),
        }
      : {}
  return {
    settings: { frames, height },
    ...bySize,
    encode: (clip) => keptStrip(stripFile(folder, clip, config), clip, stripOptions(clip, config)),
  }
}

/** Height of strips of single people where the configuration says `auto`: figures are often small, and too few pixels say nothing. */
export const PERSON_HEIGHT = 256

/**
 * `folderStrips` that show a part of the picture alone, where one person is.
 * @param regions of each clip, by its id, as shares of the picture; the clip's hash tells regions apart
 *
 * @example
 * ```ts
 * import { personStrips, stripFolder } from "fourtier/describe"
 *
 * const regions = new Map([["yard@3#anna", [0.2, 0.1, 0.5, 1] as const]])
 * const strips = personStrips(stripFolder("cache/descriptions.jsonl"), { frames: 5, height: "auto" }, regions)
 * ```
 */
export function personStrips(
  folder: string,
  { frames, height }: StripConfig,
  regions: ReadonlyMap<string, Corners>,
): StripSource {
  const own = height === "auto" ? PERSON_HEIGHT : height
  return {
    settings: { frames, height: own, subject: "person" },
    encode(clip) {
      const file = stripFile(folder, clip, { frames, height: own })
      return keptStrip(file, clip, { frames, height: own ?? undefined, region: regions.get(clip.id) })
    },
  }
}

async function keptStrip(file: string, clip: DescribedClip, options: StripOptions): Promise<Uint8Array> {
  const found = await stat(file).catch(() => null)
  if (found?.isFile()) {
    await markUsed(file)
    return readFile(file)
  }
  const { writeStrip } = await import("../video/keyframes.ts")
  return (await writeStrip(clip, file, options)).jpeg
}
