/** Batches whose server loses, damages or refuses something go on, or say how to go on; nothing wrong is kept. */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { expect, it, describe as suite } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import type { DescribeOptions } from "../../src/describe/options.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { clips, scratch, strips } from "./fixtures.ts"
import { completion, type Scripted, scripted } from "./scripted.ts"

const folder = scratch()
let caches = 0

/** What becomes of a batch of the test's server. */
interface Behaviour {
  /** The object of a batch, over what is usual. */
  batch?: (count: number, polls: number) => Record<string, unknown>
  /** The result of a line, by the number of its batch; null for none. */
  line?: (id: string, body: Record<string, unknown>, batch: number) => unknown
  /** The reply to a request for a file of results. */
  file?: (looks: number, text: string) => Scripted
  poll?: (polls: number) => Scripted | null
}

/** A batch server with one batch at a time, done at the first look. */
async function serve(behaviour: Behaviour) {
  const uploads: string[][] = []
  let [polls, looks] = [0, 0]
  const usual = (id: string, n: number) =>
    behaviour.line?.(id, {}, n) ?? { custom_id: id, response: { status_code: 200, body: completion() }, error: null }
  const server = await scripted(({ path, method, text }) => {
    const n = uploads.length
    if (path.endsWith("/files") && method === "POST") {
      const lines = text.split("\r\n").find((part) => part.startsWith('{"custom_id"')) ?? ""
      uploads.push(lines.trim().split("\n"))
      return { body: { id: `file-${n + 1}` } }
    }
    if (path.endsWith("/content")) {
      looks++
      const lines = uploads[n - 1].map((line) => {
        const { custom_id: id, body } = JSON.parse(line)
        return behaviour.line ? behaviour.line(id, body, n) : usual(id, n)
      })
      const all = lines
        .filter((line) => line !== null)
        .map((line) => (typeof line === "string" ? line : JSON.stringify(line)))
      return behaviour.file?.(looks, all.join("\n")) ?? { body: all.join("\n") }
    }
    if (path.includes("/batches/")) polls++
    const scriptedPoll = path.includes("/batches/") ? behaviour.poll?.(polls) : null
    if (scriptedPoll) return scriptedPoll
    const more = behaviour.batch?.(n, polls) ?? {}
    return { body: { id: `batch-${n}`, status: "completed", output_file_id: "out", ...more } }
  })
  return { ...server, uploads }
}

async function options(url: string, count = 2, more: Partial<DescribeOptions> = {}) {
  const provider = await openProvider({ kind: "openai-batch", model: "gpt-4o", baseUrl: url, pollSeconds: 0.02 })
  const warnings: string[] = []
  const reporter = { ...silent, warn: (line: string) => void warnings.push(line) }
  const cachePath = join(folder, `batch-${caches++}.jsonl`)
  const run = { clips: clips(count), prompts: resolvePrompts("paper"), strips, provider, cachePath, reporter, ...more }
  return { run, warnings }
}

const good = (id: string) => ({ custom_id: id, response: { status_code: 200, body: completion() }, error: null })
const failed = (id: string, status: number, message: string) => ({
  custom_id: id,
  response: { status_code: status, body: { error: { message } } },
  error: null,
})

