/** Child process: measures files. */

import { serveJobs } from "@fourtier/core/node"
import { z } from "zod"
import { probeFile, windowSchema } from "./probe.ts"

const jobSchema = z.object({ path: z.string(), windows: z.array(windowSchema) })

serveJobs(jobSchema, ({ path, windows }) => ({ value: probeFile(path, windows) }))
