/** Settings of stage 2's loss, and of the probes'. */

import { z } from "zod"

export const classificationSchema = z.strictObject({
  labelSmoothing: z.number().min(0).max(0.99).default(0.1).describe("share of the target spread over all classes"),
  mixup: z
    .number()
    .min(0)
    .default(0.8)
    .describe("Beta parameter of mixup on the encoder's map, which is what is cached; 0: none"),
  dropout: z.number().min(0).max(0.95).default(0).describe("share of units dropped in training"),
})

export type ClassificationConfig = z.infer<typeof classificationSchema>
