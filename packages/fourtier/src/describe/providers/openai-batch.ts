/** OpenAI's Batch API (https://platform.openai.com/docs/guides/batch): half the price, answers within a day. */

import { toFile } from "openai"
import { z } from "zod"
import { type BatchProvider, type BatchResult, ProviderError } from "../provider.ts"
import { isLocal, statusError } from "./http-errors.ts"
import type { OpenaiBatchSettings } from "./openai-batch-settings.ts"
import { callChat, chatBody, identityOf, openChat, readCompletion } from "./openai-chat.ts"

const idSchema = z.object({ id: z.string() })

const batchSchema = z.object({
  id: z.string(),
  status: z.string(),
  output_file_id: z.string().nullish(),
  error_file_id: z.string().nullish(),
  request_counts: z.object({ total: z.number(), completed: z.number(), failed: z.number() }).nullish(),
  errors: z
    .object({ data: z.array(z.object({ code: z.string().nullish(), message: z.string().nullish() })).nullish() })
    .nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
})

const lineSchema = z.object({
  custom_id: z.string(),
  response: z.object({ status_code: z.number(), body: z.unknown() }).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
})

/** Seconds for one call, be it an upload of many megabytes. */
const CALL_TIMEOUT = 600

/** Opens provider `openai-batch`. */
export function openOpenaiBatch(config: OpenaiBatchSettings): BatchProvider {
  const chat = openChat(config)
  const { client, address } = chat
  const call = <T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) =>
    callChat(chat, CALL_TIMEOUT, signal, work)
  return {
    mode: "batch",
    kind: "openai-batch",
    model: config.model,
    settings: identityOf(config),
    destination: isLocal(config.baseUrl) ? `${address} (this machine)` : address,
    limits: {
      requests: config.requests,
      bytes: config.megabytes * 1e6,
      open: config.open,
      pollSeconds: config.pollSeconds,
    },
    async line(id, question) {
      const body = await chatBody(config, question, true)
      return JSON.stringify({ custom_id: id, method: "POST", url: "/v1/chat/completions", body })
    },
    upload: (lines, name, signal) =>
      call(signal, async (both) => {
        const file = await toFile(Buffer.from(lines), name, { type: "application/jsonl" })
        return checked(idSchema, await client.files.create({ file, purpose: "batch" }, { signal: both }), address).id
      }),
    create: (fileId, tag, signal) =>
      call(signal, async (both) => {
        const batch = await client.batches.create(
          {
            input_file_id: fileId,
            endpoint: "/v1/chat/completions",
            completion_window: "24h",
            metadata: { fourtier: tag },
          },
          { signal: both },
        )
        return checked(idSchema, batch, address).id
      }),
    find: (tag, signal) =>
      call(signal, async (both) => {
        for await (const batch of client.batches.list({ limit: 100 }, { signal: both })) {
          const { id, metadata } = checked(batchSchema, batch, address)
          if (metadata?.fourtier === tag) return id
        }
        return null
      }),
    poll: (batchId, signal) =>
      call(signal, async (both) => {
        const batch = checked(batchSchema, await client.batches.retrieve(batchId, { signal: both }), address)
        const files = [batch.output_file_id, batch.error_file_id].filter((file) => typeof file === "string")
        const errors = (batch.errors?.data ?? []).map(({ code, message }) => `${code ?? ""} ${message ?? ""}`.trim())
        const ended = ["completed", "expired", "cancelled"].includes(batch.status)
        return {
          state: ended ? "ended" : batch.status === "failed" ? "failed" : "running",
          detail: [batch.status, ...errors].join(": "),
          done: batch.request_counts?.completed ?? 0,
          total: batch.request_counts?.total ?? 0,
          files,
        }
      }),
    results: (fileId, signal) =>
      call(signal, async (both) => {
        const response = await client.files.content(fileId, { signal: both })
        const text = await response.text()
        return text
          .split("\n")
          .filter((line) => line.trim() !== "")
          .map((line) => readLine(line, address))
      }),
  }
}

function readLine(text: string, address: string): BatchResult {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ProviderError("retry", `${address} sent a damaged result file: ${text.slice(0, 80)}`, { cause: error })
  }
  const { custom_id: id, response, error } = checked(lineSchema, value, address)
  if (!response) return { id, outcome: new ProviderError("retry", error?.message ?? error?.code ?? "no answer") }
  const body = JSON.stringify(response.body)
  if (response.status_code < 200 || response.status_code > 299) {
    return { id, outcome: statusError(response.status_code, new Headers(), body, address) }
  }
  try {
    return { id, outcome: readCompletion(body, address) }
  } catch (thrown) {
    if (thrown instanceof ProviderError) return { id, outcome: thrown }
    throw thrown
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, address: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProviderError("retry", `${address} sent an unexpected reply: ${JSON.stringify(value)?.slice(0, 200)}`)
}
