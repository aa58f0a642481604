/**
 * The cache file survives torn and foreign lines and other writers, and stays fast and small in memory when it is large.
 * FOURTIER_LONG=1 runs the full sizes.
 */

import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { expect, it, describe as suite } from "vitest"
import { type Answer, answerKey, DescriptionCache, mergeAnswers } from "../../src/describe/cache.ts"
import { describe } from "../../src/describe/describe.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import type { LiveProvider } from "../../src/describe/provider.ts"
import { clip, scratch } from "./fixtures.ts"

const folder = scratch()
const long = process.env.FOURTIER_LONG === "1"

function answer(i: number, more: Partial<Answer> = {}): Answer {
  return {
    key: answerKey(String(i), "spec"),
    ok: 1,
    clip: `clip ${i}`,
    path: `clip ${i}.mp4`,
    prompt: "A",
    answer: `Someone waves „${i}“ times\nand {"key":"stops`,
    model: "m",
    spec: "spec",
    by: "openai",
    time: "2026-01-01T00:00:00.000Z",
    ...more,
  }
}

suite("the cache", () => {
  it("gives back what was put in, the last line of a key, after reopening", () => {
    const path = join(folder, "plain.jsonl")
    const cache = new DescriptionCache(path)
    cache.append(answer(1))
    cache.append(answer(2, { ok: 0, flags: ["empty"], answer: "" }))
    cache.append(answer(1, { answer: "edited", by: "edit" }))
    const spec = cache.register({ prompt: "p", system: null, model: "m", settings: {}, strip: {} })
    cache.close()
    const again = new DescriptionCache(path)
    expect(again.read(answer(1).key)?.answer).toBe("edited")
    expect([...again.history(answer(1).key)].map(({ answer }) => answer)).toEqual([answer(1).answer, "edited"])
    expect([again.state(answer(1).key), again.state(answer(2).key), again.state(answer(3).key)]).toEqual([
      "good",
      "flagged",
      undefined,
    ])
    expect([again.size, again.flagged, again.damaged]).toEqual([2, 1, 0])
    expect(again.spec(spec)?.prompt).toBe("p")
    expect([...again.latest(2)].map(({ prompt }) => prompt)).toEqual(["A", "A"])
    again.close()
  })

  it("reads what several workers wrote as one, a sound answer before a flagged one, and takes it into the file", async () => {
    const path = join(folder, "parts.jsonl")
    const [one, two] = [new DescriptionCache(path, "one"), new DescriptionCache(path, "two")]
    const spec = one.register({ prompt: "p", system: null, model: "m", settings: {}, strip: {} })
    one.append(answer(1, { ok: 0, flags: ["empty"], answer: "" }))
    two.append(answer(1, { answer: "two" }))
    two.append(answer(2, { answer: "two" }))
    one.append(answer(2, { answer: "one" }))
    one.append(answer(3, { answer: "one" }))
    expect([one.size, two.size]).toEqual([3, 2])
    one.refresh(true)
    expect([one.read(answer(1).key)?.answer, one.flagged]).toEqual(["two", 0])
    for (const cache of [one, two]) cache.close()
    const edited = new DescriptionCache(path)
    expect([edited.size, edited.spec(spec)?.prompt]).toEqual([3, "p"])
    edited.append(answer(3, { answer: "edited", by: "edit" }))
    edited.close()
    const read = () => {
      const cache = new DescriptionCache(path)
      const found = [1, 2, 3].map((i) => cache.read(answer(i).key)?.answer)
      const state = [cache.size, cache.flagged, cache.damaged, cache.spec(spec)?.prompt]
      cache.close()
      return [...found, ...state]
    }
    const before = read()
    expect(before.slice(2)).toEqual(["edited", 3, 0, 0, "p"])
    expect(await mergeAnswers(path)).toEqual({ files: 2, answers: 2 })
    expect(readdirSync(`${path}.parts`)).toEqual([])
    expect(read()).toEqual(before)
  })

  it("skips torn lines at every cut, and finds the whole line glued behind one", () => {
    const whole = JSON.stringify(answer(7))
    for (let cut = 1; cut < whole.length; cut += 7) {
      const path = join(folder, `torn-${cut}.jsonl`)
      writeFileSync(path, `${JSON.stringify(answer(1))}\n${whole.slice(0, cut)}`)
      const cache = new DescriptionCache(path)
      cache.append(answer(2))
      cache.close()
      appendFileSync(path, `${whole.slice(0, cut)}${JSON.stringify(answer(3))}\n\n\u0000\u0000garbage\n`)
      const again = new DescriptionCache(path)
      expect([1, 2, 3, 7].map((i) => again.state(answer(i).key))).toEqual(["good", "good", "good", undefined])
      expect(again.read(answer(3).key)?.clip).toBe("clip 3")
      again.close()
    }
  })

  it("sees at once what another process appends", () => {
    const path = join(folder, "two.jsonl")
    const [one, two] = [new DescriptionCache(path), new DescriptionCache(path)]
    one.append(answer(1))
    expect(two.state(answer(1).key)).toBeUndefined()
    two.append(answer(2))
    expect([two.state(answer(1).key), two.state(answer(2).key)]).toEqual(["good", "good"])
    one.refresh()
    expect(one.read(answer(2).key)?.clip).toBe("clip 2")
    one.close()
    two.close()
  })

  it("reads lines longer than its buffer", () => {
    const path = join(folder, "wide.jsonl")
    const cache = new DescriptionCache(path)
    cache.append(answer(1, { answer: "x".repeat(9 << 20) }))
    cache.append(answer(2))
    cache.close()
    const again = new DescriptionCache(path)
    expect([again.read(answer(1).key)?.answer.length, again.size]).toEqual([9 << 20, 2])
    expect([...again.history(answer(2).key)]).toHaveLength(1)
    again.close()
  })

  it("opens a million answers in less than five seconds", () => {
    const count = long ? 1_000_000 : 50_000
    const path = join(folder, "large.jsonl")
    const file = openSync(path, "w")
    for (let i = 0; i < count; i += 1000) {
      const lines = Array.from(
        { length: 1000 },
        (_, j) => `${JSON.stringify(answer(i + j, { answer: `Answer ${i + j}. ${"A person walks. ".repeat(12)}` }))}\n`,
      )
      writeSync(file, lines.join(""))
    }
    closeSync(file)
    const before = process.memoryUsage().rss
    const begin = performance.now()
    const cache = new DescriptionCache(path)
    const seconds = (performance.now() - begin) / 1000
    const megabytes = (process.memoryUsage().rss - before) / 1e6
    console.log(
      `${count} answers, ${(readFileSync(path).length / 1e6).toFixed(0)} MB: opened in ${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB more memory`,
    )
    expect(cache.size).toBe(count)
    expect(cache.read(answer(count - 1).key)?.clip).toBe(`clip ${count - 1}`)
    expect(seconds).toBeLessThan(5)
    cache.close()
  })

  it("describes many clips in flat memory", async () => {
    const count = long ? 50_000 : 1_600
    const provider: LiveProvider = {
      mode: "live",
      kind: "test",
      model: "test",
      settings: {},
      destination: null,
      usesStrip: true,
      concurrency: { initial: 8, max: 8 },
      async ask({ strip, prompts }) {
        await strip()
        return {
          text: `A person does what prompt ${prompts[0].id} asks`,
          inputTokens: 1,
          outputTokens: 1,
          finish: "stop",
        }
      },
    }
    const heap: number[] = []
    let encoded = 0
    const clips = Array.from({ length: count }, (_, i) => clip(i))
    const large = {
      settings: {},
      encode: async () => {
        if (++encoded % (count / 8) === 0) heap.push(used())
        return new Uint8Array(50_000)
      },
    }
    const cachePath = join(folder, "many.jsonl")
    const begin = performance.now()
    await describe({ clips, prompts: resolvePrompts("paper"), strips: large, provider, cachePath, collect: false })
    const seconds = (performance.now() - begin) / 1000
    console.log(
      `${count} clips × 4 in ${seconds.toFixed(1)} s; MB in use at each eighth: ${heap.map((bytes) => (bytes / 1e6).toFixed(0)).join(" ")}`,
    )
    expect(encoded).toBe(count)
    expect(heap[7] - heap[1]).toBeLessThan(60e6)
  }, 600_000)
})

function used(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
