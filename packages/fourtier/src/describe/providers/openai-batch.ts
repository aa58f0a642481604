/** OpenAI's Batch API (https://platform.openai.com/docs/guides/batch): half the price, answers within a day. */

import { toFile } from "openai"
import { z } from "zod"
import { type BatchProvider, type BatchResult, ProviderError } from "../provider.ts"
import { accountError, hiddenError, statusError } from "./http-errors.ts"
import type { OpenaiBatchSettings } from "./openai-batch-settings.ts"
import { callChat, chatBody, fieldsOf, identityOf, openChat, readCompletion } from "./openai-chat.ts"
import { withoutSecrets } from "./secret.ts"

const idSchema = z.object({ id: z.string() })

/** Gateways fill what they do not have with null, "" or something else of another kind: all of that is nothing. */
const text = z.string().nullable().catch(null)
const id = text.transform((value) => value || null)
const failure = z.union([
  z
    .object({
      code: z
        .union([z.string(), z.number().transform(String)])
        .nullable()
        .catch(null),
      message: text,
    })
    .partial(),
  z.string().transform((message) => ({ code: null, message })),
])

const batchSchema = z.object({
  id: z.string(),
  status: z.string(),
  output_file_id: id.optional(),
  error_file_id: id.optional(),
  request_counts: z
    .object({ total: z.number().catch(0), completed: z.number().catch(0) })
    .nullable()
    .catch(null),
  errors: z
    .object({ data: z.array(failure).nullable().catch(null) })
    .nullable()
    .catch(null),
  metadata: z.record(z.string(), z.unknown()).nullable().catch(null),
})

const lineSchema = z.object({
  custom_id: z.string(),
  response: z
    .object({ status_code: z.coerce.number().catch(200), body: z.unknown().optional() })
    .nullable()
    .catch(null),
  error: failure.nullable().catch(null),
})

/** Seconds for one call, be it an upload of many megabytes. */
const CALL_TIMEOUT = 600

interface Sent {
  fields: ReadonlySet<string>
  without: readonly string[]
}

/** Opens provider `openai-batch`. */
export function openOpenaiBatch(config: OpenaiBatchSettings): BatchProvider {
  const chat = openChat(config)
  const { client, key, adaptations } = chat
  const { plain: address, destination, local, secrets } = chat.address
  /** Of the requests in the batches that are open: what they held, and what they were without. */
  let sent: Sent = { fields: new Set(sentFields(config)), without: [] }
  const call = <T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) =>
    callChat(chat, CALL_TIMEOUT, signal, work)
  return {
    mode: "batch",
    kind: "openai-batch",
    model: config.model,
    settings: identityOf(config),
    destination,
    local,
    limits: {
      requests: config.requests,
      bytes: config.megabytes * 1e6,
      open: config.open,
      pollSeconds: config.pollSeconds,
    },
    async line(id, question) {
      const body = await chatBody(config, question, adaptations)
      sent = { fields: fieldsOf(body), without: adaptations.names() }
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
        const files = [batch.output_file_id, batch.error_file_id].filter((file) => file !== null && file !== undefined)
        const errors = (batch.errors?.data ?? []).map(({ code, message }) => `${code ?? ""} ${message ?? ""}`.trim())
        return {
          state: stateOf(batch.status, files.length),
          detail: [batch.status, ...errors].join(": "),
          done: batch.request_counts?.completed ?? 0,
          total: batch.request_counts?.total ?? 0,
          files,
          stop: accountError(errors.join("; "), `${address} refused a batch`),
        }
      }),
    results: (fileId, signal) =>
      call(signal, async (both) => {
        const response = await client.files.content(fileId, { signal: both })
        const text = await response.text()
        return linesOf(text)
          .map((line) => readLine(line, address))
          .map(({ id, outcome }) => {
            if (!(outcome instanceof ProviderError)) {
              return { id, outcome: sent.without.length > 0 ? { ...outcome, adapted: sent.without } : outcome }
            }
            const plain = withoutSecrets(outcome, key, ...secrets)
            return { id, outcome: adaptations.adapt(plain, sent.fields, sent.without) }
          })
      }),
  }
}

/** What a batch of an earlier run held, whose lines were not made here. */
function sentFields({ maxTokensField }: OpenaiBatchSettings): string[] {
  const limits = maxTokensField === "auto" ? ["max_tokens", "max_completion_tokens"] : [maxTokensField]
  return [...limits, "temperature", "system", "seed", "detail"]
}

/** States by the words of OpenAI and of gateways that have their own. A batch that failed after some answers has ended. */
function stateOf(status: string, files: number): "running" | "ended" | "failed" {
  const word = status.toLowerCase().replaceAll(/[^a-z]/g, "")
  if (/^(?:completed?|succeeded|success|ended|done|finished|expired|cancell?ed)$/.test(word)) return "ended"
  if (!/^(?:failed|failure|errored|error|rejected)$/.test(word)) return "running"
  return files > 0 ? "ended" : "failed"
}

/** The results of a file as lines of JSON; some gateways send one array instead. */
function linesOf(text: string): string[] {
  const array = text.trimStart().startsWith("[") ? z.array(z.unknown()).safeParse(parsed(text)) : null
  if (array?.success) return array.data.map((result) => JSON.stringify(result))
  return text.split("\n").filter((line) => line.trim() !== "")
}

/** A line that cannot be read has the id "": its question counts as not answered. */
function readLine(line: string, address: string): BatchResult {
  const read = z.string().transform(parsed).pipe(lineSchema).safeParse(line)
  if (!read.success) {
    return { id: "", outcome: new ProviderError("retry", `${address} sent a damaged result: ${line.slice(0, 80)}`) }
  }
  const { custom_id: id, response, error } = read.data
  const none = new Headers()
  if (!response) {
    const hidden = error && hiddenError({ error }, none, address)
    return { id, outcome: hidden ?? new ProviderError("retry", `${address} has no answer to it`) }
  }
  const body = typeof response.body === "string" ? response.body : JSON.stringify(response.body ?? null)
  if (response.status_code < 200 || response.status_code > 299) {
    return { id, outcome: statusError(response.status_code, none, body, address) }
  }
  try {
    return { id, outcome: readCompletion(body, none, address) }
  } catch (thrown) {
    if (thrown instanceof ProviderError) return { id, outcome: thrown }
    throw thrown
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, address: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProviderError("retry", `${address} sent an unexpected reply: ${JSON.stringify(value)?.slice(0, 200)}`)
}
