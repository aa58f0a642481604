/**
 * The live run against a server that misbehaves. FOURTIER_LONG=1 runs it at full size (2,000 clips × 4 prompts) and holds
 * the pace to 90 % of the server's limit, which a busy machine cannot.
 */

import { rmSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { afterEach, expect, it, describe as suite } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import type { DescribeOptions } from "../../src/describe/options.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { openOpenai } from "../../src/describe/providers/openai.ts"
import { openaiSchema } from "../../src/describe/providers/openai-settings.ts"
import { clips, scratch, strips } from "./fixtures.ts"
import { type Fault, type ServerOptions, startServer, type TestServer } from "./server.ts"

const folder = scratch()
const long = process.env.FOURTIER_LONG === "1"
const prompts = resolvePrompts("paper")
const servers: TestServer[] = []
let caches = 0

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

async function serve(options: ServerOptions): Promise<TestServer> {
  const server = await startServer(options)
  servers.push(server)
  return server
}

function options(
  server: TestServer,
  count: number,
  more: Partial<DescribeOptions> = {},
  provider = {},
): DescribeOptions {
  const config = openaiSchema.parse({
    kind: "openai",
    model: "gpt-4o",
    baseUrl: server.url,
    timeout: 20,
    concurrency: 32,
    ...provider,
  })
  return {
    clips: clips(count),
    prompts,
    strips,
    provider: openOpenai(config),
    cachePath: join(folder, `cache-${caches++}.jsonl`),
    backoff: 10,
    ...more,
  }
}

/** Every question answered soundly and paid exactly once. */
function expectAllPaidOnce(server: TestServer, count: number): void {
  expect(server.paid.size).toBe(count * prompts.prompts.length)
  expect([...server.paid.values()].filter((times) => times !== 1)).toEqual([])
}

suite("a server that misbehaves", () => {
  const kinds: Fault[] = [
    "429-after",
    "429",
    "500",
    "503-html",
    "truncated",
    "wrong-type",
    "reset",
    ...(long ? (["slow-loris"] as const) : []),
    "refusal",
    "empty",
  ]

  it("ends complete with 20 % faults of all kinds, each answer paid once", async () => {
    const count = long ? 2000 : 60
    const server = await serve({ faults: { share: 0.2, kinds }, latency: 2 })
    const begin = performance.now()
    const run = options(server, count, {}, { timeout: long ? 5 : 20 })
    const report = await describe(run)
    const seconds = (performance.now() - begin) / 1000
    console.log(`${count} clips × 4 prompts, 20 % faults: ${server.requests} requests in ${seconds.toFixed(1)} s`)
    expect(report.failed).toEqual([])
    const sound = [...report.answers.values()].reduce((sum, texts) => sum + Object.keys(texts).length, 0)
    expect(sound + report.flagged.length).toBe(count * 4)
    expect(report.flagged.length).toBeLessThan(count * 4 * 0.01)
    server.options.faults = undefined
    const retried = await describe({ ...run, retryFlagged: true })
    expect([retried.flagged, retried.failed]).toEqual([[], []])
    expectAllPaidOnce(server, count)
    const again = await describe(run)
    expect([again.requests, again.cached]).toEqual([0, count * 4])
  }, 600_000)

  it("gives up on a reply that trickles in for ever, and asks again", async () => {
    const server = await serve({ faults: { share: 0.5, kinds: ["slow-loris"] } })
    const report = await describe(options(server, 4, {}, { timeout: 0.5 }))
    expect([report.answers.size, report.failed]).toEqual([4, []])
    expect(server.requests).toBeGreaterThan(16)
  })

  it.each([
    ["none", 0],
    ["a fifth", 0.2],
  ])("keeps within a tenth of a limit on requests per second while %s of them fail", async (_, share) => {
    const perSecond = long ? 40 : 120
    const kinds: Fault[] = ["500", "503-html", "truncated", "wrong-type", "reset"]
    const server = await serve({ perSecond, latency: 20, faults: { share, kinds } })
    const count = long ? 300 : 50
    const begin = performance.now()
    await describe(options(server, count))
    const used = (server.admitted - perSecond) / ((performance.now() - begin) / 1000) / perSecond
    console.log(`${perSecond} requests/s allowed: ${(used * 100).toFixed(0)} % used, ${server.requests} requests`)
    expectAllPaidOnce(server, count)
    if (long) expect(used).toBeGreaterThan(0.9)
  })

  it("keeps near a limit on requests at once that it is not told", async () => {
    const server = await serve({ atOnce: 10, latency: long ? 250 : 60 })
    const count = long ? 500 : 60
    const begin = performance.now()
    await describe(options(server, count, { backoff: 50 }))
    const seconds = (performance.now() - begin) / 1000
    const rate = server.busy / seconds / 10
    console.log(`10 requests at once allowed: ${(rate * 100).toFixed(0)} % used, ${server.requests} requests`)
    expectAllPaidOnce(server, count)
    if (long) expect(rate).toBeGreaterThan(0.9)
  })

  it("stops at once, with one clear error and no key in it, when the key is wrong", async () => {
    process.env.TEST_DESCRIBE_KEY = "sk-very-secret-value"
    const server = await serve({ key: "right" })
    const failure = describe(options(server, 500, {}, { keyEnv: "TEST_DESCRIBE_KEY" }))
    await expect(failure).rejects.toThrow(/answered 401[\s\S]*check the API key/)
    await expect(failure).rejects.not.toThrow(/very-secret/)
    expect(server.requests).toBeLessThanOrEqual(8)
  })

  it.each([
    ["no such model", { models: ["other"] }, /does not exist[\s\S]*name of the model/],
    [
      "no credit",
      {
        always: {
          status: 429,
          body: { error: { message: "You exceeded your current quota", code: "insufficient_quota" } },
        },
      },
      /add credit/,
    ],
    [
      "a request that is wrong",
      { always: { status: 400, body: { error: { message: "Invalid value: temperature" } } } },
      /first 5 requests were all rejected/,
    ],
    ["a server that is down", { always: { status: 502, body: "gone" } }, /10 requests in a row failed/],
  ])("stops on %s and keeps nothing wrong in the cache", async (_, faults: ServerOptions, message) => {
    const server = await serve(faults)
    const run = options(server, 100, { retries: 2, backoff: 1 })
    await expect(describe(run)).rejects.toThrow(message)
    expect(server.requests).toBeLessThan(150)
    await server.close()
    servers.pop()
    const good = await serve({})
    const config = openaiSchema.parse({ kind: "openai", model: "gpt-4o", baseUrl: good.url })
    const report = await describe({ ...run, provider: openOpenai(config), limit: 20 })
    expect([report.requests, report.cached, report.failed, report.flagged]).toEqual([20, 0, [], []])
  })

  it("says at once, and once, that a server does not answer, while it tries again", async () => {
    const server = await serve({ always: { status: 502, body: "gone" } })
    const warnings: string[] = []
    const reporter = { ...silent, warn: (line: string) => void warnings.push(line) }
    await expect(describe(options(server, 20, { retries: 1, backoff: 1, reporter }))).rejects.toThrow()
    expect(warnings.filter((line) => /502.*trying again/s.test(line))).toHaveLength(1)
  })

  it("flags one refused image and answers the others", async () => {
    const server = await serve({})
    server.options.answer = (clip, prompt) =>
      clip === "kick/clip 1" && prompt.startsWith("What") ? "I cannot help with that" : "fine work"
    const report = await describe(options(server, 5))
    expect(report.flagged).toEqual([
      { clip: "kick/clip 1", prompt: "A", answer: "I cannot help with that", flags: ["refusal"] },
    ])
    expect(server.paid.get("kick/clip 1|What is the action category?")).toBe(2)
    expect(report.answers.get("kick/clip 1")).toEqual({ B: "fine work", C: "fine work", D: "fine work" })
  })

  it("asks all prompts in one request, and one by one where that answer does not parse", async () => {
    const server = await serve({})
    const report = await describe(options(server, 20, { ask: "together" }))
    expect([report.requests, report.answers.size]).toEqual([20, 20])
    expect(report.answers.get("hug/clip 0")?.B).toBe("hug/clip 0, seen for Describe the action components in the image")
    server.options.answer = (_, prompt) => (prompt.startsWith("Answer each") ? "A: hugging. B: arms." : "hugging")
    const fallen = await describe(options(server, 10, { ask: "together" }))
    expect([fallen.requests, fallen.answers.get("hug/clip 0")]).toEqual([
      50,
      { A: "hugging", B: "hugging", C: "hugging", D: "hugging" },
    ])
  })

  it("does without a JSON schema where the server knows none", async () => {
    const server = await serve({ noSchema: true })
    const report = await describe(options(server, 10, { ask: "together" }))
    expect([report.answers.size, report.failed.length]).toEqual([10, 0])
    expect(server.last?.response_format).toBeUndefined()
  })

  it("ends at the limit and the budget, and a later run continues", async () => {
    const server = await serve({ latency: 1 })
    const run = options(server, 50)
    const limited = await describe({ ...run, limit: 30 })
    expect([limited.requests, limited.ended, limited.failed]).toEqual([30, "limit", []])
    const price = (1000 * 2.5 + 50 * 10) / 1e6
    const broke = await describe({ ...run, budget: 40 * price })
    expect(broke.ended).toBe("budget")
    expect(broke.spent).toBeLessThanOrEqual(40 * price + 1e-9)
    expect(broke.requests).toBeGreaterThan(30)
    const rest = await describe(run)
    expect(rest.cached).toBe(30 + broke.requests)
    expectAllPaidOnce(server, 50)
  })

  it("refuses a budget for a model without a price, and takes 0 for the price of one on this machine", async () => {
    const server = await serve({})
    const elsewhere = options(server, 1, { budget: 1 }, { model: "my-own", baseUrl: "https://host.invalid/v1" })
    await expect(describe(elsewhere)).rejects.toThrow(/no price is known for model "my-own"/)
    const run = options(server, 1, { budget: 1 }, { model: "my-own" })
    const report = await describe(run)
    expect([report.spent, report.ended, report.answers.size]).toEqual([0, null, 1])
    rmSync(run.cachePath)
    const prices = { "my-own": { input: 1, output: 1, image: { rule: "fixed" as const, tokens: 10 } } }
    expect((await describe({ ...run, prices })).spent).toBeGreaterThan(0)
  })

  it("ends on an interrupt, keeping what was answered", async () => {
    const server = await serve({ latency: 20 })
    const run = options(server, 200)
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error("Ctrl-C")), 300)
    await expect(describe({ ...run, signal: abort.signal })).rejects.toThrow("Ctrl-C")
    const report = await describe({ ...run, limit: 0 })
    expect(report.cached).toBeGreaterThan(10)
    expect(server.paid.size - report.cached).toBeLessThanOrEqual(32)
  })

  it("asks once about two files of the same content", async () => {
    const server = await serve({ latency: 5 })
    const run = options(server, 3)
    const twins = [...run.clips, { ...run.clips[0], id: "twin", relative: "twin.mp4" }]
    const report = await describe({ ...run, clips: twins })
    expect(report.requests).toBe(12)
    expect(report.answers.get("twin")).toEqual(report.answers.get("hug/clip 0"))
  })

  it("asks again when the prompt, system text, model, settings, strip or clip changes, and only then", async () => {
    const server = await serve({})
    const run = options(server, 1)
    const asked = async (changed: Partial<DescribeOptions>) => (await describe({ ...run, ...changed })).requests
    const model = (provider: object) => ({ provider: options(server, 1, {}, provider).provider })
    expect(await asked({})).toBe(4)
    expect(await asked({})).toBe(0)
    const [a, ...rest] = prompts.prompts
    expect(await asked({ prompts: { ...prompts, prompts: [{ ...a, text: "What happens?" }, ...rest] } })).toBe(1)
    expect(await asked({ prompts: { ...prompts, prompts: [{ ...a, id: "renamed" }] } })).toBe(0)
    expect(await asked({ prompts: { ...prompts, system: null } })).toBe(4)
    expect(await asked(model({ model: "gpt-4o-mini" }))).toBe(4)
    expect(await asked(model({ temperature: 0.5 }))).toBe(4)
    expect(await asked(model({ concurrency: 3, timeout: 9 }))).toBe(0)
    expect(await asked({ strips: { ...strips, settings: { ...strips.settings, frames: 7 } } })).toBe(4)
    expect(await asked({ clips: run.clips.map((each) => ({ ...each, hash: "f".repeat(64) })) })).toBe(4)
    expect(await asked({ clips: run.clips.map((each) => ({ ...each, id: "moved", relative: "moved.mp4" })) })).toBe(0)
    rmSync(run.cachePath)
  })
})
