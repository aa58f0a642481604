/** Worker thread: decodes, samples and transforms clips. */

import { loadViews, viewsJobSchema } from "./views.ts"
import { serveJobs } from "./workers.ts"

serveJobs(viewsJobSchema, (job) => {
  const value = loadViews(job)
  return { value, transfer: value.views.map(({ buffer }) => buffer) }
})
