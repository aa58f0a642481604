/** `fourtier studio`: serves the page until it is stopped. */

import { serveStudio } from "../../studio/index.ts"
import { LOOPBACK } from "../../util/serving.ts"
import { interruptible } from "../interrupt.ts"
import { runFolder } from "./folders.ts"
import { readConfig } from "./read-config.ts"

export interface StudioCommandOptions {
  out?: string
  port: number
  host?: string
  /** Gigabytes, powers of two. */
  maxUpload: number
}

/** @throws FourtierError where the data cannot be read, another studio uses it, or the port is taken */
export async function runStudio(data: string, options: StudioCommandOptions): Promise<void> {
  const { port, host, maxUpload } = options
  const { value: config, print } = await readConfig(options)
  const out = options.out ?? runFolder(data)
  const longest = Math.round(maxUpload * 2 ** 30)
  await interruptible((signal) =>
    serveStudio({ data, out, config, print, port, host, longest }, async ({ opens }) => {
      process.stdout.write(`${opens}\nstop with Ctrl+C\n`)
      if (host !== undefined && host !== LOOPBACK) process.stderr.write(opened(host, data))
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
    }),
  )
}

/** What `--host` opens. */
function opened(host: string, data: string): string {
  return `
--host ${host}: every machine that reaches this address can ask. Whoever has
the token sees the clips of ${data}, changes labels, uploads files
and starts training. Nothing is encrypted on the way: use it in a network
that you trust, or through ssh -L.
`
}
