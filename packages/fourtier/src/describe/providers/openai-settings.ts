/** Settings of provider `openai`: a server that speaks OpenAI's chat-completions protocol. */

import { z } from "zod"
import { required } from "./required.ts"

const bodyField: z.ZodType<number | string | boolean | null> = z.union([z.number(), z.string(), z.boolean(), z.null()])

/** What `openai` and `openai-batch` share. */
export const chatFields = {
  model: z.string(required("--model NAME, or describe.model in the settings")).min(1).describe("name of the model"),
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .default("https://api.openai.com/v1")
    .describe("where requests are sent"),
  keyEnv: z.string().default("OPENAI_API_KEY").describe("environment variable that holds the API key"),
  keyFile: z.string().optional().describe("file that holds the API key; takes precedence over `keyEnv`"),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullable()
    .default(0)
    .describe("of sampling; null: the server's default (some models accept no other)"),
  maxTokens: z.int().positive().default(300).describe("longest answer, in tokens"),
  maxTokensField: z
    .enum(["auto", "max_tokens", "max_completion_tokens"])
    .default("auto")
    .describe("request field for `maxTokens`; `auto`: max_completion_tokens for OpenAI, max_tokens for other servers"),
  detail: z
    .enum(["auto", "low", "high"])
    .default("auto")
    .describe("resolution at which the model sees the image, where the server supports it"),
  seed: z.int().optional().describe("of sampling, where the server supports it"),
  extra: z.record(z.string(), bodyField).default({}).describe("further fields of the request body, sent as they are"),
}

/** Settings that both kinds have. */
export type ChatSettings = z.infer<z.ZodObject<typeof chatFields>>

export const openaiSchema = z.strictObject({
  kind: z.literal("openai").describe("kind of provider: docs/describe.md"),
  ...chatFields,
  concurrency: z.int().positive().default(16).describe("most requests in progress at once"),
  timeout: z.number().positive().default(120).describe("seconds for a whole request, from sending to the last byte"),
})

export type OpenaiSettings = z.infer<typeof openaiSchema>
