/** Settings of pseudo-labels. */

import { z } from "zod"

export const pseudoLabelsSchema = z.strictObject({
  temperature: z
    .number()
    .positive()
    .default(0.05)
    .describe("temperature of the softmax over cosines; lower gives more confident labels"),
  minAccuracy: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe(
      "accuracy that the pseudo-labels must reach on labelled clips whose labels are held back; below it they are not used",
    ),
  rounds: z
    .int()
    .min(1)
    .default(10)
    .describe("largest number of rounds; it ends earlier when no clip changes its class"),
})

export type PseudoLabelsConfig = z.infer<typeof pseudoLabelsSchema>
