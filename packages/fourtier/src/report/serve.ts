/**
 * Shows reports in a browser while runs are training: a server on the loopback address alone, which answers requests that name it and
 * tells the page when a file of a run has changed.
 *
 * ```
 * GET /            the page
 * GET /data.json   what it draws
 * GET /events      server-sent events: one whenever that has changed
 * ```
 */

import { existsSync, readdirSync, statSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { join } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { pageData, pageOf } from "./page.ts"

const LOOPBACK = "127.0.0.1"

export interface ServeOptions {
  /** 0: any that is free. */
  port?: number
  /** Milliseconds between two looks at the files. */
  every?: number
}

export interface ReportServer {
  /** For example `http://127.0.0.1:40123/`. */
  address: string
  close(): Promise<void>
}

/**
 * Serves the page of these runs until it is closed.
 * @throws FourtierError where a folder is not that of a run, or the port is taken
 *
 * @example
 * ```ts
 * import { serveReport } from "fourtier/report"
 *
 * const server = await serveReport(["runs/mine"])
 * console.log(server.address)
 * await server.close()
 * ```
 */
export async function serveReport(runs: readonly string[], options: ServeOptions = {}): Promise<ReportServer> {
  const { port = 0, every = 2000 } = options
  await pageData(runs, true) // a folder that is none is told before anything listens
  const listeners = new Set<ServerResponse>()
  let stamp = stampOf(runs)
  const timer = setInterval(() => {
    const now = stampOf(runs)
    for (const listener of listeners) listener.write(now === stamp ? ": still here\n\n" : "data: changed\n\n")
    stamp = now
  }, every)
  const server = createServer((request, response) => {
    void answer(request, response)
  })
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      // a page elsewhere that has a name resolved to this address asks under that name
      if (!isOurs(request.headers.host)) return reply(response, 403, "text/plain", "ask for 127.0.0.1 or localhost")
      if (request.method !== "GET") return reply(response, 405, "text/plain", "only GET")
      const path = (request.url ?? "").split("?")[0]
      if (path === "/") return reply(response, 200, "text/html", await pageOf(await pageData(runs, true)))
      if (path === "/data.json")
        return reply(response, 200, "application/json", JSON.stringify(await pageData(runs, true)))
      if (path !== "/events") return reply(response, 404, "text/plain", "there is / and nothing else")
      response.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream" })
      response.write(": hello\n\n")
      listeners.add(response)
      request.on("close", () => listeners.delete(response))
    } catch (error) {
      // a file that is just being written may be gone for a moment: the page asks again
      reply(response, 500, "text/plain", messageOf(error))
    }
  }
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(port, LOOPBACK, resolve)
    })
  } catch (error) {
    clearInterval(timer)
    throw new FourtierError({
      where: "--port",
      what: "cannot listen there",
      found: messageOf(error),
      fix: "choose another port, or 0 for any",
    })
  }
  const bound = server.address()
  const number = typeof bound === "object" && bound !== null ? bound.port : port
  return {
    address: `http://${LOOPBACK}:${number}/`,
    async close() {
      clearInterval(timer)
      for (const listener of listeners) listener.end()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

const HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY",
}

function isOurs(host: string | undefined): boolean {
  const name = host?.replace(/:\d+$/, "")
  return name === LOOPBACK || name === "localhost"
}

function reply(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent) {
    response.end()
    return
  }
  response.writeHead(status, { ...HEADERS, "Content-Type": `${type}; charset=utf-8` })
  response.end(body)
}

/** Sizes and times of everything that a page is made from. */
function stampOf(runs: readonly string[]): string {
  return runs
    .flatMap((run) => {
      const trials = join(run, "trials")
      const journals = existsSync(trials)
        ? readdirSync(trials, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith("metrics.jsonl"))
        : []
      return [...journals.map((file) => join(trials, file)), ...WATCHED.map((name) => join(run, name))]
    })
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found ? `${found.size} ${found.mtimeMs}` : ""
    })
    .join("|")
}

const WATCHED = ["results.json", "report/about.json", "report/inspection.json", "report/times.json", "suggestions.csv"]
