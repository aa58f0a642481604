/** Settings of the loss of stage 2 and of the probes. */

import { z } from "zod"

export const classificationSchema = z.strictObject({
  labelSmoothing: z
    .number()
    .min(0)
    .max(0.99)
    .default(0.1)
    .describe("share of the target spread evenly over all classes"),
  mixup: z
    .number()
    .min(0)
    .default(0.8)
    .describe("parameter of mixup's Beta distribution, applied to the cached feature map; 0: no mixup"),
  repeats: z
    .int()
    .min(1)
    .default(1)
    .describe("different views of each clip that an update sees: repeated augmentation (paper, Table A3)"),
  dropout: z.number().min(0).max(0.95).default(0).describe("share of units dropped during training"),
})

export type ClassificationConfig = z.infer<typeof classificationSchema>
