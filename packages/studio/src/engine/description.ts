/** How clips are described, as `fourtier` does it by default: a file that the build has written beside the page. */

import { z } from "zod"
import { checksSchema } from "../../../fourtier/src/describe/check.ts"
import { pricesSchema } from "../../../fourtier/src/describe/cost.ts"

const count = z.int().positive()

export const descriptionSchema = z.object({
  system: z.string().nullable(),
  prompts: z.array(z.object({ id: z.string(), text: z.string() })),
  keyFrames: z.object({ count, height: z.union([count, z.literal("auto"), z.null()]) }),
  maxTokens: count,
  checks: checksSchema,
  prices: pricesSchema,
})

export type Description = z.infer<typeof descriptionSchema>

/** Name of the file, beside the encoder's. */
export const DESCRIPTION = "describe.json"
