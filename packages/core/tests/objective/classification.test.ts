/** Soft labels and mixup: rows that sum to one, losses equal to the plain formula, and alpha 0 changes nothing. */

import { constant, evaluate, Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { softCrossEntropy, softLabels } from "../../src/objective/classification.ts"
import { drawMixing, mixBatch } from "../../src/objective/mixup.ts"

const labels = [0, 2, 1, 2]

describe("label smoothing", () => {
  it("spreads its share evenly and leaves the rest on the label", () => {
    const rows = softLabels(labels, 4, 0.1, drawMixing(4, 0, new Rng(1)))
    expect([...rows.subarray(4, 8)].map((x) => Math.round(x * 1e6) / 1e6)).toEqual([0.025, 0.025, 0.925, 0.025])
  })

  it("rows sum to one whatever is mixed", () => {
    const rows = softLabels(labels, 4, 0.1, drawMixing(4, 0.8, new Rng(2)))
    for (let i = 0; i < 4; i++) {
      expect(rows.subarray(i * 4, i * 4 + 4).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6)
    }
  })
})

describe("mixup", () => {
  it("with alpha 0 changes neither maps nor labels", async () => {
    const { partner, share } = drawMixing(4, 0, new Rng(3))
    const x = Float32Array.from({ length: 4 * 3 * 2 }, (_, i) => Math.sin(i))
    const mixed = mixBatch(constant(x, [4, 3, 2]), constant(partner, [4], "i64"), constant(share, [4]))
    const found = (await evaluate({ outputs: { mixed } })).mixed
    for (const [i, value] of x.entries()) expect(found[i]).toBeCloseTo(value, 6)
    expect(softLabels(labels, 3, 0, { partner, share })).toEqual(Float32Array.of(1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1))
  })

  it("mixes maps and labels in the same shares, the larger part a clip's own", async () => {
    const mixing = drawMixing(4, 0.8, new Rng(4))
    expect([...mixing.partner].map(Number).toSorted()).toEqual([0, 1, 2, 3])
    expect(mixing.share.every((share) => share >= 0.5 && share <= 1)).toBe(true)
    // the map of a clip is its label's row: then mixing maps must give the mixed labels
    const rows = softLabels(labels, 3, 0, drawMixing(4, 0, new Rng(5)))
    const mixed = mixBatch(constant(rows, [4, 3]), constant(mixing.partner, [4], "i64"), constant(mixing.share, [4]))
    const found = (await evaluate({ outputs: { mixed } })).mixed
    for (const [i, expected] of softLabels(labels, 3, 0, mixing).entries()) expect(found[i]).toBeCloseTo(expected, 6)
  })
})

describe("cross-entropy with soft labels", () => {
  it("equals the plain formula", async () => {
    const logits = Float32Array.of(2, -1, 0.5, 0, 0, 3)
    const targets = Float32Array.of(0.7, 0.2, 0.1, 0.1, 0.1, 0.8)
    const loss = softCrossEntropy(constant(logits, [2, 3]), constant(targets, [2, 3]))
    const plain = [0, 1].map((row) => {
      const own = [...logits.subarray(row * 3, row * 3 + 3)]
      const total = Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0))
      return own.reduce((sum, x, c) => sum - targets[row * 3 + c] * (x - total), 0)
    })
    expect(Number((await evaluate({ outputs: { loss } })).loss[0])).toBeCloseTo((plain[0] + plain[1]) / 2, 5)
  })
})
