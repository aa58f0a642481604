/** Protects that the stated rate of false alarms is kept on clips that the threshold has not seen. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { rocArea, unknownThreshold } from "../../src/metrics/index.ts"

describe("unknown", () => {
  it("lets at most the stated share of further clips pass, and nearly as many", () => {
    for (const [clips, rate] of [
      [19, 0.05],
      [60, 0.05],
      [200, 0.1],
    ]) {
      let alarms = 0
      const rounds = 4000
      for (let i = 0; i < rounds; i++) {
        const rng = Rng.fork("unknown", clips, i)
        const scores = Array.from({ length: clips + 1 }, () => rng.next())
        if (scores[clips] > unknownThreshold(scores.slice(0, clips), rate)) alarms++
      }
      expect(alarms / rounds).toBeLessThan(rate + 3 * Math.sqrt(rate / rounds))
      expect(alarms / rounds).toBeGreaterThan(rate * (1 - 1 / (rate * (clips + 1))) * 0.7)
    }
  })

  it("takes the largest score where the clips are too few for the rate", () => {
    expect(unknownThreshold([0.2, 0.7, 0.4], 0.05)).toBe(0.7)
    expect(() => unknownThreshold([], 0.05)).toThrow(/no clips of background/)
  })

  it("counts pairs for the area under the curve, ties by half", () => {
    const rng = Rng.fork("area")
    const [a, b] = [30, 20].map((count) => Array.from({ length: count }, () => rng.int(12)))
    let pairs = 0
    for (const x of a) for (const y of b) pairs += x > y ? 1 : x === y ? 0.5 : 0
    expect(rocArea(a, b)).toBeCloseTo(pairs / (a.length * b.length), 12)
  })
})
