/** Worker thread: writes key-frame strips. */

import { serveJobs } from "@fourtier/core/node"
import sharp from "sharp"
import { z } from "zod"
import { writeStrip } from "./keyframes.ts"
import { decodableSchema } from "./views.ts"

sharp.concurrency(1)

const jobSchema = z.object({
  clip: decodableSchema.extend({ width: z.number(), height: z.number() }),
  path: z.string(),
  options: z.object({
    frames: z.number().optional(),
    height: z.number().optional(),
    quality: z.number().optional(),
    comment: z.string().optional(),
  }),
})

serveJobs(jobSchema, async ({ clip, path, options }) => {
  const { keyFrames, padded } = await writeStrip(clip, path, options)
  return { value: { keyFrames, padded } }
})
