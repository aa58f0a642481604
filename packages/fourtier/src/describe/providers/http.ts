/**
 * Any model behind a small HTTP server of one's own, such as examples/vlm-server:
 *
 *   POST <url>   {"image": "<JPEG, base64>", "prompt": "...", "system": "..." | null, "clip": "...", "schema"?: {...},
 *                 "max_tokens": 300, "temperature": 0}
 *   200          {"text": "...", "input_tokens"?: 812, "output_tokens"?: 40, "finish"?: "stop" | "length" | "refused"}
 *   429, 5xx     asked again later; Retry-After is respected
 *   other 4xx    {"error": "..."}: not asked again
 */

import { z } from "zod"
import { quotaPause } from "../../util/back-off.ts"
import type { LiveProvider, Question, Reply } from "../provider.ts"
import { isLocal, networkError, parseReply, plainAddress, statusError } from "./http-errors.ts"
import type { HttpSettings } from "./http-settings.ts"
import { readKey, redact } from "./secret.ts"

const replySchema = z.object({
  text: z.string(),
  input_tokens: z.number().nullish(),
  output_tokens: z.number().nullish(),
  finish: z.enum(["stop", "length", "refused"]).default("stop"),
})

/** Opens provider `http`. */
export function openHttp(config: HttpSettings): LiveProvider {
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
    usesStrip: true,
    concurrency: { initial: Math.min(2, config.concurrency), max: config.concurrency },
    async ask(question, signal) {
      const timeout = AbortSignal.timeout(config.timeout * 1000)
      try {
        const response = await post(question, AbortSignal.any([signal, timeout]))
        const text = await response.text()
        if (!response.ok) throw statusError(response.status, response.headers, redact(text, key), address)
        return readReply(text, quotaPause(response.headers), address)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw networkError(timeout.aborted ? timeout.reason : error, address, config.timeout)
      }
    },
  }
}

function readReply(text: string, pause: number | undefined, address: string): Reply {
  const parsed = parseReply(replySchema, text, address, '{"text": "..."}')
  const { input_tokens: inputTokens = null, output_tokens: outputTokens = null, finish } = parsed
  const reply = { text: parsed.text, inputTokens, outputTokens, finish }
  return pause === undefined ? reply : { ...reply, pause }
}
