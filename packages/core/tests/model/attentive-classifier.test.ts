/** V-JEPA's attentive probe: how many weights it has, that it reads tokens as a set, and what it refuses. */

import { evaluate, input, Rng, type Tensor } from "@fourtier/tensor"
import { initialize, Scope } from "@fourtier/tensor/nn"
import { describe, expect, it } from "vitest"
import { attentiveClassifier } from "../../src/model/attentive-classifier.ts"
import { methodNamed } from "../../src/model/methods/index.ts"
import { modelSchema } from "../../src/schemas/model.ts"

const [B, L, D, C] = [2, 6, 8, 3]
const tokens = Float32Array.from({ length: B * L * D }, (_, i) => Rng.fork("tokens", String(i)).normal())

const weightsOf = (scope: Scope) => scope.params.reduce((sum, { tensor }) => sum + tensor.size, 0)

async function logitsOf(values: Float32Array, length: number, heads = 2) {
  const scope = new Scope()
  const { logits } = attentiveClassifier(scope, input("tokens", [B, length, D]), C, { heads })
  const outputs: Record<string, Tensor> = { logits }
  const weights = initialize(scope.params, (name) => Rng.fork("weights", name))
  for (const [name, own] of weights) for (let i = 0; i < own.length; i++) own[i] += 0.2 * Rng.fork(name, i).normal()
  return Array.from((await evaluate({ outputs }, { tokens: values, ...Object.fromEntries(weights) })).logits, Number)
}

describe("the attentive probe of 4 blocks", () => {
  it("has three blocks of self-attention, a query's block without output projection, and a linear layer", () => {
    const scope = new Scope()
    const { hidden, pooled, logits } = attentiveClassifier(scope, input("tokens", [B, L, D]), C, { heads: 2 })
    expect([hidden.length, pooled.shape, logits.shape]).toEqual([3, [B, D], [B, C]])
    const self = 12 * D * D + 13 * D
    const query = 11 * D * D + 12 * D + D
    expect(weightsOf(scope)).toBe(3 * self + query + D * C + C)
  })

  it("reads tokens as a set: their order does not matter, and their number is free", async () => {
    const expected = await logitsOf(tokens, L)
    const reversed = new Float32Array(tokens.length)
    for (let b = 0; b < B; b++) {
      for (let l = 0; l < L; l++) {
        const from = (b * L + L - 1 - l) * D
        reversed.set(tokens.subarray(from, from + D), (b * L + l) * D)
      }
    }
    const found = await logitsOf(reversed, L)
    for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i], 4)
    const twice = new Float32Array(2 * tokens.length)
    for (let b = 0; b < B; b++) {
      const own = tokens.subarray(b * L * D, (b + 1) * L * D)
      twice.set(own, 2 * b * L * D)
      twice.set(own, (2 * b + 1) * L * D)
    }
    const doubled = await logitsOf(twice, 2 * L)
    for (const [i, value] of doubled.entries()) expect(value).toBeCloseTo(expected[i], 4)
    const others = await logitsOf(tokens, L, 4)
    expect(Math.max(...others.map((value, i) => Math.abs(value - expected[i])))).toBeGreaterThan(1e-3)
  })

  it("as a method has as many heads as headWidth gives, or those that are set", () => {
    const weights = (some: object) => {
      const model = modelSchema.parse({ headWidth: 4, ...some })
      const build = methodNamed("vjepa-probe").build({ prompts: [], model, space: null })
      const m = input("m", [B, 3, 2, D])
      return build({ m, pooled: { s: m, t: m } }, { T: 3, H: 1, W: 2, D }, C, null)
    }
    expect(weights({}).logits.shape).toEqual([B, C])
    expect(weights({ probeHeads: 8 }).logits.shape).toEqual([B, C])
    expect(() => weights({ probeHeads: 3 })).toThrow(/model\.probeHeads[\s\S]*a divisor of 8[\s\S]*3/)
  })
})
