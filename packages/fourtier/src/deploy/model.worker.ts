/** Worker thread: holds a bundle's model, whose runs would block the thread that asks. */

import { FrameRecognizer } from "@fourtier/core/bundle"
import { serveJobs } from "@fourtier/core/node"
import { readBundle } from "./folder.ts"
import { modelJobSchema } from "./jobs.ts"

let model: FrameRecognizer | null = null

serveJobs(modelJobSchema, async (job) => {
  if ("release" in job) {
    await model?.release()
    model = null
    return { value: null }
  }
  if ("load" in job) {
    model = await FrameRecognizer.load(job.load, await readBundle(job.folder), job.options)
    return { value: { provider: model.provider } }
  }
  if (model === null) throw new Error("internal error: no model is loaded")
  const probabilities = await model.predictView(job.frames)
  return { value: { probabilities } }
})
