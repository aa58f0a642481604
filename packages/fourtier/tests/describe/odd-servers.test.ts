/** What servers say oddly is read rightly: errors in every form, waits in every header, counts in every state of disrepair. */

import { rmSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { expect, it, describe as suite } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import type { DescribeOptions } from "../../src/describe/options.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { statusError } from "../../src/describe/providers/http-errors.ts"
import { readCompletion } from "../../src/describe/providers/openai-chat.ts"
import { readWords } from "../../src/describe/providers/server-words.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { clips, scratch, strips } from "./fixtures.ts"
import { completion, type Scripted, scripted } from "./scripted.ts"

const folder = scratch()
let caches = 0

async function options(
  url: string,
  count = 1,
  more: Partial<DescribeOptions> = {},
  config = {},
): Promise<DescribeOptions> {
  const provider = await openProvider({ kind: "openai", model: "gpt-4o", baseUrl: url, ...config })
  const cachePath = join(folder, `odd-${caches++}.jsonl`)
  return { clips: clips(count), prompts: resolvePrompts("paper"), strips, provider, cachePath, backoff: 5, ...more }
}

/** A reporter that keeps warnings and the last line of progress. */
function listening() {
  const warnings: string[] = []
  const said: string[] = []
  let ticks = 0
  const reporter = {
    ...silent,
    warn: (line: string) => void warnings.push(line),
    say: (line: string) => void said.push(line),
    task: () => ({
      tick: (n = 1) => {
        ticks += n
      },
      done: () => {},
    }),
  }
  return { reporter, warnings, said, ticks: () => ticks }
}

suite("a server's words", () => {
  it.each<[string, unknown, string]>([
    ["OpenAI", { error: { message: "no such model", code: "model_not_found" } }, "no such model"],
    [
      "vLLM",
      { object: "error", message: "the image is too large", type: "BadRequestError", code: 400 },
      "the image is too large",
    ],
    ["FastAPI", { detail: "Not authenticated" }, "Not authenticated"],
    [
      "FastAPI, a field",
      { detail: [{ loc: ["body", "seed"], msg: "extra inputs", type: "extra" }] },
      "body.seed: extra inputs",
    ],
    ["FastAPI, an object", { detail: { error: "queue is full" } }, "queue is full"],
    [
      "Gemini",
      [{ error: { code: 400, message: "API key not valid", status: "INVALID_ARGUMENT" } }],
      "API key not valid",
    ],
    ["a text", { error: "model is loading" }, "model is loading"],
    ["OAuth", { error: "invalid_token", error_description: "it has expired" }, "invalid_token: it has expired"],
    ["RFC 9457", { title: "Forbidden", detail: "not for you", status: 403 }, "Forbidden: not for you"],
    ["errors", { errors: [{ message: "first" }, { message: "second" }] }, "first; second"],
    [
      "OpenRouter",
      {
        error: {
          message: "Provider returned error",
          code: 400,
          metadata: { raw: '{"error":{"message":"too many frames"}}' },
        },
      },
      "Provider returned error: too many frames",
    ],
    ["plain text", "upstream connect error", "upstream connect error"],
    ["a page", "<html><head><style>p {}</style></head><body><h1>502</h1> Bad gateway</body></html>", "502 Bad gateway"],
    ["JSON of another form", { reply: 5 }, '{"reply":5}'],
  ])("%s", async (_, body, words) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    expect(readWords(text).message).toBe(words)
    const { url } = await scripted(() => ({ status: 400, body }))
    await expect(describe(await options(url, 2))).rejects.toThrow(words)
    const own = await openProvider({ kind: "http", url, model: "own" })
    await expect(describe({ ...(await options(url, 2)), provider: own })).rejects.toThrow(words)
  })

  it.each<[string, Scripted]>([
    ["429, vLLM's form", { status: 429, body: { message: "insufficient_quota: add credits", code: 429 } }],
    ["429, in an array", { status: 429, body: [{ error: { message: "check your billing details", code: 429 } }] }],
    ["429, detail", { status: 429, body: { detail: "Your account balance is too low" } }],
    [
      "a day-long Retry-After",
      { status: 429, headers: { "retry-after": "86400" }, body: { error: { message: "slow down" } } },
    ],
    [
      "a reset tomorrow",
      { status: 429, headers: { "x-ratelimit-reset-requests": "23h59m" }, body: { error: "limit" } },
    ],
    ["a limit by the day", { status: 429, body: { error: { message: "Rate limit exceeded: free-models-per-day" } } }],
    ["400", { status: 400, body: { error: { message: "Your credit balance is too low to access the API" } } }],
    ["403", { status: 403, body: { code: 30001, message: "Sorry, your account balance is insufficient" } }],
    ["500", { status: 500, body: { error: { message: "billing hard limit has been reached" } } }],
    ["200", { body: { error: { message: "Insufficient credits", code: 402 } } }],
    ["200 without a code", { body: { error: "insufficient_quota" } }],
    [
      "200, beside an empty choice",
      { body: { choices: [{ error: { code: 402, message: "no credits" }, message: { content: "" } }] } },
    ],
    ["200, not authorised", { body: { message: "invalid api key" } }],
  ])("ends the run at once, with the words: %s", async (_, reply) => {
    const { url, received } = await scripted(() => reply)
    const run = describe(await options(url, 40))
    await expect(run).rejects.toThrow(/credit|quota|billing|balance|slow down|limit|api key/i)
    expect(received.length).toBeLessThanOrEqual(4)
  })

  it("waits for a limit by the minute, although the words are those of an empty account", () => {
    const body = JSON.stringify([
      {
        error: {
          code: 429,
          message: "You exceeded your current quota, please check your plan and billing details.",
          status: "RESOURCE_EXHAUSTED",
          details: [
            { violations: [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" }] },
            { retryDelay: "32s" },
          ],
        },
      },
    ])
    const minute = statusError(429, new Headers(), body, "x")
    expect([minute.verdict, minute.retryAfter]).toEqual(["throttled", 32_000])
    expect(statusError(429, new Headers(), body.replace("PerMinute", "PerDay"), "x").verdict).toBe("stop")
  })
})

suite("waiting", () => {
  it.each([
    ["0", { "retry-after": "0" }],
    ["negative", { "retry-after": "-10" }],
    ["in the past", { "retry-after": new Date(0).toUTCString() }],
    ["a millisecond", { "retry-after-ms": "1" }],
    ["none", {}],
  ])("sends few requests to a server that answers 429 for ever, Retry-After: %s", async (_, headers) => {
    const { url, received } = await scripted(() => ({
      status: 429,
      headers,
      body: { error: { message: "slow down" } },
    }))
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error("enough")), 1500)
    const run = await options(url, 40, { backoff: 500, signal: abort.signal })
    await expect(describe(run)).rejects.toThrow("enough")
    expect(received.length).toBeLessThan(12)
    expect(received.length).toBeGreaterThan(1)
  })

  it("waits until a quota is full again, as a 429's reset headers say", async () => {
    const times: number[] = []
    const { url } = await scripted((_, count) => {
      times.push(performance.now())
      const headers = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms" }
      return count === 1 ? { status: 429, headers, body: { error: { message: "limit" } } } : { body: completion() }
    })
    const report = await describe(await options(url, 1, {}, { concurrency: 1 }))
    expect(report.answers.size).toBe(1)
    expect(times[1] - times[0]).toBeGreaterThan(380)
  })

  it("tells of a wait of more than a minute, once, with the server's words; and ends it on an interrupt", async () => {
    const headers = { "retry-after": "120" }
    const { url } = await scripted(() => ({ status: 429, headers, body: { detail: "the queue is full" } }))
    const { reporter, warnings } = listening()
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error("Ctrl-C")), 200)
    const begin = performance.now()
    await expect(describe(await options(url, 10, { reporter, signal: abort.signal }))).rejects.toThrow("Ctrl-C")
    expect(performance.now() - begin).toBeLessThan(2000)
    expect(warnings.filter((line) => /waiting 2 min 0 s.*the queue is full/.test(line))).toHaveLength(1)
  })
})

