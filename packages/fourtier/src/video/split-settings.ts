/** Settings of the split into training, validation and test clips. */

import { z } from "zod"

const fraction = z.number().min(0).max(0.9)

export const splitSchema = z.strictObject({
  column: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe(
      "column that says train, val or test (or a synonym); rows where it is empty are left out. A list: one split for each column, and the mean over them (UCF-101, HMDB51)",
    ),
  folds: z
    .string()
    .optional()
    .describe("column that numbers each clip's fold: the clips of fold k are the test clips of split k"),
  drawFolds: z.int().min(2).optional().describe("number of folds to draw, stratified by class"),
  test: fraction
    .default(0.2)
    .describe(
      "share of the clips drawn for the test part, stratified by class, where none of the above is set and the data has no column `split` or `fold`",
    ),
  val: fraction
    .default(0.15)
    .describe(
      "share of the training clips held back for validation, stratified by class, where the column names no val clips",
    ),
  seed: z.union([z.number(), z.string()]).default(0).describe("seed of everything drawn here"),
  allowQuarantined: z
    .array(z.string())
    .default([])
    .describe("relative paths of unusable files that may be missing from val and test"),
})

export type SplitOptions = z.infer<typeof splitSchema>
