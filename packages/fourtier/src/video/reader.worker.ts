/** Worker thread: decodes chosen frames of a long video stretch by stretch. */

import { serveJobs } from "@fourtier/core/node"
import { decodeFrames, frameTimesOf } from "./decode.ts"
import { readerJobSchema } from "./reader-jobs.ts"

const WHOLE = { start: null, end: null, frames: 0, fps: 0 }

serveJobs(readerJobSchema, (job) => {
  if ("look" in job) {
    const { times, duration } = frameTimesOf(job.look)
    const { width, height } = decodeFrames({ path: job.look, ...WHOLE }, { indices: [0] })
    return { value: { times, duration, width, height } }
  }
  const { path, start, end, indices, size, deinterlace } = job
  const decoded = decodeFrames({ ...WHOLE, path, start, end }, { indices }, { size, deinterlace })
  const data = Uint8Array.from(decoded.data)
  return { value: { data, width: decoded.width, height: decoded.height }, transfer: [data.buffer] }
})