suite("odd forms", () => {
  it.each<[string, Record<string, unknown>]>([
    ["empty", { error_file_id: "", errors: "", metadata: "", request_counts: "" }],
    ["null", { error_file_id: null, errors: null, metadata: null, request_counts: null }],
    ["of another kind", { error_file_id: 0, errors: { data: "" }, metadata: [], request_counts: { total: "2" } }],
  ])("of what a batch lacks are no error: %s", async (_, batch) => {
    const { url } = await serve({ batch: () => batch })
    const report = await describe((await options(url)).run)
    expect([report.answers.size, report.failed, report.requests]).toEqual([2, [], 8])
  })

  it.each<[string, (id: string) => unknown]>([
    ['error ""', (id) => ({ ...good(id), error: "" })],
    ["no error", (id) => ({ custom_id: id, response: { status_code: 200, body: completion() } })],
    ["status as text", (id) => ({ custom_id: id, response: { status_code: "200", body: completion() } })],
    ["body as text", (id) => ({ custom_id: id, response: { status_code: 200, body: JSON.stringify(completion()) } })],
    [
      "odd usage",
      (id) => ({ custom_id: id, response: { status_code: 200, body: completion("a hug", { usage: "?" }) } }),
    ],
  ])("of a result are no error: %s", async (_, line) => {
    const { url, uploads } = await serve({ line })
    const report = await describe((await options(url)).run)
    expect([report.answers.size, uploads.length]).toEqual([2, 1])
  })
})

suite("paid answers are not asked again", () => {
  const asked = async (behaviour: Behaviour) => {
    const { url, uploads } = await serve(behaviour)
    const report = await describe((await options(url)).run)
    return [report.answers.size, report.failed.length, uploads.length]
  }

  it.each(["succeeded", "COMPLETED", "canceled", "ended", "errored"])("when the state is called %s", async (status) => {
    expect(await asked({ batch: () => ({ status }) })).toEqual([2, 0, 1])
  })

  it("when the results are one array", async () => {
    expect(await asked({ file: (_, text) => ({ body: `[${text.split("\n").join(",")}]` }) })).toEqual([2, 0, 1])
  })

  it("when an error of an earlier try stands in the file of errors", async () => {
    const errors = (text: string) =>
      text.split("\n").map((line) => JSON.stringify(failed(JSON.parse(line).custom_id, 500, "busy")))
    const outcome = await asked({
      batch: () => ({ error_file_id: "errors" }),
      file: (looks, text) => ({ body: looks === 1 ? text : errors(text).join("\n") }),
    })
    expect(outcome).toEqual([2, 0, 1])
  })
})

suite("what is lost", () => {
  it("a batch: the run says how to go on, and does once the record is deleted", async () => {
    const missing = { status: 404, body: { error: { message: "No batch with that id" } } }
    let lost = true
    const { url, uploads } = await serve({ poll: () => (lost ? missing : null) })
    const { run } = await options(url)
    const failure = describe(run)
    await expect(failure).rejects.toThrow(
      /batch-1 is not on the server: .*No batch with that id[\s\S]*otherwise delete/,
    )
    lost = false
    const [name] = readdirSync(`${run.cachePath}.batches`)
    await expect(failure).rejects.toThrow(name)
    rmSync(join(`${run.cachePath}.batches`, name))
    expect((await describe(run)).answers.size).toBe(2)
    expect(uploads).toHaveLength(2)
  })

  it("a file of results: its questions are asked again", async () => {
    const { url, uploads } = await serve({
      file: (looks, text) => (looks === 1 ? { status: 404, body: { error: { message: "expired" } } } : { body: text }),
    })
    const { run, warnings } = await options(url)
    expect((await describe(run)).answers.size).toBe(2)
    expect([uploads.length, warnings.length]).toEqual([2, 1])
    expect(warnings[0]).toMatch(/results are not on the server.*expired.*asking those questions again/)
  })

  it("a result that comes late is waited for", async () => {
    const { url, uploads } = await serve({
      batch: (_, polls) => (polls === 1 ? { output_file_id: "", request_counts: { total: 8, completed: 8 } } : {}),
    })
    expect((await describe((await options(url)).run)).answers.size).toBe(2)
    expect(uploads).toHaveLength(1)
  })

  it("a damaged line: the file is fetched again, then its question is asked again", async () => {
    const { url, uploads, received } = await serve({
      line: (id, _, batch) => (batch === 1 && id.charCodeAt(0) % 2 === 0 ? '{"custom_id": "' : good(id)),
    })
    const { run, warnings } = await options(url, 5)
    expect((await describe(run)).answers.size).toBe(5)
    expect(received.filter(({ path }) => path.endsWith("/content")).length).toBeGreaterThan(3)
    expect(uploads[1].length).toBeLessThan(uploads[0].length)
    expect(warnings.join()).toMatch(/damaged; asking those questions again/)
  })

  it("a damaged record beside the cache is named, with what to do", async () => {
    const { url } = await serve({})
    const { run } = await options(url)
    await describe(run)
    writeFileSync(join(`${run.cachePath}.batches`, "x.json"), "{}")
    await expect(describe({ ...run, prompts: resolvePrompts("motion") })).rejects.toThrow(
      /x\.json: not the record of a batch[\s\S]*delete the file/,
    )
  })
})

