/** Worker of `decode.ts`: decodes eight frames of each clip and answers with the sum of some pixels. */

import { parentPort } from "node:worker_threads"
import { keyFrameIndices } from "@fourtier/core/frames"
import { decodeFrames } from "fourtier/video"
import { z } from "zod"

export const FRAMES = 8

const jobSchema = z.array(
  z.object({
    path: z.string(),
    start: z.number().nullable(),
    end: z.number().nullable(),
    frames: z.number(),
    fps: z.number(),
  }),
)

parentPort?.on("message", (message: unknown) => {
  let sum = 0
  for (const clip of jobSchema.parse(message)) {
    const { data, width, height } = decodeFrames(clip, (frames) => keyFrameIndices(frames, FRAMES))
    sum += checksum(data, width, height)
  }
  parentPort?.postMessage(sum)
})

function checksum(data: Uint8Array, width: number, height: number): number {
  let sum = 0
  for (let t = 0; t < FRAMES; t++) {
    for (let y = 0; y < height; y += 16) {
      for (let x = 0; x < width; x += 16) {
        const at = ((t * height + y) * width + x) * 3
        sum += data[at] + data[at + 1] + data[at + 2]
      }
    }
  }
  return sum
}
