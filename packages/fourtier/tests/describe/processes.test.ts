/**
 * Several processes on one cache, some of them killed: no answer is lost, and none is paid for twice but those in progress.
 * The processes run the compiled code (`npm run build`).
 */

import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, it, describe as suite } from "vitest"
import { z } from "zod"
import { DescriptionCache } from "../../src/describe/cache.ts"
import { scratch } from "./fixtures.ts"
import { startServer, type TestServer } from "./server.ts"

const folder = scratch()
const built = existsSync(join(import.meta.dirname, "../../dist/describe/providers/openai.js"))
const resultSchema = z.object({ answers: z.number(), requests: z.number(), cached: z.number() })
const children: ChildProcess[] = []
let server: TestServer

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  await server.close()
})

function start(cache: string, clips: number, concurrency = 8) {
  const script = join(import.meta.dirname, "child.mjs")
  const child = spawn(process.execPath, [script, server.url, cache, String(clips), String(concurrency)])
  children.push(child)
  let [out, errors] = ["", ""]
  child.stdout.on("data", (chunk) => {
    out += chunk
  })
  child.stderr.on("data", (chunk) => {
    errors += chunk
  })
  const result = new Promise<z.infer<typeof resultSchema>>((resolve, reject) => {
    child.on("close", (code) => {
      if (code === 0) resolve(resultSchema.parse(JSON.parse(out)))
      else reject(new Error(`exit ${code}: ${errors}`))
    })
  })
  result.catch(() => {})
  return { child, result }
}

/** Waits for a condition; a process that ends before with an error ends the wait with it. */
async function until(condition: () => boolean, result: Promise<unknown>): Promise<void> {
  let failure: unknown
  result.catch((error: unknown) => {
    failure = error
  })
  while (!condition()) {
    if (failure !== undefined) throw failure
    await sleep(5)
  }
}

suite.skipIf(!built)("several processes", () => {
  it("loses no answer to kill -9, and pays again at most for what was in progress", async () => {
    server = await startServer({ latency: 10 })
    const cache = join(folder, "killed.jsonl")
    for (const stop of [40, 90]) {
      const { child, result } = start(cache, 40)
      await until(() => server.paid.size >= stop, result)
      child.kill("SIGKILL")
      await new Promise((resolve) => child.on("close", resolve))
    }
    const kept = new DescriptionCache(cache)
    expect(kept.size).toBeGreaterThanOrEqual(server.paid.size - 8)
    expect(kept.damaged).toBe(0)
    kept.close()
    const { answers } = await start(cache, 40).result
    expect([answers, server.paid.size]).toEqual([160, 160])
    const again = [...server.paid.values()].reduce((sum, times) => sum + times - 1, 0)
    expect(again).toBeLessThanOrEqual(2 * 8)
  })

  it("pays each answer once when three work at the same time", async () => {
    server = await startServer({ latency: 10 })
    const cache = join(folder, "shared.jsonl")
    const results = await Promise.all([
      start(cache, 25, 4).result,
      start(cache, 25, 4).result,
      start(cache, 25, 4).result,
    ])
    expect(results.map(({ answers }) => answers)).toEqual([100, 100, 100])
    expect(results.reduce((sum, { requests }) => sum + requests, 0)).toBe(100)
    expect([...server.paid.values()].every((times) => times === 1)).toBe(true)
    expect(
      readFileSync(cache, "utf8")
        .trim()
        .split("\n")
        .filter((line) => line.startsWith('{"key"')),
    ).toHaveLength(100)
    expect(readdirSync(`${cache}.lock`).filter((name) => name.startsWith("owner"))).toEqual([])
  })

  it("takes over from a process that dies", async () => {
    server = await startServer({ latency: 10 })
    const cache = join(folder, "heir.jsonl")
    const [first, second] = [start(cache, 30, 6), start(cache, 30, 6)]
    await until(() => server.paid.size >= 30, second.result)
    first.child.kill("SIGKILL")
    expect((await second.result).answers).toBe(120)
    const again = [...server.paid.values()].reduce((sum, times) => sum + times - 1, 0)
    expect(again).toBeLessThanOrEqual(6)
  })
})
