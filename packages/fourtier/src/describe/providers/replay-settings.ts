/** Settings of provider `replay`: recorded answers. */

import { z } from "zod"
import { required } from "./required.ts"

export const replaySchema = z.strictObject({
  kind: z.literal("replay").describe("kind of provider: docs/describe.md"),
  file: z
    .string(required("--answers FILE, or describe.file in the settings"))
    .min(1)
    .describe("recorded answers, a JSONL or CSV file"),
})

export type ReplaySettings = z.infer<typeof replaySchema>
