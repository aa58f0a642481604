/** Batches lose and pay nothing twice when a run is interrupted at any point, or when some of their lines fail. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, it, describe as suite } from "vitest"
import { z } from "zod"
import { describe } from "../../src/describe/describe.ts"
import type { DescribeOptions } from "../../src/describe/options.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { clips, scratch, strips } from "./fixtures.ts"
import { startServer, type TestServer } from "./server.ts"

const folder = scratch()
let server: TestServer
let caches = 0

afterEach(() => server.close())

async function options(count: number, more: Partial<DescribeOptions> = {}, config = {}): Promise<DescribeOptions> {
  const provider = await openProvider({
    kind: "openai-batch",
    model: "gpt-4o",
    baseUrl: server.url,
    pollSeconds: 0.05,
    requests: 150,
    ...config,
  })
  const cachePath = join(folder, `batch-${caches++}.jsonl`)
  return { clips: clips(count), prompts: resolvePrompts("paper"), strips, provider, cachePath, ...more }
}

function paidOnce(count: number): void {
  expect(server.paid.size).toBe(count)
  expect([...server.paid.values()].filter((times) => times !== 1)).toEqual([])
}

/** Runs until `stop` says so, then interrupts. */
async function interrupted(run: DescribeOptions, stop: () => boolean): Promise<void> {
  const abort = new AbortController()
  const failure = expect(describe({ ...run, signal: abort.signal })).rejects.toThrow("stopped")
  while (!stop()) await sleep(2)
  abort.abort(new Error("stopped"))
  await failure
}

suite("batches", () => {
  it("survives a restart between upload and download, and 5 % failed lines", async () => {
    server = await startServer({ batchFaults: 0.05, polls: 4 })
    const run = await options(100)
    await interrupted(run, () => server.batches === 3)
    expect(server.paid.size).toBeLessThan(400)
    const report = await describe(run)
    expect([report.failed, report.flagged]).toEqual([[], []])
    expect([...report.answers.values()].every((texts) => Object.keys(texts).length === 4)).toBe(true)
    paidOnce(400)
    expect(readdirSync(`${run.cachePath}.batches`)).toEqual([])
  })

  it("spends a budget on answers alone: neither what was estimated nor a failed line counts", async () => {
    server = await startServer({ batchFaults: 0.1 })
    const cost = (20 * (1000 * 2.5 + 50 * 10)) / 1e6 / 2
    const run = await options(5, { budget: cost * 1.02 }, { requests: 5, open: 1 })
    const report = await describe(run)
    expect([report.ended, report.failed, report.requests]).toEqual([null, [], 20])
    expect(report.spent).toBeCloseTo(cost, 9)
  })

  it("costs half", async () => {
    server = await startServer({})
    const report = await describe(await options(5))
    expect(report.spent).toBeCloseTo((20 * (1000 * 2.5 + 50 * 10)) / 1e6 / 2, 9)
  })

  it("finds a batch again that was created when the process died, and creates one from an uploaded file", async () => {
    server = await startServer({ polls: 100 })
    const run = await options(20)
    await interrupted(run, () => server.batches === 1)
    const states = `${run.cachePath}.batches`
    const [name] = readdirSync(states)
    const file = join(states, name)
    const state = z.looseObject({ fileId: z.string() }).parse(JSON.parse(readFileSync(file, "utf8")))
    writeFileSync(file, JSON.stringify({ ...state, batchId: null }))
    server.options.polls = 1
    await describe(run)
    paidOnce(80)
    expect([server.uploads, server.batches]).toEqual([1, 1])
  })

  it("leaves batches of other prompts alone", async () => {
    server = await startServer({ polls: 100 })
    const run = await options(10)
    await interrupted(run, () => server.batches === 1)
    server.options.polls = 1
    await describe({ ...run, prompts: resolvePrompts("motion") })
    expect(readdirSync(`${run.cachePath}.batches`)).toHaveLength(1)
    const report = await describe(run)
    expect(report.answers.size).toBe(10)
    paidOnce(80)
  })

  it("stops with the server's reason when a batch is refused", async () => {
    server = await startServer({ always: { status: 400, body: { error: { message: "file is too large" } } } })
    await expect(describe(await options(2))).rejects.toThrow(/file is too large/)
  })
})
