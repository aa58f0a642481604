/** A studio for tests, and requests to it as a page, or somebody else, would make them. */

import { mkdirSync, writeFileSync } from "node:fs"
import { type IncomingHttpHeaders, request } from "node:http"
import { join } from "node:path"
import { loadConfig } from "../../src/config.ts"
import { type StudioServer, serveStudio } from "../../src/studio/index.ts"

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

export interface Ask {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
}

/** One request with exactly these headers: what `fetch` forbids to set is set as well. */
export function ask(address: string, path: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Reply> {
  const { hostname, port } = new URL(address)
  const framed = body === undefined || "transfer-encoding" in headers
  const all = framed ? headers : { "content-length": String(Buffer.byteLength(body)), ...headers }
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: all, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on("data", (part: Buffer) => parts.push(part))
      response.on("error", reject)
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(parts).toString("latin1"),
        })
      })
    })
    sent.on("error", reject)
    sent.end(body)
  })
}

/** Requests with the token. */
export function asker({ address, token }: Pick<StudioServer, "address" | "token">) {
  const own = { authorization: `Bearer ${token}` }
  const json = async (path: string, method: string, value: unknown) => {
    const headers = { ...own, "content-type": "application/json" }
    const reply = await fetch(new URL(path, address), { method, headers, body: JSON.stringify(value) })
    return { status: reply.status, value: await reply.json() }
  }
  return {
    own,
    get: async (path: string) => {
      const reply = await fetch(new URL(path, address), { headers: own })
      return { status: reply.status, value: await reply.json() }
    },
    send: json,
    upload: async (name: string, label: string | null, bytes: Uint8Array) => {
      const query = new URLSearchParams({ name, ...(label === null ? {} : { label }) })
      const reply = await fetch(new URL(`/api/clips?${query}`, address), { method: "POST", headers: own, body: bytes })
      return { status: reply.status, value: await reply.json() }
    },
  }
}

/** Serves the studio of a folder while the tests go on. @returns also what ends it */
export async function studioOf(root: string, data: string, longest?: number, set: readonly string[] = []) {
  const page = join(root, "page")
  mkdirSync(join(page, "assets"), { recursive: true })
  writeFileSync(join(page, "index.html"), "<!doctype html><html><head><title>studio</title></head><body></body></html>")
  writeFileSync(join(page, "assets/app.js"), "export const page = true\n")
  const { value: config, print } = await loadConfig({ set: [`cache=${JSON.stringify(join(root, "cache"))}`, ...set] })
  const options = { data, out: join(root, "run"), config, print, page, longest }
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  let done: Promise<void> = Promise.resolve()
  const server = await new Promise<StudioServer>((resolve, reject) => {
    done = serveStudio(options, (serving) => {
      resolve(serving)
      return ended
    })
    done.catch(reject)
  })
  return {
    server,
    async close() {
      end()
      await done
    },
  }
}

/** Waits until something holds, for twenty seconds at most. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error("it did not come about")
}
