/** The pure parts: prompts, checks, prices, API keys, HTTP errors, the limit on concurrent requests. */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it, describe as suite } from "vitest"
import { parseBudget } from "../../src/describe/budget.ts"
import { DescriptionCache } from "../../src/describe/cache.ts"
import { checkAnswer, checksSchema } from "../../src/describe/check.ts"
import { ConcurrencyLimiter } from "../../src/describe/concurrency-limiter.ts"
import { imageTokens, listPrices, priceOf } from "../../src/describe/cost.ts"
import { estimateDescriptions } from "../../src/describe/describe.ts"
import { readPrices } from "../../src/describe/price-file.ts"
import { parseTogether, presets, resolvePrompts, togetherQuestion } from "../../src/describe/prompts.ts"
import { readAddress } from "../../src/describe/providers/address.ts"
import { statusError } from "../../src/describe/providers/http-errors.ts"
import { networkError } from "../../src/describe/providers/network-errors.ts"
import { readKey, redact } from "../../src/describe/providers/secret.ts"
import { openProvider, providerSchema } from "../../src/describe/providers.ts"
import { names } from "../../src/describe/stats.ts"
import { jpegSize } from "../../src/describe/strip.ts"
import { clips, scratch, strips } from "./fixtures.ts"

const folder = scratch()

suite("prompts", () => {
  it("has the paper's four prompts verbatim", () => {
    expect(presets.paper.prompts.map(({ text }) => text)).toEqual([
      "What is the action category?",
      "Describe the action components in the image",
      "Describe the action in the image in detail",
      "Describe the context information",
    ])
  })

  it("resolves presets, subsets, own prompts and none", () => {
    expect(resolvePrompts(["A", { id: "speed", text: "How fast?" }]).prompts.map(({ id }) => id)).toEqual([
      "A",
      "speed",
    ])
    expect(resolvePrompts([]).prompts).toEqual([])
    const motion = resolvePrompts({ preset: "motion", only: ["B"], system: null, add: [{ id: "X", text: "Why?" }] })
    expect([motion.system, motion.prompts.map(({ id }) => id)]).toEqual([null, ["B", "X"]])
    expect(() => resolvePrompts(["E"])).toThrow(/no such prompt/)
    expect(() => resolvePrompts(["A", "A"])).toThrow(/same id/)
  })

  it("takes a combined answer apart, or says that it cannot", () => {
    const { prompts } = presets.paper
    const good = { A: "a", B: "b", C: "c", D: "d" }
    expect(parseTogether(`Sure:\n\`\`\`json\n${JSON.stringify(good)}\n\`\`\``, prompts)).toEqual(good)
    for (const bad of ["", "A: hug", "{", '{"A": "a"}', '{"A": 1, "B": "b", "C": "c", "D": "d"}', "}{"]) {
      expect(parseTogether(bad, prompts)).toBeNull()
    }
    expect(togetherQuestion(prompts)).toContain('"C": Describe the action in the image in detail')
  })
})

