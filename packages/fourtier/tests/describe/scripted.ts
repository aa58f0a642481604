/** A server that answers what a test says, request by request. */

import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach } from "vitest"
import { z } from "zod"

export interface Scripted {
  status?: number
  headers?: Record<string, string>
  /** A text as it is, anything else as JSON. */
  body: unknown
  /** Milliseconds before the answer. */
  after?: number
}

export interface Received {
  path: string
  method: string
  headers: IncomingMessage["headers"]
  text: string
  /** The parsed body of a chat completion; {} for anything else. */
  body: Record<string, unknown>
}

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Listens on a free port; closed after the test. */
export async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return address.port
}

/** @returns the server's base URL, and what it has received */
export async function scripted(
  reply: (request: Received, count: number) => Scripted,
): Promise<{ url: string; port: number; received: Received[] }> {
  const received: Received[] = []
  const port = await listen(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString("utf8")
    const one = {
      path: request.url ?? "",
      method: request.method ?? "",
      headers: request.headers,
      text,
      body: z.string().transform(parsed).pipe(z.record(z.string(), z.unknown())).catch({}).parse(text),
    }
    received.push(one)
    const { status = 200, headers = {}, body, after = 0 } = reply(one, received.length)
    if (after > 0) await sleep(after)
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(typeof body === "string" ? body : JSON.stringify(body))
  })
  return { url: `http://127.0.0.1:${port}/v1`, port, received }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

/** A chat completion. */
export function completion(content: unknown = "a hug", more: Record<string, unknown> = {}): Record<string, unknown> {
  const { finish_reason = "stop", usage = { prompt_tokens: 1000, completion_tokens: 50 }, ...message } = more
  return { choices: [{ index: 0, finish_reason, message: { role: "assistant", content, ...message } }], usage }
}
