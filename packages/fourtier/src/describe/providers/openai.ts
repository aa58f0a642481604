/**
 * Any server that speaks OpenAI's chat-completions protocol: OpenAI itself, vLLM, Ollama, llama.cpp, LM Studio, TGI,
 * OpenRouter and the like. The strip travels as a JPEG data URL.
 */

import { messageOf } from "@fourtier/tensor"
import OpenAI from "openai"
import { z } from "zod"
import { isLocal, networkVerdict, parseReply, plainAddress, quotaPause, statusVerdict } from "./http-verdict.ts"
import { type LiveProvider, needed, ProviderError, type Question, type Reply } from "./provider.ts"
import { blot, readKey } from "./secret.ts"

const settingValue: z.ZodType<number | string | boolean | null> = z.union([
  z.number(),
  z.string(),
  z.boolean(),
  z.null(),
])

/** What `openai` and `openai-batch` share. */
export const chatFields = {
  model: z.string(needed("--model NAME, or describe.model in the settings")).min(1).describe("name of the model"),
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .default("https://api.openai.com/v1")
    .describe("where requests are sent"),
  keyEnv: z.string().default("OPENAI_API_KEY").describe("environment variable that holds the key"),
  keyFile: z.string().optional().describe("file that holds the key; goes before `keyEnv`"),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullable()
    .default(0)
    .describe("null: the server's default (some models accept no other)"),
  maxTokens: z.int().positive().default(300).describe("longest answer"),
  maxTokensField: z
    .enum(["auto", "max_tokens", "max_completion_tokens"])
    .default("auto")
    .describe("the request field for `maxTokens`: `auto` is max_completion_tokens for OpenAI, max_tokens elsewhere"),
  detail: z
    .enum(["auto", "low", "high"])
    .default("auto")
    .describe("how closely the model looks, where the server knows it"),
  seed: z.int().optional().describe("of sampling, where the server takes one"),
  extra: z.record(z.string(), settingValue).default({}).describe("more fields of the request body, as they are"),
}

export const openaiSchema = z.strictObject({
  kind: z.literal("openai"),
  ...chatFields,
  concurrency: z.int().positive().default(16).describe("requests under way at most"),
  timeout: z.number().positive().default(120).describe("seconds for a whole request, from sending to the last byte"),
})

type ChatConfig = Pick<z.infer<typeof openaiSchema>, keyof typeof chatFields>

/** A client and what is to be known about it. */
export interface Chat {
  client: OpenAI
  /** For people: no secrets. */
  address: string
  /** Must not show in any message. */
  key: string | null
  local: boolean
  /** Set when requests would have no key: said on the first, so that estimates need none. */
  missing: ProviderError | null
}

export function openChat(config: ChatConfig): Chat {
  const key = readKey(config)
  const local = isLocal(config.baseUrl)
  const address = plainAddress(config.baseUrl)
  const fix = `export ${config.keyEnv}=..., or name another variable with keyEnv or a file with keyFile`
  const missing = key === null && !local ? new ProviderError("stop", `there is no key for ${address}`, { fix }) : null
  const client = new OpenAI({
    apiKey: key ?? "none",
    baseURL: config.baseUrl,
    organization: null,
    project: null,
    maxRetries: 0,
    logLevel: "off",
    timeout: 24 * 3_600_000,
  })
  return { client, address, key, local, missing }
}

/** The part of a config that changes answers. */
export function chatSettings(config: ChatConfig): LiveProvider["settings"] {
  const { temperature, maxTokens, detail, seed, extra } = config
  return {
    temperature,
    maxTokens,
    detail,
    ...(seed === undefined ? {} : { seed }),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  }
}

/** The body of a chat-completions request. @param structured whether to ask for the question's JSON schema */
export async function chatBody(
  config: ChatConfig,
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

/** Reads a chat completion. @throws ProviderError `retry` when it is not one */
export function readCompletion(text: string, address: string): Reply {
  const { choices, usage } = parseReply(completionSchema, text, address, "that is no chat completion")
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

/** Runs a call of the client and reads its reply as text; every failure comes out as a ProviderError without the key. */
export async function callChat<T>(
  chat: Chat,
  timeoutSeconds: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (chat.missing) throw chat.missing
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000)
  try {
    return await call(AbortSignal.any([signal, timeout]))
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof OpenAI.APIError && error.status !== undefined) {
      const body = JSON.stringify({ error: error.error ?? error.message })
      const verdict = statusVerdict(error.status, error.headers ?? new Headers(), body, chat.address)
      throw new ProviderError(verdict.verdict, blot(verdict.message, chat.key), {
        retryAfter: verdict.retryAfter,
        ...(verdict.fix === undefined ? {} : { fix: verdict.fix }),
      })
    }
    if (error instanceof ProviderError) throw error
    const reason = timeout.aborted ? timeout.reason : error
    const verdict = networkVerdict(reason, chat.address, timeoutSeconds)
    throw new ProviderError(verdict.verdict, blot(messageOf(verdict), chat.key))
  }
}

export function openOpenai(config: z.infer<typeof openaiSchema>): LiveProvider {
  const chat = openChat(config)
  let structured = true
  const ask = async (question: Question, schema: boolean, signal: AbortSignal): Promise<Reply> => {
    const body = await chatBody(config, question, schema)
    return callChat(chat, config.timeout, signal, async (both) => {
      const response = await chat.client.chat.completions.create(body, { signal: both }).asResponse()
      const text = await response.text()
      const pause = quotaPause(response.headers)
      return { ...readCompletion(text, chat.address), ...(pause === undefined ? {} : { pause }) }
    })
  }
  return {
    mode: "live",
    kind: "openai",
    model: config.model,
    settings: chatSettings(config),
    destination: chat.local ? `${chat.address} (this machine)` : chat.address,
    looks: true,
    concurrency: { start: Math.min(4, config.concurrency), most: config.concurrency },
    async ask(question, signal) {
      const schema = structured && question.schema !== null
      try {
        return await ask(question, schema, signal)
      } catch (error) {
        const unknown = error instanceof ProviderError && error.verdict === "rejected"
        if (!schema || !unknown || !/response_format|json_schema/i.test(error.message)) throw error
        structured = false
        return ask(question, false, signal)
      }
    },
  }
}
