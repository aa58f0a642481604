/** Strips kept in a folder: made once, there to be looked at. */

import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { writeStrip } from "../video/keyframes.ts"
import type { DescribedClip } from "./provider.ts"
import type { StripSource } from "./strip.ts"

/** How the strips that a model sees are made. Part of every key. */
export const stripSchema = z.strictObject({
  /** K. */
  frames: z.int().positive().default(5),
  /** Pixels. Most servers bill by image size. */
  height: z.int().positive().default(256),
  /** JPEG quality. */
  quality: z.int().min(1).max(100).default(90),
})

export type StripConfig = z.output<typeof stripSchema>

/** The strip's file: a changed video or other settings have another name. */
export function stripFile(folder: string, clip: Pick<DescribedClip, "id" | "hash">, config: StripConfig): string {
  const { frames, height, quality } = config
  return join(folder, `${clip.id}.${clip.hash.slice(0, 8)}-k${frames}-h${height}-q${quality}.jpg`)
}

export function folderStrips(folder: string, config: z.input<typeof stripSchema> = {}): StripSource {
  const settings = stripSchema.parse(config)
  return {
    settings,
    async encode(clip) {
      const file = stripFile(folder, clip, settings)
      const there = await stat(file).catch(() => null)
      return there?.isFile() ? readFile(file) : (await writeStrip(clip, file, settings)).jpeg
    },
  }
}
