/** Worker thread: draws on every frame of a video while it passes from the decoder to the encoder. */

import { serveJobs } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { annotateJobSchema } from "./annotate-jobs.ts"
import { eachFrame } from "./decode.ts"
import { VideoEncoder } from "./encode.ts"
import { drawMarks, type LabelSides } from "./marks.ts"

serveJobs(annotateJobSchema, (job) => {
  const { path, out, fps, marks, state } = job
  const shared = new Int32Array(state)
  const clip = { path, start: null, end: null, frames: 0, fps: 0 }
  const sides: LabelSides = new Map()
  let encoder: VideoEncoder | null = null
  try {
    const { duration } = eachFrame(clip, (frame) => {
      if (Atomics.load(shared, 1) !== 0) throw new FourtierError({ where: out, what: "interrupted" })
      encoder ??= VideoEncoder.open(out, { width: frame.width, height: frame.height, fps })
      drawMarks(frame, marks[frame.index] ?? [], job.masks, sides)
      encoder.write(frame.data, frame.time)
      Atomics.add(shared, 0, 1)
    })
    finish(encoder, duration)
  } catch (error) {
    abort(encoder)
    throw error
  }
  return { value: { frames: Atomics.load(shared, 0) } }
})

// as functions: the compiler does not see that a callback has assigned the variable
function finish(encoder: VideoEncoder | null, duration: number): void {
  encoder?.finish(duration)
}

function abort(encoder: VideoEncoder | null): void {
  encoder?.abort()
}
