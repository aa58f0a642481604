/**
 * A server that speaks OpenAI's protocol (chat completions, files, batches) and misbehaves on demand. An answer counts as
 * paid when it was delivered whole.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Rng } from "@fourtier/tensor"
import { z } from "zod"

export type Fault =
  | "429-after"
  | "429"
  | "500"
  | "503-html"
  | "slow-loris"
  | "truncated"
  | "wrong-type"
  | "reset"
  | "refusal"
  | "empty"

export interface ServerOptions {
  /** Share of requests that go wrong, and how. */
  faults?: { share: number; kinds: readonly Fault[] }
  /** Milliseconds before an answer. */
  latency?: number
  /** Requests at once; more are answered 429 without Retry-After. */
  atOnce?: number
  /** Requests per second (a token bucket that holds a second's worth); more are answered 429 with Retry-After. */
  perSecond?: number
  key?: string
  models?: readonly string[]
  /** What to answer; by default "a person doing <prompt> in <clip>". */
  answer?: (clip: string, prompt: string) => string
  /** Refuse response_format with 400. */
  noSchema?: boolean
  /** Answer this status to everything. */
  always?: { status: number; body: unknown }
  /** Share of batch lines that fail. */
  batchFaults?: number
  /** Polls until a batch is done. */
  polls?: number
  seed?: number
}

export interface TestServer {
  url: string
  /** Deliveries by "clip|prompt". */
  paid: Map<string, number>
  /** All requests for completions, failed ones too. */
  requests: number
  /** Requests that were within the limits, failed ones too. */
  admitted: number
  /** Sum of the seconds that admitted requests spent here. */
  busy: number
  /** Bodies of the last requests. */
  last: z.infer<typeof bodySchema> | null
  uploads: number
  batches: number
  options: ServerOptions
  close(): Promise<void>
}

const partSchema = z.object({ text: z.string().optional(), image_url: z.object({ url: z.string() }).optional() })
const bodySchema = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.union([z.string(), z.array(partSchema)]) })),
  response_format: z.unknown().optional(),
  max_tokens: z.number().optional(),
})
const batchLineSchema = z.object({ custom_id: z.string(), body: bodySchema })

