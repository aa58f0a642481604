/** Worker thread: a measured clip to the views of a bundle. */

import { serveJobs } from "@fourtier/core/node"
import { loadViews } from "../video/views.ts"
import { decodeJobSchema } from "./jobs.ts"

serveJobs(decodeJobSchema, (job) => {
  const { views, padded } = loadViews({ ...job, seed: null, scaleWhileDecoding: true })
  return { value: { views, padded }, transfer: views.map(({ buffer }) => buffer) }
})