suite("counts", () => {
  it.each<[unknown, number | null, number | null]>([
    [{ prompt_tokens: 812, completion_tokens: null }, 812, null],
    [{ prompt_tokens: "812", completion_tokens: "9" }, 812, 9],
    [{ prompt_tokens: -1, completion_tokens: 9 }, null, 9],
    [{ input_tokens: 812, output_tokens: 9 }, 812, 9],
    [{ total_tokens: 821 }, null, null],
    [{ prompt_tokens: { cached: 3 } }, null, null],
    ["none", null, null],
    [[], null, null],
    [null, null, null],
    [undefined, null, null],
  ])("keeps the answer, whatever `usage` is: %j", (usage, inputTokens, outputTokens) => {
    const body = JSON.stringify({ ...completion("a hug"), usage })
    expect(readCompletion(body, new Headers(), "x")).toMatchObject({ text: "a hug", inputTokens, outputTokens })
  })

  it("keeps an answer of one's own server, whatever its counts are", async () => {
    const { url } = await scripted(() => ({
      body: { text: "a hug", input_tokens: "many", output_tokens: null, finish: "eos" },
    }))
    const provider = await openProvider({ kind: "http", url, model: "own" })
    expect((await describe({ ...(await options(url)), provider })).answers.size).toBe(1)
  })

  it("reads content in parts, and what is not text among them", () => {
    const body = JSON.stringify(completion([{ type: "text", text: "a " }, "hug", { type: "image" }, { text: null }]))
    expect(readCompletion(body, new Headers(), "x").text).toBe("a hug")
  })
})