export async function startServer(options: ServerOptions = {}, port = 0): Promise<TestServer> {
  const rng = new Rng(options.seed ?? 1)
  const files = new Map<string, string>()
  const batches = new Map<
    string,
    { id: string; input: string; polls: number; output?: string; errors?: string; metadata: unknown }
  >()
  let atOnce = 0
  let bucket = options.perSecond ?? 0
  let filled = performance.now()
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  const state: TestServer = {
    url: `http://127.0.0.1:${address.port}/v1`,
    paid: new Map(),
    requests: 0,
    admitted: 0,
    busy: 0,
    last: null,
    uploads: 0,
    batches: 0,
    options,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const path = (request.url ?? "").replace(/\?.*/, "")
    if (options.always) return json(response, options.always.status, options.always.body)
    if (options.key !== undefined && request.headers.authorization !== `Bearer ${options.key}`) {
      const message = `Incorrect API key provided: ${request.headers.authorization?.slice(7)}`
      return json(response, 401, { error: { message, code: "invalid_api_key" } })
    }
    if (path === "/v1/chat/completions") return chat(body, response)
    if (path === "/v1/files") return upload(body, response)
    if (path === "/v1/batches" && request.method === "POST") return create(body, response)
    if (path === "/v1/batches") {
      const data = [...batches.values()].map((batch) => describeBatch(batch))
      return json(response, 200, { object: "list", data, has_more: false })
    }
    const batch = batches.get(path.slice("/v1/batches/".length))
    if (batch) return poll(batch, response)
    const file = files.get(path.slice("/v1/files/".length).replace(/\/content$/, ""))
    if (file !== undefined) {
      response.writeHead(200, { "content-type": "application/octet-stream" })
      response.end(file)
      return
    }
    return json(response, 404, { error: { message: `no such thing: ${path}` } })
  }

  async function chat(bytes: Buffer, response: ServerResponse): Promise<void> {
    state.requests++
    atOnce++
    try {
      const body = bodySchema.parse(JSON.parse(bytes.toString("utf8")))
      state.last = body
      if (options.models && !options.models.includes(body.model)) {
        return json(response, 404, {
          error: { message: `The model ${body.model} does not exist`, code: "model_not_found" },
        })
      }
      if (options.noSchema && body.response_format !== undefined) {
        return json(response, 400, { error: { message: "response_format is not supported" } })
      }
      if (options.atOnce !== undefined && atOnce > options.atOnce) {
        return json(response, 429, { error: { message: "too many at once", code: "rate_limit_exceeded" } })
      }
      if (options.perSecond !== undefined) {
        const now = performance.now()
        bucket = Math.min(options.perSecond, bucket + ((now - filled) / 1000) * options.perSecond)
        filled = now
        if (bucket < 1) {
          const wait = Math.ceil(((1 - bucket) / options.perSecond) * 1000)
          response.setHeader("retry-after-ms", String(wait))
          response.setHeader("retry-after", String(Math.ceil(wait / 1000)))
          return json(response, 429, { error: { message: "too fast", code: "rate_limit_exceeded" } })
        }
        bucket--
      }
      state.admitted++
      const begin = performance.now()
      if (options.latency) await sleep(options.latency)
      const fault = options.faults && rng.next() < options.faults.share ? rng.pick(options.faults.kinds) : null
      await deliver(body, response, fault)
      state.busy += (performance.now() - begin) / 1000
    } finally {
      atOnce--
    }
  }

  async function deliver(
    body: z.infer<typeof bodySchema>,
    response: ServerResponse,
    fault: Fault | null,
  ): Promise<void> {
    const { clip, prompt } = asked(body)
    const text =
      fault === "refusal"
        ? "I'm sorry, but I can't assist with that."
        : fault === "empty"
          ? " "
          : answerTo(clip, prompt)
    const whole = JSON.stringify(completion(text))
    switch (fault) {
      case "429-after":
        response.setHeader("retry-after", "0.02")
        return json(response, 429, { error: { message: "slow down", code: "rate_limit_exceeded" } })
      case "429":
        return json(response, 429, { error: { message: "slow down", code: "rate_limit_exceeded" } })
      case "500":
        return json(response, 500, { error: { message: "The server had an error" } })
      case "503-html":
        response.writeHead(503, { "content-type": "text/html" })
        response.end("<html><body>Bad gateway</body></html>")
        return
      case "slow-loris":
        response.writeHead(200, { "content-type": "application/json", "content-length": String(whole.length) })
        response.write(whole.slice(0, 5))
        return
      case "truncated":
        response.writeHead(200, { "content-type": "application/json" })
        response.end(whole.slice(0, whole.length / 2))
        return
      case "wrong-type":
        response.writeHead(200, { "content-type": "text/html" })
        response.end("<html>welcome</html>")
        return
      case "reset":
        response.socket?.resetAndDestroy()
        return
      default:
        if (fault === null) pay(clip, prompt)
        return json(response, 200, completion(text))
    }
  }

  function pay(clip: string, prompt: string): void {
    const key = `${clip}|${prompt}`
    state.paid.set(key, (state.paid.get(key) ?? 0) + 1)
  }

  function answerTo(clip: string, prompt: string): string {
    if (options.answer) return options.answer(clip, prompt)
    const ids = [...prompt.matchAll(/^"(\w+)": (.*)$/gm)]
    if (ids.length > 0)
      return JSON.stringify(Object.fromEntries(ids.map(([, id, text]) => [id, `${clip}, seen for ${text}`])))
    return `The person in ${clip} is seen doing it: ${prompt}`
  }

  function upload(bytes: Buffer, response: ServerResponse): void {
    state.uploads++
    const id = `file-${state.uploads}`
    const text = bytes.toString("utf8")
    files.set(id, text.split("\r\n").find((part) => part.startsWith('{"custom_id"')) ?? "")
    json(response, 200, { id, object: "file" })
  }

  function create(bytes: Buffer, response: ServerResponse): void {
    const body = z
      .object({ input_file_id: z.string(), metadata: z.unknown() })
      .parse(JSON.parse(bytes.toString("utf8")))
    state.batches++
    const batch = { id: `batch-${state.batches}`, input: body.input_file_id, polls: 0, metadata: body.metadata }
    batches.set(batch.id, batch)
    json(response, 200, describeBatch(batch))
  }

  function poll(batch: NonNullable<ReturnType<typeof batches.get>>, response: ServerResponse): void {
    batch.polls++
    if (batch.polls >= (options.polls ?? 2) && batch.output === undefined) {
      const good: string[] = []
      const bad: string[] = []
      for (const line of (files.get(batch.input) ?? "").trim().split("\n")) {
        const { custom_id, body } = batchLineSchema.parse(JSON.parse(line))
        if (rng.next() < (options.batchFaults ?? 0)) {
          if (rng.next() < 0.3) continue
          bad.push(
            JSON.stringify({
              custom_id,
              response: { status_code: 500, body: { error: { message: "failed" } } },
              error: null,
            }),
          )
          continue
        }
        const { clip, prompt } = asked(body)
        pay(clip, prompt)
        const response = { status_code: 200, body: completion(answerTo(clip, prompt)) }
        good.push(JSON.stringify({ custom_id, response, error: null }))
      }
      batch.output = `${batch.id}-output`
      batch.errors = `${batch.id}-errors`
      files.set(batch.output, good.reverse().join("\n"))
      files.set(batch.errors, bad.join("\n"))
    }
    json(response, 200, describeBatch(batch))
  }

  return state
}

function describeBatch(batch: { id: string; output?: string; errors?: string; metadata: unknown }) {
  return {
    id: batch.id,
    object: "batch",
    status: batch.output === undefined ? "in_progress" : "completed",
    output_file_id: batch.output ?? null,
    error_file_id: batch.errors ?? null,
    metadata: batch.metadata,
  }
}

function completion(text: string) {
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: text } }],
    usage: { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050 },
  }
}

/** Which clip (written into the image after its 15-byte header) and which prompt. */
function asked(body: z.infer<typeof bodySchema>): { clip: string; prompt: string } {
  const content = body.messages.at(-1)?.content ?? ""
  const parts = typeof content === "string" ? [{ text: content }] : content
  const url = parts.find((part) => "image_url" in part && part.image_url)
  const data = url && "image_url" in url ? (url.image_url?.url.split(",")[1] ?? "") : ""
  return {
    clip: Buffer.from(data, "base64").subarray(15).toString("utf8"),
    prompt: parts.map((part) => part.text ?? "").join(""),
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(body))
}
