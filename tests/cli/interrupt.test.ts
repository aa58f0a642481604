// Protects: Ctrl-C ends every kind of work within about two seconds, its child processes with it; answers that are paid for are
// waited for; what has been computed is stored.
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { isRunning } from "@fourtier/core/node"
import { afterAll, describe, expect, it } from "vitest"
import { built, DIST } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-interrupt-"))
afterAll(() => rmSync(folder, { recursive: true }))

const core = import.meta.resolve("@fourtier/core/node").replace("/src/", "/dist/").replace(/\.ts$/, ".js")
const dist = (file: string) => pathToFileURL(join(DIST, file)).href

/** A worker whose job blocks its thread for a minute, as native code does; it leaves its process number. */
const worker = join(folder, "busy.worker.mjs")
writeFileSync(
  worker,
  `import { writeFileSync } from "node:fs"
import { serveJobs } from ${JSON.stringify(core)}
serveJobs({ parse: (x) => x }, (path) => {
  writeFileSync(path, String(process.pid))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
  return { value: 0 }
})
`,
)

/** Runs `work` in a program, sends that SIGINT once it has made `file`. */
async function interrupted(name: string, work: string) {
  const program = join(folder, `${name}.mjs`)
  const file = join(folder, `${name}.begun`)
  writeFileSync(
    program,
    `import { writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { runJobs } from ${JSON.stringify(core)}
import { interruptible } from ${JSON.stringify(dist("cli/interrupt.js"))}
import { askPatience } from ${JSON.stringify(dist("util/patience.js"))}
const file = ${JSON.stringify(file)}
const worker = pathToFileURL(${JSON.stringify(worker)})
const schema = { safeParse: (data) => ({ success: true, data }) }
await interruptible(async (signal) => {
  ${work}
}).catch((error) => {
  if (error.name !== "AbortError") throw error
  process.stderr.write("cleaned up\\n")
  process.exitCode = 130
})
`,
  )
  const child = spawn(process.execPath, [program])
  let err = ""
  child.stderr.on("data", (data) => {
    err += data
  })
  while (!existsSync(file) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20))
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  )
  const begun = performance.now()
  child.kill("SIGINT")
  const { code, signal } = await ended
  return { code: code ?? (signal === "SIGINT" ? 130 : signal), seconds: (performance.now() - begun) / 1000, err, file }
}

describe.skipIf(!built)("an interrupt", () => {
  it("ends work that never looks at the signal", async () => {
    const { code, seconds, err } = await interrupted(
      "deaf",
      `writeFileSync(file, ""); await new Promise((resolve) => setTimeout(resolve, 60_000))`,
    )
    expect(err).toContain("stopped; run the same command again to resume")
    expect(code).toBe(130)
    expect(seconds).toBeLessThan(3.5)
  })

  it("does not wait for a thread inside a long job, and lets the work clean up first", async () => {
    const { code, seconds, err } = await interrupted(
      "threads",
      "for await (const _ of runJobs(worker, [file], schema, { signal, workers: 1 }));",
    )
    expect(err).toContain("cleaned up")
    expect(code).toBe(130)
    expect(seconds).toBeLessThan(3.5)
  })

  it("ends child processes inside a long job", async () => {
    const { code, seconds, err, file } = await interrupted(
      "processes",
      "for await (const _ of runJobs(worker, [file], schema, { signal, workers: 1, processes: true }));",
    )
    expect(err).toContain("cleaned up")
    expect(code).toBe(130)
    expect(seconds).toBeLessThan(3.5)
    expect(isRunning(Number(readFileSync(file, "utf8")))).toBe(false)
  })

  it("waits for what is paid for, as long as that asked for", async () => {
    const { code, seconds, err } = await interrupted(
      "paid",
      `const alive = setInterval(() => undefined, 1000)
  writeFileSync(file, "")
  await new Promise((resolve) => signal.addEventListener("abort", resolve))
  const over = askPatience(30_000)
  await new Promise((resolve) => setTimeout(resolve, 2500))
  over()
  clearInterval(alive)
  process.stderr.write("answers stored\\n")
  signal.throwIfAborted()`,
    )
    expect(err).toContain("answers stored")
    expect(code).toBe(130)
    expect(seconds).toBeGreaterThan(2.4)
  })
})
