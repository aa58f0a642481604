/** Child process: measures files. */

import { serveJobs } from "@fourtier/core/node"
import { probeFile, probeJobSchema } from "./probe.ts"

serveJobs(probeJobSchema, ({ path, windows }) => ({ value: probeFile(path, windows) }))
