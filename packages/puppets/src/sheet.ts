/** Contact sheets: key frames of planned clips in rows, straight from the renderer. */

import { writeFileAtomic } from "@fourtier/tensor/node"
import sharp from "sharp"
import { Arena, ClipRenderer, type ClipSpec } from "./clip.ts"

/** Rows between strips, pixels. */
const GAP = 3

/**
 * Writes a PNG with one strip of `keyFrames` frames a row, the centres of equal segments.
 *
 * @returns the sheet's width and height in pixels
 *
 * @example
 * ```ts
 * import { demoClasses, planClips, writeSheet } from "@fourtier/puppets"
 *
 * const clips = planClips({ classes: demoClasses, counts: { train: 1, test: 0, "test-shift": 0 }, seed: 1 })
 * await writeSheet("sheet.png", clips, 5)
 * ```
 */
export async function writeSheet(
  path: string,
  clips: readonly ClipSpec[],
  keyFrames = 5,
): Promise<{ width: number; height: number }> {
  const arena = new Arena()
  const strips = clips.map((clip) => ({
    data: renderStrip(clip, keyFrames, arena),
    height: clip.height,
    width: clip.width * keyFrames,
  }))
  const width = Math.max(1, ...strips.map((strip) => strip.width))
  const height = Math.max(
    1,
    strips.reduce((sum, strip) => sum + strip.height + GAP, -GAP),
  )
  let top = 0
  const layers = strips.map(({ data, ...size }) => {
    const layer = { input: data, raw: { width: size.width, height: size.height, channels: 3 as const }, left: 0, top }
    top += size.height + GAP
    return layer
  })
  const sheet = sharp({ create: { width, height, channels: 3, background: "#ffffff" } }).composite(layers)
  await writeFileAtomic(path, await sheet.png().toBuffer())
  return { width, height }
}

/** [height, width · keyFrames, 3] RGB. */
export function renderStrip(clip: ClipSpec, keyFrames: number, arena = new Arena()): Buffer {
  const renderer = new ClipRenderer(clip, arena)
  const { width, height, frames } = clip
  const strip = Buffer.alloc(width * keyFrames * height * 3)
  const picture = new Uint8Array(width * height * 3)
  for (let k = 0; k < keyFrames; k++) {
    renderer.frame(Math.floor(((k + 0.5) * frames) / keyFrames), picture)
    for (let y = 0; y < height; y++) {
      strip.set(picture.subarray(y * width * 3, (y + 1) * width * 3), (y * width * keyFrames + k * width) * 3)
    }
  }
  return strip
}
