/** In which numbers an encoder keeps its weights and multiplies: the setting `precision` of every kind of encoder. */

import { z } from "zod"

export const PRECISIONS = ["float32", "float16", "int8"] as const
export type Precision = (typeof PRECISIONS)[number]

export const precisionSchema = z
  .enum(PRECISIONS)
  .default("float32")
  .describe("of the weights: float16 halves the file; int8 also multiplies in whole numbers (docs/encoders.md)")