suite("what is refused", () => {
  it.each<[string, (id: string) => unknown]>([
    ["status 429", (id) => failed(id, 429, "You exceeded your current quota, please check your billing details")],
    ["status 400", (id) => failed(id, 400, "billing hard limit has been reached")],
    ["status 401", (id) => failed(id, 401, "invalid api key")],
    [
      "no status",
      (id) => ({ custom_id: id, response: null, error: { code: "insufficient_quota", message: "add credits" } }),
    ],
    ["a text", (id) => ({ custom_id: id, response: null, error: "insufficient_quota" })],
  ])("for want of an account ends the run; the answers are kept, the others asked again: %s", async (_, line) => {
    let rich = false
    const { url } = await serve({ line: (id) => (rich || id.charCodeAt(0) % 2 === 0 ? good(id) : line(id)) })
    const { run } = await options(url, 8)
    await expect(describe(run)).rejects.toThrow(/(quota|billing|api key|credits)[\s\S]*(add credit|API key)/)
    rich = true
    const report = await describe(run)
    expect([report.answers.size, report.flagged, report.failed]).toEqual([8, [], []])
    expect(report.cached).toBeGreaterThan(0)
    expect(readdirSync(`${run.cachePath}.batches`)).toEqual([])
  })

  it("in every line ends the run, and nothing wrong is kept", async () => {
    let refusing = true
    const { url } = await serve({ line: (id) => (refusing ? failed(id, 400, "wrong image size") : good(id)) })
    const { run } = await options(url)
    await expect(describe(run)).rejects.toThrow(/first 8 requests were all rejected.*wrong image size/)
    refusing = false
    const report = await describe(run)
    expect([report.cached, report.answers.size]).toEqual([0, 2])
  })

  it("in one line flags that answer", async () => {
    let first = ""
    const { url } = await serve({
      line: (id) => {
        first ||= id
        return id === first ? failed(id, 400, "wrong image size") : good(id)
      },
    })
    const report = await describe((await options(url)).run)
    expect(report.flagged.map(({ flags }) => flags)).toEqual([[expect.stringMatching(/rejected: .*wrong image size/)]])
    expect(report.requests).toBe(7)
  })

  it("as a whole, for want of credit, says so", async () => {
    const errors = { data: [{ code: "billing_hard_limit_reached", message: "Billing hard limit has been reached." }] }
    const { url } = await serve({ batch: () => ({ status: "failed", errors }) })
    await expect(describe((await options(url)).run)).rejects.toThrow(/Billing hard limit[\s\S]*add credit/)
  })

  it("of a field is left out of the next batch", async () => {
    const message = "Unsupported value: 'temperature' does not support 0 with this model."
    const { url, uploads } = await serve({
      line: (id, body) => ("temperature" in body ? failed(id, 400, message) : good(id)),
    })
    const { run, warnings } = await options(url)
    const report = await describe(run)
    expect([report.answers.size, uploads.length, warnings.length]).toEqual([2, 2, 1])
    expect(warnings[0]).toMatch(/temperature.*own temperature is used/)
    expect(existsSync(run.cachePath) && readFileSync(run.cachePath, "utf8")).toMatch(/"adapted":\["temperature"\]/)
  })
})
