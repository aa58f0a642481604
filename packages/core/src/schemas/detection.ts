/** Settings of training on boxes of people. */

import { z } from "zod"

export const detectionSchema = z.strictObject({
  jitter: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe(
      "each side of a true box moves by up to this share of the box in training, as detected boxes are off; 0: never",
    ),
})

export type DetectionConfig = z.infer<typeof detectionSchema>
