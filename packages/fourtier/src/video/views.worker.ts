/** Worker thread: decodes, samples and transforms clips. */

import { serveJobs } from "@fourtier/core/node"
import { loadViews, viewsJobSchema } from "./views.ts"

serveJobs(viewsJobSchema, (job) => {
  const value = loadViews(job)
  return { value, transfer: value.views.map(({ buffer }) => buffer) }
})