suite("checks", () => {
  const checks = checksSchema.parse({})
  const [prompt] = presets.paper.prompts
  const flags = (text: string, finish: "stop" | "length" | "refused" = "stop") =>
    checkAnswer(text, finish, prompt, checks)

  it.each([
    ["", ["empty"]],
    [" \n…", ["empty"]],
    ["I'm sorry, but I can't help with identifying people.", ["refusal"]],
    ["I’m unable to view images.", ["refusal"]],
    ["As an AI language model I have no eyes.", ["refusal"]],
    ["Please provide an image.", ["refusal"]],
    ["What is the action category?", ["copy of the prompt"]],
    ["两个人在握手，然后分开走了。", ["wrong language"]],
    ["Der Mann geht auf die Frau zu und sie geben sich die Hand.", ["wrong language"]],
    ["Un homme et une femme sont dans la rue et ils se serrent la main.", ["wrong language"]],
    [`the man ${"waves his hand and ".repeat(20)}`, ["repeats itself"]],
    ["word ".repeat(500), ["over-long", "repeats itself"]],
  ])("flags %j", (text, expected) => {
    expect(flags(text)).toEqual(expected)
  })

  it.each([
    "hug",
    "Handshake between two men",
    "A café owner greets a señor with a hug, très chic.",
    "The two men shake hands, and shake hands again, and then they part.",
    "One man cannot help but laugh while the other one falls.",
    "First he runs, runs, runs; then he stops.",
    "A man in a suit sorts the letters from a to z.",
  ])("lets %j pass", (text) => {
    expect(flags(text)).toEqual([])
  })

  it("flags what was cut off or filtered, and leaves languages alone when told to", () => {
    expect(flags("A man walks up to", "length")).toEqual(["cut off"])
    expect(flags("A man walks.", "refused")).toEqual(["refusal"])
    expect(checkAnswer("两个人在握手", "stop", prompt, { ...checks, language: "any" })).toEqual([])
  })

  it("knows a label in other forms of its words", () => {
    expect(["men shaking hands", "a handshake"].map((text) => names(text, "hand_shake"))).toEqual([true, true])
    expect([names("They embrace", "hug"), names("hugging", "hug"), names("pushed hard", "push")]).toEqual([
      false,
      true,
      true,
    ])
    expect([names("He applies eye make up", "ApplyEyeMakeup"), names("riding a horse", "horse riding")]).toEqual([
      true,
      true,
    ])
  })
})

suite("cost", () => {
  it("counts image tokens as the published examples do", () => {
    const { image } = listPrices["gpt-4o"]
    expect(imageTokens(image, 1024, 1024)).toBe(765)
    expect(imageTokens(image, 2048, 4096)).toBe(1105)
    expect(imageTokens(image, 4096, 8192, "low")).toBe(85)
    expect(imageTokens({ rule: "patches", most: 1536, factor: 1 }, 1024, 1024)).toBe(1024)
  })

  it("finds prices by the longest fitting name, halves them for batches", () => {
    expect(priceOf("gpt-4o-mini-2024-07-18", listPrices)?.input).toBe(0.15)
    expect(priceOf("openai/gpt-4o", listPrices)?.input).toBe(2.5)
    expect(priceOf("gpt-4o", listPrices, true)?.output).toBe(5)
    expect(priceOf("llava", listPrices)).toBeUndefined()
  })

  it("reads budgets and price files, and says what is wrong with them", async () => {
    expect(["5usd", "$0.5", "2 USD", "3"].map(parseBudget)).toEqual([5, 0.5, 2, 3])
    expect(() => parseBudget("five")).toThrow(/5usd/)
    const file = join(folder, "prices.json")
    writeFileSync(file, JSON.stringify({ own: { input: 1, output: 2, image: { rule: "fixed", tokens: 576 } } }))
    expect((await readPrices(file)).own.output).toBe(2)
    writeFileSync(file, JSON.stringify({ own: { input: "1" } }))
    await expect(readPrices(file)).rejects.toThrow(/prices\.json: not a price file/)
  })

  it("estimates without a key and without sending anything", async () => {
    const provider = await openProvider({ kind: "openai", model: "gpt-4o", keyEnv: "NO_SUCH_KEY" })
    const options = {
      clips: clips(100),
      prompts: presets.paper,
      strips,
      provider,
      cachePath: join(folder, "estimate.jsonl"),
    }
    const separate = await estimateDescriptions(options)
    const image = 85 + 3 * 170
    expect([separate.requests, separate.answers, separate.imageTokens]).toEqual([400, 400, 400 * image])
    expect(separate.cost).toBeCloseTo((2.5 * (400 * image + separate.textTokens) + 10 * 400 * 80) / 1e6, 9)
    const together = await estimateDescriptions({ ...options, ask: "together" })
    expect([together.requests, together.imageTokens]).toEqual([100, 100 * image])
    const cache = new DescriptionCache(options.cachePath)
    expect(cache.size).toBe(0)
    cache.close()
    const own = await openProvider({ kind: "openai", model: "llava", baseUrl: "http://127.0.0.1:1/v1" })
    const free = await estimateDescriptions({ ...options, provider: own })
    expect([free.cost, free.imageTokens]).toEqual([0, null])
    const elsewhere = await openProvider({ kind: "openai", model: "llava", baseUrl: "https://host.example/v1" })
    expect((await estimateDescriptions({ ...options, provider: elsewhere })).cost).toBeNull()
  })

  it("reads a JPEG's size", () => {
    expect(jpegSize(readFileSync(new URL("./fixtures.ts", import.meta.url)))).toBeNull()
    expect(jpegSize(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc2, 0, 11, 8, 1, 2, 3, 4, 3, 0))).toEqual(
      { height: 258, width: 772 },
    )
  })
})

