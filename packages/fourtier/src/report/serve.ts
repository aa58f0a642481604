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
import { join } from "node:path"
import { messageOf } from "@fourtier/tensor"
import { Hono } from "hono"
import { type SSEStreamingApi, streamSSE } from "hono/streaming"
import { askedAs, LOOPBACK, listen, namesOf, ownHeaders } from "../util/serving.ts"
import { pageData, pageOf } from "./page.ts"

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
  const listeners = new Set<SSEStreamingApi>()
  const app = new Hono()
  app.use(ownHeaders(), askedAs(namesOf(LOOPBACK)))
  app.get("/", async (context) => context.html(await pageOf(await pageData(runs, true))))
  app.get("/data.json", async (context) => context.json(await pageData(runs, true)))
  app.get("/events", (context) =>
    streamSSE(context, async (stream) => {
      await stream.write(": hello\n\n")
      listeners.add(stream)
      await new Promise<void>((resolve) => stream.onAbort(resolve))
      listeners.delete(stream)
    }),
  )
  app.on(["GET", "HEAD"], "*", (context) => context.text("there is / and nothing else", 404))
  app.all("*", (context) => context.text("only GET", 405))
  // a file that is just being written may be gone for a moment: the page asks again
  app.onError((error, context) => context.text(messageOf(error), 500))

  const server = await listen(app, { port })
  let stamp = stampOf(runs)
  const timer = setInterval(() => {
    const now = stampOf(runs)
    for (const listener of listeners) void listener.write(now === stamp ? ": still here\n\n" : "data: changed\n\n")
    stamp = now
  }, every)
  return {
    address: server.address,
    async close() {
      clearInterval(timer)
      await server.close()
    },
  }
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
