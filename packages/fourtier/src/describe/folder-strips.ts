/** Strips kept in a folder: made once, and there to be looked at. */

import { readFile, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileNamed } from "../util/file-name.ts"
import type { DescribedClip } from "./provider.ts"
import type { StripSource } from "./strip.ts"

/** How the strips that a model sees are made. Part of every key. */
export interface StripConfig {
  /** Key frames per strip, K. */
  frames: number
  /** Pixels; null for the video's own height. Most servers bill by image size. */
  height: number | null
}

/**
 * Where strips are kept: beside the cache of answers.
 *
 * @example
 * ```ts
 * import { stripFolder } from "fourtier/describe"
 *
 * stripFolder(".fourtier/descriptions.jsonl") // ".fourtier/strips"
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
 * const clip = { id: "hug/clip-01", hash: "5feceb66ffc86f38" }
 * stripFile("strips", clip, { frames: 5, height: 256 }) // "strips/hug/clip-01.5feceb66-k5-h256.jpg"
 * ```
 */
export function stripFile(folder: string, clip: Pick<DescribedClip, "id" | "hash">, config: StripConfig): string {
  const size = config.height === null ? "" : `-h${config.height}`
  return join(folder, fileNamed(clip.id, `.${clip.hash.slice(0, 8)}-k${config.frames}${size}.jpg`))
}

/**
 * Strips from a folder; missing ones are made and kept there. The video decoder is loaded when the first has to be made.
 *
 * @example
 * ```ts
 * import { folderStrips, stripFolder } from "fourtier/describe"
 *
 * const strips = folderStrips(stripFolder(".fourtier/descriptions.jsonl"), { frames: 5, height: 256 })
 * ```
 */
export function folderStrips(folder: string, config: StripConfig): StripSource {
  const { frames, height } = config
  return {
    settings: { frames, height },
    async encode(clip) {
      const file = stripFile(folder, clip, config)
      const found = await stat(file).catch(() => null)
      if (found?.isFile()) return readFile(file)
      const { writeStrip } = await import("../video/keyframes.ts")
      return (await writeStrip(clip, file, { frames, height: height ?? undefined })).jpeg
    },
  }
}
