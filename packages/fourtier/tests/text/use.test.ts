import { readFileSync } from "node:fs"
import { join } from "node:path"
import { liveSessions } from "@fourtier/tensor"
import * as tf from "@tensorflow/tfjs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { TextEncoder } from "../../src/text/embed.ts"
import { loadUse, USE_MAX_TOKENS, usePackageDirectory } from "../../src/text/use.ts"
import { loadReference, relativeDifference } from "../encoders/tfjs-reference.ts"

const fixture: { text: string; ids: number[] }[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures/use-tokens.json"), "utf8"),
)
const TOKENS = "module_apply_default/Encoder_en/KonaTransformer/mul"
const POOLED = "module_apply_default/Encoder_en/hidden_layers/l2_normalize"

let encoder: TextEncoder
beforeAll(async () => {
  encoder = await loadUse()
})
afterAll(async () => {
  await encoder.release()
})

describe("Universal Sentence Encoder Lite", () => {
  test("equals TensorFlow.js on sentences of all lengths, pooled and token by token", async () => {
    const { pooled, tokens } = await encoder.embed(fixture.map(({ text }) => text))
    const reference = await loadReference(join(usePackageDirectory(), "model.json"))
    const lengths = new Set<number>()
    for (const [i, { text, ids }] of fixture.entries()) {
      // TensorFlow.js is slow, and the network sees numbers alone: one text of each length
      if (lengths.has(ids.length)) continue
      lengths.add(ids.length)
      const name = JSON.stringify(text.slice(0, 60))
      // a sparse list cannot end in an empty text: there a second text follows
      const places = ids.length > 0 ? ids.map((_, place) => [0, place]) : [[1, 0]]
      const indices = tf.tensor2d(places, [places.length, 2], "int32")
      const values = tf.tensor1d(ids.length > 0 ? ids : [30], "int32")
      const found = await reference.executeAsync({ indices, values }, [POOLED, TOKENS])
      if (!Array.isArray(found)) throw new Error("two outputs expected")
      const length = Math.min(ids.length, USE_MAX_TOKENS)
      expect(tokens[i].length, name).toBe(length)
      expect(relativeDifference(pooled[i], found[0].dataSync().slice(0, 512)), name).toBeLessThan(1e-5)
      const expected = found[1].dataSync().slice(0, length * 512)
      expect(relativeDifference(tokens[i].data, expected), name).toBeLessThan(1e-5)
      tf.dispose([indices, values, ...found])
    }
    reference.dispose()
    expect(lengths.size).toBeGreaterThan(15)
  }, 120_000)

  test("a text's embedding does not depend on its company", async () => {
    const texts = ["hug", "", fixture[11].text, "日本", "kick ".repeat(500)]
    const together = await encoder.embed(texts)
    for (const [i, text] of texts.entries()) {
      const alone = await encoder.embed([text])
      expect(alone.tokens[0].length).toBe(together.tokens[i].length)
      expect(relativeDifference(alone.pooled[0], together.pooled[i])).toBeLessThan(1e-6)
      expect(relativeDifference(alone.tokens[0].data, together.tokens[i].data)).toBeLessThan(1e-6)
    }
  })

  test("no texts give no embeddings", async () => {
    expect(await encoder.embed([])).toEqual({ pooled: [], tokens: [] })
  })

  test("near meanings lie near", async () => {
    const { pooled } = await encoder.embed([
      "Two men shake hands.",
      "A handshake between two people.",
      "He kicks a ball.",
    ])
    const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0)
    expect(cosine(pooled[0], pooled[0])).toBeCloseTo(1, 5)
    expect(cosine(pooled[0], pooled[1])).toBeGreaterThan(cosine(pooled[0], pooled[2]) + 0.2)
  })

  test("its identity is a hash of the weights and the vocabulary; release frees the sessions", async () => {
    const other = await loadUse()
    expect(other.id).toBe(encoder.id)
    expect(other.id).toMatch(/^[0-9a-f]{64}$/)
    const before = liveSessions()
    await Promise.all([other.embed(["a"]), other.embed(["b"])])
    expect(liveSessions()).toBe(before + 1)
    await other.release()
    expect(liveSessions()).toBe(before)
  })

  test("a missing folder is named", async () => {
    await expect(loadUse({ directory: "/nowhere" })).rejects.toThrow(/\/nowhere\/model\.json/)
  })
})
