/** Small strips from large ones. A file of its own, so that who only asks for strips loads no picture library. */

import { readFile } from "node:fs/promises"
import { writeFileAtomic } from "@fourtier/tensor/node"
import sharp from "sharp"
import { type StripOptions, withComment } from "./keyframes.ts"
import { noteOf, stripPath } from "./strips.ts"

/**
 * Makes a small strip from a large one of the same clip and number of frames.
 * @returns whether there was a large one
 *
 * @example
 * ```ts
 * import { readManifest, shrinkStrip } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * await shrinkStrip("strips/jump/a.jpg", "small", manifest.clips[0], { frames: 5, height: 84 })
 * ```
 */
export async function shrinkStrip(
  large: string,
  folder: string,
  clip: { id: string; hash: string },
  options: StripOptions & { height: number },
): Promise<boolean> {
  const { height, quality = 90 } = options
  const file = await readFile(large).catch(() => null)
  if (file === null) return false
  const jpeg = await sharp(file).resize({ height }).jpeg({ quality }).toBuffer()
  await writeFileAtomic(stripPath(folder, clip), withComment(jpeg, noteOf(clip.hash, options)))
  return true
}
