/** Settings of provider `openai-batch`: OpenAI's Batch API. */

import { z } from "zod"
import { chatFields } from "./openai-settings.ts"

export const openaiBatchSchema = z.strictObject({
  kind: z.literal("openai-batch").describe("kind of provider: docs/describe.md"),
  ...chatFields,
  requests: z.int().positive().max(50_000).default(20_000).describe("most questions in one batch"),
  megabytes: z.number().positive().max(190).default(90).describe("largest upload of one batch"),
  open: z.int().positive().default(4).describe("most batches in progress at once"),
  pollSeconds: z.number().positive().default(30).describe("seconds between two checks of their progress"),
})

export type OpenaiBatchSettings = z.infer<typeof openaiBatchSchema>
