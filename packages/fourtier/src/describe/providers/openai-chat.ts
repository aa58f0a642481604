/**
 * OpenAI's chat-completions protocol: client, request and reply, for the providers `openai` and `openai-batch`. The strip
 * travels as a JPEG data URL.
 */

import OpenAI from "openai"
import { z } from "zod"
import { type LiveProvider, ProviderError, type Question, type Reply } from "../provider.ts"
import { type Address, readAddress } from "./address.ts"
import { hiddenError, parseReply, statusError } from "./http-errors.ts"
import { networkError } from "./network-errors.ts"
import { Adaptations } from "./openai-adapt.ts"
import type { ChatSettings } from "./openai-settings.ts"
import { wholeCompletion } from "./openai-stream.ts"
import { fetchHere } from "./redirects.ts"
import { readKey, withoutSecrets } from "./secret.ts"
import { tokenCount } from "./token-count.ts"

/** A client for one server. */
export interface Chat {
  client: OpenAI
  address: Address
  /** Must not appear in any message. */
  key: string | null
  /** What the server has refused. */
  adaptations: Adaptations
  /** Thrown by the first request when there is no API key. Estimates need none. */
  missingKey: ProviderError | null
}

export function openChat(config: ChatSettings): Chat {
  const key = readKey(config)
  const address = readAddress(config.baseUrl)
  const fix = `export ${config.keyEnv}=..., or name another variable with keyEnv or a file with keyFile`
  const needsKey = key === null && !address.local && address.authorization === null
  const missingKey = needsKey ? new ProviderError("stop", `there is no API key for ${address.plain}`, { fix }) : null
  const client = new OpenAI({
    apiKey: key ?? "none",
    baseURL: address.url,
    defaultQuery: address.query,
    defaultHeaders: address.authorization === null ? {} : { authorization: address.authorization },
    organization: null,
    project: null,
    maxRetries: 0,
    logLevel: "off",
    timeout: 24 * 3_600_000,
    fetch: fetchWithWords,
  })
  return { client, address, key, adaptations: new Adaptations(), missingKey }
}

const wordsSchema = z.object({ body: z.string() })

/** The client passes on `error` of a failure's body and nothing else: so the whole body is put there. */
async function fetchWithWords(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetchHere(input, init)
  if (response.ok) return response
  const { status, headers } = response
  const body = JSON.stringify({ error: { body: await response.text() } })
  const kept = new Headers(headers)
  for (const name of ["content-encoding", "content-length", "content-type"]) kept.delete(name)
  return new Response(body, { status, headers: kept })
}

/** The settings that change answers: part of every key. */
export function identityOf(config: ChatSettings): LiveProvider["settings"] {
  const { temperature, maxTokens, detail, seed, extra } = config
  return {
    temperature,
    maxTokens,
    detail,
    ...(seed === undefined ? {} : { seed }),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  }
}

/** The body of a request, without what the server has refused. */
export async function chatBody(
  config: ChatSettings,
  question: Question,
  adaptations: Adaptations,
): Promise<OpenAI.ChatCompletionCreateParamsNonStreaming> {
  const image = Buffer.from(await question.strip()).toString("base64")
  const { temperature, seed, detail } = config
  const apart = question.system !== null && !adaptations.has("system")
  const text = question.system === null || apart ? question.text : `${question.system}\n\n${question.text}`
  return {
    model: config.model,
    messages: [
      ...(apart ? [{ role: "system" as const, content: question.system ?? "" }] : []),
      {
        role: "user",
        content: [
          {
            type: "image_url",
            image_url: {
              url: `data:image/jpeg;base64,${image}`,
              ...(adaptations.has("detail") ? {} : { detail }),
            },
          },
          { type: "text", text },
        ],
      },
    ],
    [maxTokensField(config, adaptations)]: config.maxTokens * question.prompts.length,
    ...(temperature === null || adaptations.has("temperature") ? {} : { temperature }),
    ...(seed === undefined || adaptations.has("seed") ? {} : { seed }),
    ...(question.schema && !adaptations.has("schema")
      ? {
          response_format: {
            type: "json_schema",
            json_schema: { name: "answers", strict: true, schema: question.schema },
          },
        }
      : {}),
    ...config.extra,
  }
}