suite("reasoning", () => {
  it("keeps the answer alone", async () => {
    const { url } = await scripted(() => ({ body: completion("<think>Arms around each other.</think>\n\na hug") }))
    const report = await describe(await options(url))
    expect(report.answers.get("hug/clip 0")).toEqual({ A: "a hug", B: "a hug", C: "a hug", D: "a hug" })
  })

  it.each([
    ["only its beginning is marked", completion("<think>The man moves", { finish_reason: "length" })],
    ["the server keeps it apart", completion("", { finish_reason: "length", reasoning_content: "The man" })],
    ["the server keeps it apart, and content is null", completion(null, { finish_reason: "length", reasoning: "The" })],
  ])("ends the run after a few replies that are cut off within it, and names maxTokens: %s", async (_, body) => {
    const { url, received } = await scripted(() => ({ body }))
    const run = await options(url, 40, {}, { concurrency: 1 })
    await expect(describe(run)).rejects.toThrow(/cut off.*maxTokens 300[\s\S]*raise maxTokens/)
    expect(received.length).toBe(5)
  })

  it("flags what is cut off among sound answers, and names maxTokens", async () => {
    const { url } = await scripted((_, n) => ({
      body: n === 2 ? completion("<think>The man", { finish_reason: "length" }) : completion(),
    }))
    const { reporter, warnings } = listening()
    const report = await describe(await options(url, 1, { reporter }, { concurrency: 1 }))
    expect(report.flagged.map(({ flags }) => flags)).toEqual([["reasoning without an answer", "cut off"]])
    expect(warnings.join("\n")).toMatch(/maxTokens 300: raise it/)
  })
})

