/** Settings of provider `http`: a small server of one's own. */

import { z } from "zod"
import { required } from "./required.ts"

export const httpSchema = z.strictObject({
  kind: z.literal("http").describe("kind of provider: docs/describe.md"),
  url: z
    .url({ protocol: /^https?$/, ...required("--url URL, or describe.url in the settings") })
    .describe("where requests are sent"),
  model: z
    .string(required("--model NAME, or describe.model in the settings"))
    .min(1)
    .describe("name of the model behind the server; part of every answer's key, so change it when the model changes"),
  keyEnv: z.string().optional().describe("environment variable that holds a bearer token"),
  keyFile: z.string().optional().describe("file that holds a bearer token; takes precedence over `keyEnv`"),
  maxTokens: z.int().positive().default(300).describe("longest answer, in tokens"),
  temperature: z.number().min(0).max(2).default(0).describe("of sampling"),
  concurrency: z.int().positive().default(2).describe("most requests in progress at once"),
  timeout: z.number().positive().default(300).describe("seconds for a whole request, from sending to the last byte"),
})

export type HttpSettings = z.infer<typeof httpSchema>