function maxTokensField({ maxTokensField, baseUrl }: ChatSettings, adaptations: Adaptations): string {
  if (adaptations.has("max_tokens")) return "max_completion_tokens"
  if (adaptations.has("max_completion_tokens")) return "max_tokens"
  if (maxTokensField !== "auto") return maxTokensField
  return new URL(baseUrl).hostname === "api.openai.com" ? "max_completion_tokens" : "max_tokens"
}

/** What a request holds of the fields that servers refuse, by the names of `Adaptations`. */
export function fieldsOf(body: OpenAI.ChatCompletionCreateParamsNonStreaming): Set<string> {
  const fields = new Set(Object.keys(body))
  if (body.messages.some(({ role }) => role === "system")) fields.add("system")
  if (body.response_format !== undefined) fields.add("schema")
  fields.add("detail")
  return fields
}

const text = z.string().nullable().catch(null)
const part = z.union([z.string(), z.object({ text: z.string() }).transform((value) => value.text)]).catch("")

const messageSchema = z.object({
  content: z.union([z.string(), z.array(part).transform((parts) => parts.join(""))]).nullish(),
  refusal: text.optional(),
  reasoning_content: text.optional(),
  reasoning: text.optional(),
})

const completionSchema = z.object({
  choices: z
    .array(z.object({ finish_reason: text.optional(), message: messageSchema, error: z.unknown().optional() }))
    .min(1),
  usage: z
    .object({
      prompt_tokens: tokenCount,
      completion_tokens: tokenCount,
      input_tokens: tokenCount,
      output_tokens: tokenCount,
    })
    .partial()
    .nullable()
    .catch(null)
    .optional(),
})

/** Reads a chat completion. @throws ProviderError of an error in its place; `retry` when it is none */
export function readCompletion(body: string, headers: Headers, address: string): Reply {
  const reply = { text: wholeCompletion(body), headers, address, expected: "a chat completion" }
  const { choices, usage } = parseReply(completionSchema, reply)
  const [{ message, finish_reason: reason, error }] = choices
  const content = message.content ?? ""
  const failure = content === "" && error ? hiddenError({ error }, headers, address) : null
  if (failure) throw failure
  const refused = reason === "content_filter" || (message.refusal ?? "") !== ""
  return {
    text: content === "" && message.refusal ? message.refusal : content,
    inputTokens: usage?.prompt_tokens ?? usage?.input_tokens ?? null,
    outputTokens: usage?.completion_tokens ?? usage?.output_tokens ?? null,
    finish: refused ? "refused" : /^(length|max_tokens|max_output_tokens)$/i.test(reason ?? "") ? "length" : "stop",
    ...(message.reasoning_content || message.reasoning ? { reasoned: true } : {}),
  }
}

const errorSchema = z.object({ error: wordsSchema })

/** Runs a call of the client. @throws ProviderError for every failure, without secrets in its message */
export async function callChat<T>(
  { missingKey, address, key }: Chat,
  timeoutSeconds: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (missingKey) throw missingKey
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000)
  try {
    return await call(AbortSignal.any([signal, timeout]))
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw withoutSecrets(failureOf(error, timeout), key, ...address.secrets)
  }

  function failureOf(error: unknown, timeout: AbortSignal): ProviderError {
    if (error instanceof ProviderError) return error
    if (error instanceof OpenAI.APIError && error.status !== undefined) {
      const words = errorSchema.safeParse({ error: error.error })
      const body = words.success ? words.data.error.body : error.message
      return statusError(error.status, error.headers ?? new Headers(), body, address.plain)
    }
    return networkError(timeout.aborted ? timeout.reason : error, address.plain, timeoutSeconds)
  }
}
