/**
 * OpenAI's chat-completions protocol: client, request and reply, for the providers `openai` and `openai-batch`. The strip
 * travels as a JPEG data URL.
 */

import { messageOf } from "@fourtier/tensor"
import OpenAI from "openai"
import { z } from "zod"
import { type LiveProvider, ProviderError, type Question, type Reply } from "../provider.ts"
import { isLocal, networkError, parseReply, plainAddress, statusError } from "./http-errors.ts"
import type { ChatSettings } from "./openai-settings.ts"
import { readKey, redact } from "./secret.ts"

/** A client for one server. */
export interface Chat {
  client: OpenAI
  /** For people to read, without secrets. */
  address: string
  /** Must not appear in any message. */
  key: string | null
  /** Whether requests stay on this machine. */
  local: boolean
  /** Thrown by the first request when there is no API key. Estimates need none. */
  missingKey: ProviderError | null
}

export function openChat(config: ChatSettings): Chat {
  const key = readKey(config)
  const local = isLocal(config.baseUrl)
  const address = plainAddress(config.baseUrl)
  const fix = `export ${config.keyEnv}=..., or name another variable with keyEnv or a file with keyFile`
  const missingKey =
    key === null && !local ? new ProviderError("stop", `there is no API key for ${address}`, { fix }) : null
  const client = new OpenAI({
    apiKey: key ?? "none",
    baseURL: config.baseUrl,
    organization: null,
    project: null,
    maxRetries: 0,
    logLevel: "off",
    timeout: 24 * 3_600_000,
  })
  return { client, address, key, local, missingKey }
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

/** The body of a request. @param structured whether to ask for an answer that follows the question's JSON schema */
export async function chatBody(
  config: ChatSettings,
  question: Question,
  structured: boolean,
): Promise<OpenAI.ChatCompletionCreateParamsNonStreaming> {
  const image = Buffer.from(await question.strip()).toString("base64")
  const field =
    config.maxTokensField === "auto"
      ? new URL(config.baseUrl).hostname === "api.openai.com"
        ? "max_completion_tokens"
        : "max_tokens"
      : config.maxTokensField
  return {
    model: config.model,
    messages: [
      ...(question.system === null ? [] : [{ role: "system" as const, content: question.system }]),
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: `data:image/jpeg;base64,${image}`, detail: config.detail } },
          { type: "text", text: question.text },
        ],
      },
    ],
    [field]: config.maxTokens * question.prompts.length,
    ...(config.temperature === null ? {} : { temperature: config.temperature }),
    ...(config.seed === undefined ? {} : { seed: config.seed }),
    ...(question.schema && structured
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

const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z.union([z.string(), z.array(z.object({ text: z.string().optional() }))]).nullish(),
          refusal: z.string().nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
})

/** Reads a chat completion. @throws ProviderError `retry` when it is none */
export function readCompletion(text: string, address: string): Reply {
  const { choices, usage } = parseReply(completionSchema, text, address, "a chat completion")
  const [{ message, finish_reason }] = choices
  const content =
    typeof message.content === "string"
      ? message.content
      : (message.content ?? []).map((part) => part.text ?? "").join("")
  const refused = finish_reason === "content_filter" || (message.refusal ?? "") !== ""
  return {
    text: content === "" && message.refusal ? message.refusal : content,
    inputTokens: usage?.prompt_tokens ?? null,
    outputTokens: usage?.completion_tokens ?? null,
    finish: refused ? "refused" : finish_reason === "length" ? "length" : "stop",
  }
}

/** Runs a call of the client. @throws ProviderError for every failure, without the API key in its message */
export async function callChat<T>(
  chat: Chat,
  timeoutSeconds: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (chat.missingKey) throw chat.missingKey
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000)
  try {
    return await call(AbortSignal.any([signal, timeout]))
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof OpenAI.APIError && error.status !== undefined) {
      const body = JSON.stringify({ error: error.error ?? error.message })
      const failure = statusError(error.status, error.headers ?? new Headers(), body, chat.address)
      throw new ProviderError(failure.verdict, redact(failure.message, chat.key), {
        retryAfter: failure.retryAfter,
        ...(failure.fix === undefined ? {} : { fix: failure.fix }),
      })
    }
    if (error instanceof ProviderError) throw error
    const reason = timeout.aborted ? timeout.reason : error
    const failure = networkError(reason, chat.address, timeoutSeconds)
    throw new ProviderError(failure.verdict, redact(messageOf(failure), chat.key))
  }
}
