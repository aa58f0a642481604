/** Settings of pseudo-labels. */

import { z } from "zod"

export const pseudoLabelsSchema = z.strictObject({
  temperature: z.number().positive().default(0.05).describe("of the softmax over cosines: lower is surer"),
  minAccuracy: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe(
      "share of labelled clips that must get their own label when it is held back; else the answers are not trusted",
    ),
  rounds: z.int().min(1).default(10).describe("at most; it ends where no clip changes its class"),
})

export type PseudoLabelsConfig = z.infer<typeof pseudoLabelsSchema>
