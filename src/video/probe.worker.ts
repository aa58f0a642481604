/** Worker thread: measures files. */

import { z } from "zod"
import { probeFile, windowSchema } from "./probe.ts"
import { serveJobs } from "./workers.ts"

const jobSchema = z.object({ path: z.string(), windows: z.array(windowSchema) })

serveJobs(jobSchema, ({ path, windows }) => ({ value: probeFile(path, windows) }))
