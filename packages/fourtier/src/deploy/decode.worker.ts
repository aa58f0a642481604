/** Worker thread: a file, or a clip that has been measured, to the views of a bundle. */

import { serveJobs } from "@fourtier/core/node"
import { clipOfFile } from "../video/probe.ts"
import { loadViews } from "../video/views.ts"
import { decodeJobSchema } from "./jobs.ts"

serveJobs(decodeJobSchema, ({ clip, ...how }) => {
  const measured = "file" in clip ? clipOfFile(clip.file, clip) : clip
  const { views, padded } = loadViews({ ...how, clip: measured, seed: null, scaleWhileDecoding: true })
  return { value: { views, padded }, transfer: views.map(({ buffer }) => buffer) }
})
