/** `fourtier report`: writes the page, or serves it. */

import { join } from "node:path"
import { formatBytes } from "@fourtier/core"
import { writePage } from "../../report/page.ts"
import { serveReport } from "../../report/serve.ts"
import { interruptible } from "../interrupt.ts"

export interface ReportOptions {
  out?: string
  serve?: boolean
  port: number
}

/** @throws FourtierError where a folder is not that of a run, or the port is taken */
export async function makeReport(runs: readonly string[], { out, serve, port }: ReportOptions): Promise<void> {
  if (serve) {
    await interruptible(async (signal) => {
      const server = await serveReport(runs, { port })
      process.stdout.write(`${server.address}\nstop with Ctrl+C\n`)
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
      await server.close()
    })
    return
  }
  const { path, bytes } = await writePage(
    runs,
    out ?? (runs.length === 1 ? join(runs[0], "report.html") : "report.html"),
  )
  process.stdout.write(`report: ${path} (${formatBytes(bytes)})\n`)
}
