/** Settings of pseudo-labels. */

import { z } from "zod"

export const pseudoLabelsSchema = z.strictObject({
  temperature: z
    .number()
    .positive()
    .default(0.05)
    .describe("temperature of the softmax over cosines; lower gives more confident labels"),
  errorRate: z
    .number()
    .gt(0)
    .max(1)
    .default(0.05)
    .describe(
      "chance of accepting answers that have nothing to do with their clips; pseudo-labels are used where the evidence for them is at least 1 / errorRate to 1",
    ),
  rounds: z
    .int()
    .min(1)
    .default(10)
    .describe("largest number of rounds; it ends earlier when no clip in a thousand changes its class"),
})

export type PseudoLabelsConfig = z.infer<typeof pseudoLabelsSchema>
