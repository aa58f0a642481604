/**
 * Any model behind a small HTTP server of one's own (examples/vlm-server is one):
 *
 *   POST <url>   {"image": "<JPEG, base64>", "prompt": "...", "system": "..." | null, "clip": "...", "schema"?: {...},
 *                 "max_tokens": 300, "temperature": 0}
 *   200          {"text": "...", "input_tokens"?: 812, "output_tokens"?: 40, "finish"?: "stop" | "length" | "refused"}
 *   429, 5xx     ask again later (Retry-After is honoured)
 *   other 4xx    {"error": "..."}: not to be asked again
 */

import { z } from "zod"
import { isLocal, networkVerdict, parseReply, plainAddress, quotaPause, statusVerdict } from "./http-verdict.ts"
import { type LiveProvider, needed, type Question, type Reply } from "./provider.ts"
import { blot, readKey } from "./secret.ts"

export const httpSchema = z.strictObject({
  kind: z.literal("http"),
  url: z
    .url({ protocol: /^https?$/, ...needed("--url URL, or describe.url in the settings") })
    .describe("where images are sent"),
  model: z
    .string(needed("--model NAME, or describe.model in the settings"))
    .min(1)
    .describe("name of the model that answers there: part of every key, so change it when the model changes"),
  keyEnv: z.string().optional().describe("environment variable or file with a bearer token"),
  keyFile: z.string().optional(),
  maxTokens: z.int().positive().default(300),
  temperature: z.number().min(0).max(2).default(0),
  concurrency: z.int().positive().default(2).describe("requests under way at most"),
  timeout: z.number().positive().default(300).describe("seconds for a whole request"),
})

const replySchema = z.object({
  text: z.string(),
  input_tokens: z.number().nullish(),
  output_tokens: z.number().nullish(),
  finish: z.enum(["stop", "length", "refused"]).default("stop"),
})

export function openHttp(config: z.infer<typeof httpSchema>): LiveProvider {
  const key = readKey(config)
  const address = plainAddress(config.url)
  const { maxTokens, temperature } = config

  async function post(question: Question, signal: AbortSignal): Promise<Response> {
    const body = {
      image: Buffer.from(await question.strip()).toString("base64"),
      prompt: question.text,
      system: question.system,
      clip: question.clip.id,
      max_tokens: maxTokens * question.prompts.length,
      temperature,
      ...(question.schema ? { schema: question.schema } : {}),
    }
    const headers = { "content-type": "application/json", ...(key === null ? {} : { authorization: `Bearer ${key}` }) }
    return fetch(config.url, { method: "POST", headers, body: JSON.stringify(body), signal })
  }

  return {
    mode: "live",
    kind: "http",
    model: config.model,
    settings: { maxTokens, temperature },
    destination: isLocal(config.url) ? `${address} (this machine)` : address,
    looks: true,
    concurrency: { start: Math.min(2, config.concurrency), most: config.concurrency },
    async ask(question, signal) {
      const timeout = AbortSignal.timeout(config.timeout * 1000)
      try {
        const response = await post(question, AbortSignal.any([signal, timeout]))
        const text = await response.text()
        if (!response.ok) throw statusVerdict(response.status, response.headers, blot(text, key), address)
        return readReply(text, quotaPause(response.headers), address)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw networkVerdict(timeout.aborted ? timeout.reason : error, address, config.timeout)
      }
    },
  }
}

function readReply(text: string, pause: number | undefined, address: string): Reply {
  const {
    text: answer,
    input_tokens = null,
    output_tokens = null,
    finish,
  } = parseReply(replySchema, text, address, "without a text")
  const reply = { text: answer, inputTokens: input_tokens, outputTokens: output_tokens, finish }
  return pause === undefined ? reply : { ...reply, pause }
}
