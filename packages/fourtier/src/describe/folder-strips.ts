/** Strips kept in a folder: made once, there to be looked at. */

import { readFile, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { writeStrip } from "../video/keyframes.ts"
import type { DescribedClip } from "./provider.ts"
import type { StripSource } from "./strip.ts"

/** How the strips that a model sees are made. Part of every key. */
export interface StripConfig {
  /** K. */
  frames: number
  /** Pixels; null: as in the video. Most servers bill by image size. */
  height: number | null
}

/** Strips lie beside the cache of answers. */
export function stripFolder(cachePath: string): string {
  return join(dirname(cachePath), "strips")
}

/** The strip's file: a changed video or other settings have another name. */
export function stripFile(folder: string, clip: Pick<DescribedClip, "id" | "hash">, config: StripConfig): string {
  const size = config.height === null ? "" : `-h${config.height}`
  return join(folder, `${clip.id}.${clip.hash.slice(0, 8)}-k${config.frames}${size}.jpg`)
}

export function folderStrips(folder: string, config: StripConfig): StripSource {
  const { frames, height } = config
  return {
    settings: { frames, height },
    async encode(clip) {
      const file = stripFile(folder, clip, config)
      const there = await stat(file).catch(() => null)
      if (there?.isFile()) return readFile(file)
      return (await writeStrip(clip, file, { frames, height: height ?? undefined })).jpeg
    },
  }
}
