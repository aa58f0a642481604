/**
 * Workers that share the asking: each answer is paid once, budget and limit hold for all of them together, and so does the number of
 * requests at once; what one answered, all know.
 */

import { readdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { expect, it, describe as suite } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import type { DescribeOptions } from "../../src/describe/options.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { type LiveProvider, ProviderError, type Question } from "../../src/describe/provider.ts"
import { readJobs } from "../../src/shards/status.ts"
import { clips, scratch, strips } from "./fixtures.ts"

const folder = scratch()

/** A model that takes a moment and a tenth of a cent a question, and counts. */
function model(max = 4, refuse: (question: Question) => void = () => undefined) {
  const asked = new Map<string, number>()
  const at = { once: 0, most: 0 }
  const provider: LiveProvider = {
    mode: "live",
    kind: "test",
    model: "test",
    settings: {},
    destination: "a server",
    usesStrip: true,
    concurrency: { initial: max, max },
    async ask(question) {
      const { clip, prompts } = question
      at.most = Math.max(at.most, ++at.once)
      await sleep(4)
      at.once--
      refuse(question)
      const name = `${clip.id} ${prompts[0].id}`
      asked.set(name, (asked.get(name) ?? 0) + 1)
      return {
        text: `A person does what prompt ${prompts[0].id} asks`,
        inputTokens: 0,
        outputTokens: 1000,
        finish: "stop",
      }
    },
  }
  return { provider, asked, at, requests: () => [...asked.values()].reduce((sum, times) => sum + times, 0) }
}

const prices = { test: { input: 0, output: 1, image: { rule: "fixed" as const, tokens: 0 } } }

function options(name: string, provider: LiveProvider, more: Partial<DescribeOptions> = {}): DescribeOptions {
  const timing = { heartbeat: 20, patience: 1000, now: () => performance.now() }
  return {
    ...{
      clips: clips(30),
      prompts: resolvePrompts("paper"),
      provider,
      strips,
      prices,
      mayDescribe: () => true,
      backoff: 1,
    },
    cachePath: join(folder, name, "descriptions.jsonl"),
    division: { shard: null, steal: true, work: join(folder, name, "work"), blockSize: 3, timing },
    ...more,
  }
}

suite("workers that share the asking", () => {
  it("pay each answer once, and all know all of them at the end", async () => {
    const { provider, asked } = model()
    const workers = [0, 1, 2].map(() => describe(options("once", provider)))
    const reports = await Promise.all(workers)
    expect([asked.size, [...asked.values()].every((times) => times === 1)]).toEqual([120, true])
    expect(reports.map(({ good }) => good)).toEqual([120, 120, 120])
    expect(reports.reduce((sum, { requests }) => sum + requests, 0)).toBe(120)
    expect(readdirSync(join(folder, "once", "descriptions.jsonl.parts"))).toHaveLength(3)
    const [{ state, done, items }] = await readJobs(join(folder, "once"))
    expect([state, done, items]).toEqual(["complete", 30, 30])
    // nothing is asked again, by a worker or by a run of its own
    const { division: _, ...alone } = options("once", provider)
    expect((await describe(alone)).good).toBe(120)
    expect((await describe(options("once", provider))).requests).toBe(0)
    expect(asked.size).toBe(120)
  })

  it("never have more requests in progress than the provider allows one", async () => {
    const { provider, at } = model(4)
    await Promise.all([0, 1].map(() => describe(options("at once", provider))))
    expect(at.most).toBeLessThanOrEqual(4 + 2) // what was in progress before the second had been seen
  })

  it("keep one budget, over restarts too", async () => {
    const { provider, requests } = model()
    const run = (budget: number) => Promise.all([0, 1].map(() => describe(options("budget", provider, { budget }))))
    const ended = await run(0.05)
    expect(ended.map(({ ended }) => ended)).toContain("budget")
    expect(requests()).toBe(50)
    await run(0.05)
    expect(requests()).toBe(50)
    await run(0.08)
    expect(requests()).toBe(80)
    const done = await run(1)
    expect([requests(), done[0].good]).toEqual([120, 120])
  })

  it("keep one limit on requests", async () => {
    const { provider, requests } = model()
    await Promise.all([0, 1, 2].map(() => describe(options("limit", provider, { limit: 40 }))))
    expect(requests()).toBe(40)
  })

  it("tell what could not be asked, and ask it again next time", async () => {
    let broken = true
    const { provider, asked } = model(4, ({ clip }) => {
      if (broken && clip.id.endsWith("clip 7")) throw new ProviderError("retry", "the image cannot be read")
    })
    const reports = await Promise.all([0, 1].map(() => describe(options("failed", provider, { retries: 1 }))))
    expect(reports.reduce((sum, { failed }) => sum + failed.length, 0)).toBe(4)
    const [{ state, done, failed, failures }] = await readJobs(join(folder, "failed"))
    expect([state, done, failed, failures[0].name]).toEqual(["complete", 29, 1, "kick/clip 7.mp4"])
    broken = false
    await describe(options("failed", provider))
    expect([...asked.values()].every((times) => times === 1)).toBe(true)
    expect(asked.size).toBe(120)
  })

  it("do parts of their own without taking blocks", async () => {
    const { provider, asked } = model()
    const part = (index: number) => {
      const { division, ...rest } = options("parts", provider)
      return describe({ ...rest, division: { work: "", ...division, steal: false, shard: { index, count: 2 } } })
    }
    expect((await part(0)).good).toBe(60)
    expect((await part(1)).good).toBe(120)
    expect([asked.size, [...asked.values()].every((times) => times === 1)]).toEqual([120, true])
  })
})