suite("what a server refuses", () => {
  const refuse = (message: string) => ({ status: 400, body: { error: { message, type: "invalid_request_error" } } })

  it.each<[string, string, (body: Record<string, unknown>) => boolean]>([
    [
      "max_tokens",
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      (body) => "max_tokens" in body,
    ],
    [
      "temperature",
      "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
      (body) => "temperature" in body,
    ],
    ["system", "System role not supported", (body) => JSON.stringify(body.messages).includes('"role":"system"')],
    ["seed", "body.seed: Extra inputs are not permitted", (body) => "seed" in body],
    ["schema", "This model does not support response_format json_schema", (body) => "response_format" in body],
  ])(
    "is left out from the first complaint on, told once, and noted with the answers: %s",
    async (name, message, has) => {
      const { url, received } = await scripted(({ body }) => {
        if (has(body)) return refuse(message)
        const together = body.messages !== undefined && JSON.stringify(body.messages).includes("Answer each")
        return { body: completion(together ? JSON.stringify({ A: "a", B: "b", C: "c", D: "d" }) : "a hug") }
      })
      const { reporter, warnings } = listening()
      const ask = name === "schema" ? ("together" as const) : ("separate" as const)
      const run = await options(url, 5, { reporter, ask }, { seed: 1, concurrency: 1 })
      const report = await describe(run)
      expect([report.answers.size, report.flagged, report.failed]).toEqual([5, [], []])
      expect(received.filter(({ body }) => has(body))).toHaveLength(1)
      expect(warnings.filter((line) => line.includes(message))).toHaveLength(1)
      if (name === "system")
        expect(received.at(-1)?.text).toMatch(/strip of frames[^"]*What is|strip of frames[^"]*Describe/)
      if (name === "max_tokens") expect(received.at(-1)?.body.max_completion_tokens).toBe(300)
    },
  )

  it("is not left out twice: a complaint that stays is an error", async () => {
    const { url, received } = await scripted(() => refuse("temperature: invalid"))
    await expect(describe(await options(url, 5))).rejects.toThrow(/temperature: invalid/)
    expect(received.length).toBeLessThan(20)
  })

  it("leaves complaints about sizes alone", async () => {
    const message = "max_tokens is too large: 300. This model supports at most 256 completion tokens, unsupported"
    const { url, received } = await scripted(() => refuse(message))
    await expect(describe(await options(url, 5))).rejects.toThrow(/too large/)
    expect(received.every(({ body }) => "max_tokens" in body)).toBe(true)
  })
})

suite("limits", () => {
  it("sends no more requests than --limit to a server that fails, and counts answers only", async () => {
    const { url, received } = await scripted(() => ({ status: 500, body: { error: { message: "out of order" } } }))
    const { reporter, said, ticks } = listening()
    const report = await describe(await options(url, 20, { limit: 2, reporter }))
    expect([received.length, report.sent, report.requests, ticks()]).toEqual([2, 2, 0, 0])
    expect(report.ended).toBe("limit")
    expect(report.failed[0]?.reason).toMatch(/out of order/)
    expect(said.join("\n")).toMatch(/0 of 80 answers.*2 requests to gpt-4o, 0 answered/)
  })

  it("counts retries", async () => {
    const { url, received } = await scripted((_, n) =>
      n % 2 === 1 ? { status: 500, body: { error: "again" } } : { body: completion() },
    )
    const report = await describe(await options(url, 20, { limit: 10 }, { concurrency: 1 }))
    expect([received.length, report.requests]).toEqual([10, 5])
  })
})

suite("an interrupt", () => {
  it("waits for the requests under way, which are paid for, and starts no other", async () => {
    const { url, received } = await scripted(() => ({ body: completion(), after: 400 }))
    const { reporter, warnings } = listening()
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error("Ctrl-C")), 150)
    const run = await options(url, 20, { reporter, signal: abort.signal })
    await expect(describe(run)).rejects.toThrow("Ctrl-C")
    const { cached } = await describe({ ...run, signal: new AbortController().signal, limit: 0 })
    expect([received.length, cached]).toEqual([4, 4])
    expect(warnings.join("\n")).toMatch(/waiting up to 30.0 s for the answers to 4 requests that are under way/)
  })

  it("waits no longer than it may", async () => {
    const { url } = await scripted(() => ({ body: completion(), after: 20_000 }))
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error("Ctrl-C")), 100)
    const begin = performance.now()
    await expect(describe(await options(url, 5, { grace: 200, signal: abort.signal }))).rejects.toThrow("Ctrl-C")
    expect(performance.now() - begin).toBeLessThan(3000)
    rmSync(join(folder, `odd-${caches - 1}.jsonl`))
  })
})
