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
import { quotaPause } from "../../util/rate-headers.ts"
import type { LiveProvider, Question, Reply } from "../provider.ts"
import { readAddress } from "./address.ts"
import { parseReply, statusError } from "./http-errors.ts"
import type { HttpSettings } from "./http-settings.ts"
import { networkError } from "./network-errors.ts"
import { fetchHere } from "./redirects.ts"
import { readKey, withoutSecrets } from "./secret.ts"
import { tokenCount } from "./token-count.ts"

const replySchema = z.object({
  text: z.string(),
  input_tokens: tokenCount.optional(),
  output_tokens: tokenCount.optional(),
  finish: z.enum(["stop", "length", "refused"]).catch("stop"),
})

/** Opens provider `http`. */
export function openHttp(config: HttpSettings): LiveProvider {
  const key = readKey(config)
  const address = readAddress(config.url)
  const target = new URL(address.url)
  for (const [name, value] of Object.entries(address.query)) target.searchParams.set(name, value)
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
    const authorization = address.authorization ?? (key === null ? null : `Bearer ${key}`)
    const headers = { "content-type": "application/json", ...(authorization === null ? {} : { authorization }) }
    return fetchHere(target, { method: "POST", headers, body: JSON.stringify(body), signal })
  }

  return {
    mode: "live",
    kind: "http",
    model: config.model,
    settings: { maxTokens, temperature },
    destination: address.destination,
    local: address.local,
    usesStrip: true,
    concurrency: { initial: Math.min(2, config.concurrency), max: config.concurrency },
    async ask(question, signal) {
      const timeout = AbortSignal.timeout(config.timeout * 1000)
      try {
        const response = await post(question, AbortSignal.any([signal, timeout]))
        const text = await response.text()
        if (!response.ok) throw statusError(response.status, response.headers, text, address.plain)
        return readReply(text, response.headers, address.plain)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        const failure = networkError(timeout.aborted ? timeout.reason : error, address.plain, config.timeout)
        throw withoutSecrets(failure, key, ...address.secrets)
      }
    },
  }
}

function readReply(body: string, headers: Headers, address: string): Reply {
  const parsed = parseReply(replySchema, { text: body, headers, address, expected: '{"text": "..."}' })
  const { text, input_tokens: inputTokens = null, output_tokens: outputTokens = null, finish } = parsed
  const pause = quotaPause(headers)
  return { text, inputTokens, outputTokens, finish, ...(pause === undefined ? {} : { pause }) }
}