suite("keys", () => {
  it("reads keys from a variable or a file, and removes them from messages", () => {
    const keyFile = join(folder, "key")
    writeFileSync(keyFile, "sk-in-file\n")
    expect(readKey({ keyEnv: "K", keyFile }, { K: "sk-env" })).toBe("sk-in-file")
    expect(readKey({ keyEnv: "K" }, { K: " sk-env " })).toBe("sk-env")
    expect(readKey({ keyEnv: "K" }, {})).toBeNull()
    expect(() => readKey({ keyFile: join(folder, "none") })).toThrow(/API key cannot be read/)
    expect(redact("wrong key sk-env!", "sk-env")).toBe("wrong key [key]!")
  })
})

suite("HTTP errors", () => {
  const none = new Headers()
  const verdict = (status: number, body = "", headers = none) => statusError(status, headers, body, "http://x").verdict

  it("tells failures that may pass from those that will not", () => {
    expect([401, 402, 403, 404].map((status) => verdict(status))).toEqual(["stop", "stop", "stop", "stop"])
    expect([400, 413, 422].map((status) => verdict(status))).toEqual(["rejected", "rejected", "rejected"])
    expect([408, 409, 500, 502, 503, 504].map((status) => verdict(status))).toEqual(Array(6).fill("retry"))
    expect(verdict(429)).toBe("throttled")
    expect(verdict(429, '{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}')).toBe(
      "stop",
    )
    expect(verdict(403, '{"error":{"message":"blocked","code":"content_policy_violation"}}')).toBe("rejected")
    expect(verdict(503, "", new Headers({ "retry-after": "3" }))).toBe("throttled")
    expect(networkError(new TypeError("fetch failed"), "x", 1).verdict).toBe("retry")
  })

  it("shows no secrets of an address", () => {
    expect(readAddress("https://me:secret@host:8/v1/?key=1", {}).plain).toBe("https://host:8/v1")
  })
})

suite("the limit on concurrent requests", () => {
  it("halves once a round trip, recovers to just below, and never drops under one", () => {
    const limiter = new ConcurrencyLimiter({ initial: 16, max: 64 })
    const sent = performance.now()
    limiter.throttled(null, sent)
    limiter.throttled(null, sent)
    expect(limiter.limit).toBe(8)
    for (let i = 0; i < 20; i++) limiter.succeeded()
    expect(limiter.limit).toBe(15)
    for (let i = 0; i < 20; i++) limiter.throttled(null, performance.now() + i)
    expect(limiter.limit).toBe(1)
  })

  it("holds new requests for as long as it is told", async () => {
    const limiter = new ConcurrencyLimiter({ initial: 4, max: 4 })
    const { signal } = new AbortController()
    limiter.pause(60)
    const begin = performance.now()
    await limiter.acquire(signal)
    expect(performance.now() - begin).toBeGreaterThan(50)
    const abort = new AbortController()
    limiter.pause(10_000)
    const waiting = limiter.acquire(abort.signal)
    abort.abort(new Error("enough"))
    await expect(waiting).rejects.toThrow("enough")
  })
})

it("a provider's missing setting says how to give it", () => {
  const messages = (kind: string) => providerSchema.safeParse({ kind }).error?.issues.map(({ message }) => message)
  for (const kind of ["openai", "openai-batch", "transformers"]) {
    expect(messages(kind)).toEqual(["missing: give --model NAME, or describe.model in the settings"])
  }
  expect(messages("replay")).toEqual([expect.stringContaining("--answers FILE")])
  expect(messages("http")).toEqual([expect.stringContaining("--url URL"), expect.stringContaining("--model NAME")])
  expect(messages("llama")).toEqual([expect.stringContaining("--model"), expect.stringContaining("describe.projector")])
})
