/** Worker thread: decodes a long video stretch by stretch. */

import { leadingSize } from "@fourtier/core/frames"
import { serveJobs } from "@fourtier/core/node"
import { decodeFrames, frameTimesOf } from "../video/decode.ts"
import { stretchJobSchema } from "./segment-jobs.ts"

serveJobs(stretchJobSchema, (job) => {
  if ("times" in job) {
    return { value: frameTimesOf(job.times) }
  }
  const { path, start, end, indices, transform, deinterlace } = job
  const clip = { path, start, end, frames: 0, fps: 0 }
  const size = leadingSize(transform)
  const decoded = decodeFrames(clip, { indices }, { size, deinterlace })
  const data = Uint8Array.from(decoded.data)
  return { value: { data, width: decoded.width, height: decoded.height }, transfer: [data.buffer] }
})
