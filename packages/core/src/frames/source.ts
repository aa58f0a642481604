/** Frames of a clip, wherever they come from: a file, a page's video element, the last seconds of a camera. */

import type { Sampling } from "../schemas/sampling.ts"
import type { Pictures } from "./resize.ts"
import { evenTimes, repeatedFrames, sampleFrames } from "./sampling.ts"
import type { FrameTimes } from "./times.ts"

export interface FrameSource extends FrameTimes {
  /** The frames of these numbers, in this order; each number is one that `times` has. */
  read(indices: readonly number[]): Pictures | Promise<Pictures>
}

/**
 * Pictures in memory as a clip of an even frame rate.
 * @param pictures [T,height,width,3], RGB
 * @param fps frames a second
 *
 * @example
 * ```ts
 * import { framesInMemory } from "@fourtier/core/frames"
 *
 * const pictures = { data: new Uint8Array(50 * 240 * 320 * 3), count: 50, height: 240, width: 320 }
 * framesInMemory(pictures, 25).duration // 2
 * ```
 */
export function framesInMemory(pictures: Pictures, fps: number): FrameSource {
  const { height, width } = pictures
  const size = height * width * 3
  return {
    ...evenTimes(pictures.count, fps),
    read(indices) {
      const data = new Uint8Array(indices.length * size)
      for (const [place, index] of indices.entries()) {
        data.set(pictures.data.subarray(index * size, (index + 1) * size), place * size)
      }
      return { data, count: indices.length, height, width }
    },
  }
}

/**
 * The frames that evaluation looks at, those past the end replaced by the last, and how many places hold a stand-in: a
 * frame replaced, or one repeated because the clip has too few.
 *
 * @example
 * ```ts
 * import { framesInMemory, readSampled } from "@fourtier/core/frames"
 *
 * const source = framesInMemory({ data: new Uint8Array(6 * 4 * 4 * 3), count: 6, height: 4, width: 4 }, 25)
 * const { padded } = await readSampled(source, { kind: "dense", frames: 8, stride: 1, clips: 1 }) // 2
 * ```
 */
export async function readSampled(
  source: FrameSource,
  sampling: Sampling,
): Promise<{ pictures: Pictures; padded: number }> {
  const last = source.times.length - 1
  const drawn = sampleFrames(source, sampling, null)
  const asked = drawn.flat()
  const held = asked.map((index) => Math.min(last, index))
  const padded = asked.filter((index) => index > last).length + repeatedFrames(drawn, last + 1)
  return { pictures: await source.read(held), padded }
}
