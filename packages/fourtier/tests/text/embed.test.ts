import { appendFile, mkdtemp, readdir, rm, stat, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { interpolationMatrix } from "@fourtier/tensor"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { CachedTextEncoder } from "../../src/text/cache.ts"
import { resampleTokens, type TextEncoder } from "../../src/text/embed.ts"

/** Three numbers a text, told from its characters; counts how often it is asked. */
function stub(id = "a".repeat(64)): TextEncoder & { asked: string[]; released: boolean; failing: boolean } {
  const vector = (text: string, place: number) => [text.length, place, text.charCodeAt(place) || 0]
  return {
    id,
    width: 3,
    asked: [],
    released: false,
    failing: false,
    async embed(texts) {
      if (this.failing) throw new Error("no power")
      this.asked.push(...texts)
      return {
        pooled: texts.map((text) => Float32Array.from(vector(text, -1))),
        tokens: texts.map((text) => ({
          data: Float32Array.from({ length: text.length * 3 }, (_, i) => vector(text, Math.floor(i / 3))[i % 3]),
          length: text.length,
        })),
      }
    },
    async release() {
      this.released = true
    },
  }
}

describe("resampling along the token axis", () => {
  test("interpolates linearly between token centres and repeats the ends", () => {
    const tokens = { data: Float32Array.of(0, 10, 4, 20), length: 2 }
    expect([...resampleTokens(tokens, 4)]).toEqual([0, 10, 1, 12.5, 3, 17.5, 4, 20])
    expect([...resampleTokens(tokens, 1)]).toEqual([2, 15])
    expect([...resampleTokens(tokens, 2)]).toEqual([0, 10, 4, 20])
    expect([...resampleTokens({ data: Float32Array.of(7, 8), length: 1 }, 3)]).toEqual([7, 8, 7, 8, 7, 8])
  })

  test("is the interpolation of the tensor layer for any lengths", () => {
    for (const [length, rows] of [
      [5, 17],
      [128, 17],
      [3, 204],
      [60, 59],
    ]) {
      const data = Float32Array.from({ length: length * 2 }, (_, i) => Math.sin(i * 1.7))
      const matrix = interpolationMatrix(length, rows, { mode: "linear", coordinates: "half-pixel" })
      const found = resampleTokens({ data, length }, rows)
      for (let row = 0; row < rows; row++) {
        let expected = 0
        for (let k = 0; k < length; k++) expected += matrix[row * length + k] * data[k * 2 + 1]
        expect(found[row * 2 + 1]).toBeCloseTo(expected, 5)
      }
    }
  })

  test("a text without tokens is an error", () => {
    expect(() => resampleTokens({ data: new Float32Array(0), length: 0 }, 4)).toThrow(/without tokens/)
  })
})

describe("embeddings on disk", () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "fourtier-embed-"))
  })
  afterEach(async () => {
    await rm(root, { recursive: true })
  })
  const file = async (end: string) => {
    const directory = join(root, "a".repeat(64))
    return join(directory, (await readdir(directory)).filter((name) => name.endsWith(end))[0])
  }

  test("no text is embedded twice: within a call, by later calls, by later runs", async () => {
    const texts = ["hug", "", "kick", "hug", "日本 \ud800", "日本 \ud801"]
    const first = stub()
    const expected = await stub().embed(texts)
    const cached = await CachedTextEncoder.open(first, root)
    expect(await cached.embed(texts)).toEqual(expected)
    expect(await cached.embed(["kick"])).toEqual(await stub().embed(["kick"]))
    expect(first.asked).toEqual(["hug", "", "kick", "日本 \ud800", "日本 \ud801"])
    expect([cached.computed, cached.reused, cached.size]).toEqual([5, 1, 5])
    await cached.release()
    expect(first.released).toBe(true)

    const second = stub()
    const again = await CachedTextEncoder.open(second, root)
    expect(await again.embed(texts)).toEqual(expected)
    expect(second.asked).toEqual([])
    expect([again.computed, again.reused]).toEqual([0, 5])
    await again.release()
  })

  test("another encoder has embeddings of its own", async () => {
    for (const id of ["a".repeat(64), "b".repeat(64)]) {
      const encoder = stub(id)
      const cached = await CachedTextEncoder.open(encoder, root)
      await cached.embed(["hug"])
      expect(encoder.asked).toEqual(["hug"])
      await cached.release()
    }
  })

  test("calls at once share the work; two writers at once do not disturb each other", async () => {
    const [a, b] = [stub(), stub()]
    const [left, right] = [await CachedTextEncoder.open(a, root), await CachedTextEncoder.open(b, root)]
    await Promise.all([left.embed(["x", "yy"]), left.embed(["yy", "zzz"]), right.embed(["yy", "wwww"])])
    expect(a.asked).toEqual(["x", "yy", "zzz"])
    await left.release()
    await right.release()
    const c = stub()
    const all = await CachedTextEncoder.open(c, root)
    expect(await all.embed(["x", "yy", "zzz", "wwww"])).toEqual(await stub().embed(["x", "yy", "zzz", "wwww"]))
    expect(c.asked).toEqual([])
    await all.release()
  })

  test("an embedding that failed is tried again", async () => {
    const encoder = stub()
    const cached = await CachedTextEncoder.open(encoder, root)
    encoder.failing = true
    await expect(cached.embed(["hug"])).rejects.toThrow("no power")
    encoder.failing = false
    expect(await cached.embed(["hug"])).toEqual(await stub().embed(["hug"]))
    await cached.release()
  })

  test("what a killed process left half-written is embedded anew, the rest is kept", async () => {
    const texts = ["hug", "kick", "point"]
    const cached = await CachedTextEncoder.open(stub(), root)
    for (const text of texts) await cached.embed([text])
    await cached.release()
    const [numbers, lines] = [await file(".bin"), await file(".jsonl")]

    await appendFile(lines, '{"text":"')
    await truncate(numbers, (await stat(numbers)).size - 4)
    const encoder = stub()
    const again = await CachedTextEncoder.open(encoder, root)
    expect(again.size).toBe(2)
    expect(await again.embed(texts)).toEqual(await stub().embed(texts))
    expect(encoder.asked).toEqual(["point"])
    await again.release()

    await rm(numbers)
    await writeFile(lines, 'null\n{}\n[]\n{"text":"x","at":-1,"length":0}\n')
    const third = await CachedTextEncoder.open(stub(), root)
    expect(await third.embed(texts)).toEqual(await stub().embed(texts))
    await third.release()
  })
})
