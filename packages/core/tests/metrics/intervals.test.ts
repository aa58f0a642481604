import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import {
  bootstrap,
  normalQuantile,
  type Observation,
  pairedBootstrap,
  quantile,
  type Statistic,
  signFlipP,
  wilson,
} from "../../src/metrics/intervals.ts"
import { exchangeP } from "../../src/metrics/permutation.ts"

const mean =
  (values: readonly number[]): Statistic =>
  (weights) => {
    let sum = 0
    let total = 0
    for (let i = 0; i < weights.length; i++) {
      sum += weights[i] * values[i]
      total += weights[i]
    }
    return sum / total
  }
const clips = (n: number): Observation[] => Array.from({ length: n }, (_, i) => ({ clipId: `c${i}` }))

/** Share of simulated experiments whose interval holds `truth`. */
function coverage(
  trials: number,
  truth: number,
  experiment: (rng: Rng, trial: number) => { low: number; high: number },
): number {
  let held = 0
  for (let trial = 0; trial < trials; trial++) {
    const { low, high } = experiment(Rng.fork("coverage", trial), trial)
    if (low <= truth && truth <= high) held++
  }
  return held / trials
}

describe("bootstrap over clips", () => {
  it("covers the true accuracy about 95 times in 100", () => {
    const share = coverage(400, 0.8, (rng, seed) => {
      const values = Array.from({ length: 120 }, () => (rng.next() < 0.8 ? 1 : 0))
      return bootstrap(clips(120), [mean(values)], { resamples: 400, seed })[0]
    })
    expect(share).toBeGreaterThan(0.91)
    expect(share).toBeLessThan(0.985)
  })

  it("has the width of the normal approximation at 400 clips", () => {
    const values = Array.from({ length: 400 }, (_, i) => (i % 4 === 0 ? 0 : 1))
    const { value, low, high } = bootstrap(clips(400), [mean(values)], { resamples: 4000 })[0]
    const expected = 2 * 1.96 * Math.sqrt((0.75 * 0.25) / 400)
    expect(value).toBe(0.75)
    expect((high - low) / expected).toBeGreaterThan(0.94)
    expect((high - low) / expected).toBeLessThan(1.06)
  })

  it("gives the same interval for the same seed and another for another", () => {
    const values = Array.from({ length: 50 }, (_, i) => Math.sin(i))
    const run = (seed: number) => bootstrap(clips(50), [mean(values)], { resamples: 200, seed })[0]
    expect(run(1)).toEqual(run(1))
    expect(run(1)).not.toEqual(run(2))
  })

  it("narrows with a lower level", () => {
    const values = Array.from({ length: 50 }, (_, i) => i)
    const width = (level: number) => {
      const { low, high } = bootstrap(clips(50), [mean(values)], { resamples: 2000, level })[0]
      return high - low
    }
    expect(width(0.5)).toBeLessThan(width(0.95) / 2)
  })

  it("refuses no observations and impossible options", () => {
    expect(() => bootstrap([], [])).toThrow(/nothing to resample/)
    expect(() => bootstrap(clips(2), [], { level: 1 })).toThrow(/level 1/)
    expect(() => bootstrap(clips(2), [], { resamples: 0 })).toThrow(/0 resamples/)
  })
})

describe("bootstrap over groups", () => {
  /** 40 groups of 6 clips that are all right or all wrong together. */
  const experiment = (rng: Rng, seed: number, grouped: boolean) => {
    const observations: Observation[] = []
    const values: number[] = []
    for (let g = 0; g < 40; g++) {
      const right = rng.next() < 0.7 ? 1 : 0
      for (let i = 0; i < 6; i++) {
        observations.push({ clipId: `${g}-${i}`, ...(grouped ? { group: `g${g}` } : {}) })
        values.push(right)
      }
    }
    return bootstrap(observations, [mean(values)], { resamples: 300, seed })[0]
  }

  it("covers when groups are given, and would be far too sure without them", () => {
    expect(coverage(200, 0.7, (rng, seed) => experiment(rng, seed, true))).toBeGreaterThan(0.9)
    expect(coverage(200, 0.7, (rng, seed) => experiment(rng, seed, false))).toBeLessThan(0.75)
  })
})

describe("bootstrap over seeds", () => {
  /** Every training seed shifts the accuracy of all clips. */
  const experiment = (rng: Rng, bootstrapSeed: number, named: boolean) => {
    const observations: Observation[] = []
    const values: number[] = []
    for (let seed = 0; seed < 8; seed++) {
      const chance = 0.7 + 0.1 * rng.normal()
      for (let i = 0; i < 100; i++) {
        observations.push({ clipId: `c${i}`, ...(named ? { seed } : {}) })
        values.push(rng.next() < chance ? 1 : 0)
      }
    }
    return bootstrap(observations, [mean(values)], { resamples: 300, seed: bootstrapSeed })[0]
  }

  it("covers the mean over seeds when seeds differ, and would not without drawing them", () => {
    expect(coverage(200, 0.7, (rng, seed) => experiment(rng, seed, true))).toBeGreaterThan(0.85)
    expect(coverage(200, 0.7, (rng, seed) => experiment(rng, seed, false))).toBeLessThan(0.8)
  })

  it("equals the interval over clips when all seeds agree", () => {
    const values = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 0 : 1))
    const one = bootstrap(clips(60), [mean(values)], { resamples: 4000 })[0]
    const observations = [1, 2, 3].flatMap((seed) => clips(60).map((clip) => ({ ...clip, seed })))
    const three = bootstrap(observations, [mean([...values, ...values, ...values])], { resamples: 4000 })[0]
    expect(three.value).toBeCloseTo(one.value, 12)
    expect(three.low).toBeCloseTo(one.low, 1)
    expect(three.high).toBeCloseTo(one.high, 1)
  })
})

describe("paired differences", () => {
  it("is far narrower than two unpaired intervals when the methods fail on the same clips", () => {
    const a = Array.from({ length: 200 }, (_, i) => (i < 150 ? 1 : 0))
    const b = a.map((value, i) => (i < 6 ? 0 : value))
    const side = (values: number[]) => ({ observations: clips(200), statistics: [mean(values)] })
    const [difference] = pairedBootstrap(side(a), side(b), { resamples: 2000 })
    expect(difference.value).toBeCloseTo(0.03, 12)
    expect(difference.low).toBeGreaterThan(0)
    expect(difference.pBootstrap).toBeLessThan(0.05)
    const [alone] = bootstrap(clips(200), [mean(a)], { resamples: 2000 })
    expect(difference.high - difference.low).toBeLessThan((alone.high - alone.low) / 2)
  })

  it("gives p 1 and a zero interval for a method against itself", () => {
    const values = Array.from({ length: 40 }, (_, i) => i % 2)
    const side = { observations: clips(40), statistics: [mean(values)] }
    expect(pairedBootstrap(side, side)[0]).toEqual({ value: 0, low: 0, high: 0, pBootstrap: 1 })
  })

  it("does not depend on the order of observations", () => {
    const rng = new Rng(3)
    const values = clips(30).map(() => rng.next())
    const other = clips(30).map(() => rng.next())
    const forward = pairedBootstrap(
      { observations: clips(30), statistics: [mean(values)] },
      { observations: clips(30), statistics: [mean(other)] },
    )[0]
    const backward = pairedBootstrap(
      { observations: clips(30), statistics: [mean(values)] },
      { observations: clips(30).reverse(), statistics: [mean(other.toReversed())] },
    )[0]
    expect(backward.value).toBeCloseTo(forward.value, 12)
    expect(backward.low).toBeCloseTo(forward.low, 12)
    expect(backward.high).toBeCloseTo(forward.high, 12)
  })

  it("compares a method of three seeds with one that has a single run", () => {
    const once = clips(50).map((_, i) => (i % 2 === 0 ? 1 : 0))
    const observations = [1, 2, 3].flatMap((seed) => clips(50).map((clip) => ({ ...clip, seed })))
    const thrice = observations.map((_, i) => (i % 5 === 0 ? 0 : 1))
    const [difference] = pairedBootstrap(
      { observations, statistics: [mean(thrice)] },
      { observations: clips(50), statistics: [mean(once)] },
    )
    expect(difference.value).toBeCloseTo(0.3, 12)
    expect(difference.low).toBeLessThan(difference.value)
  })

  it("draws training seeds together where both methods have the same, otherwise apart", () => {
    // Both methods: the first seed is right on all clips, the second on half, the third on none.
    const runs = (seeds: number[]) => seeds.flatMap((seed) => clips(20).map((clip) => ({ ...clip, seed })))
    const values = runs([1, 2, 3]).map((_, i) => (i < 20 || (i < 40 && i % 2 === 0) ? 1 : 0))
    const side = (seeds: number[]) => ({ observations: runs(seeds), statistics: [mean(values)] })
    const [same] = pairedBootstrap(side([1, 2, 3]), side([1, 2, 3]))
    const [others] = pairedBootstrap(side([1, 2, 3]), side([4, 5, 6]))
    expect([same.low, same.high]).toEqual([0, 0])
    expect(others.value).toBe(0)
    expect(others.low).toBeLessThan(-0.3)
    expect(others.high).toBeGreaterThan(0.3)
  })

  it("refuses methods tested on different clips and names one", () => {
    const side = (n: number) => ({ observations: clips(n), statistics: [mean(Array(n).fill(1))] })
    expect(() => pairedBootstrap(side(3), side(4))).toThrow(/clip c3 has a prediction of one of them only/)
    expect(() => pairedBootstrap(side(4), side(3))).toThrow(/clip c3/)
  })

  it("rejects the truth about 5 times in 100 under no difference", () => {
    const experiment = (rng: Rng) => {
      const a = clips(60).map(() => (rng.next() < 0.7 ? 1 : 0))
      const b = clips(60).map(() => (rng.next() < 0.7 ? 1 : 0))
      const p = signFlipP(
        a.map((value, i) => value - b[i]),
        { resamples: 300 },
      )
      return { low: p < 0.05 ? 1 : -1, high: 2 }
    }
    const kept = coverage(400, 0, experiment)
    expect(kept).toBeGreaterThan(0.925)
    expect(kept).toBeLessThan(1)
  })
})

describe("sign flips", () => {
  it("equals the exact sign test on equal differences", () => {
    // Five differences of the same sign: only two of 32 patterns are as extreme.
    expect(signFlipP([1, 1, 1, 1, 1])).toBe(2 / 32)
    // Four against one: patterns with |sum| >= 3: 2 * (1 + 5) of 32.
    expect(signFlipP([1, 1, 1, 1, -1])).toBe(12 / 32)
  })

  it("gives 1 without any difference, and leaves zeros out of the patterns", () => {
    expect(signFlipP([])).toBe(1)
  })

  it("exchanging the predictions of two methods is the sign-flip test where the figure is a mean", () => {
    const rng = Rng.fork("exchange")
    const right = Float64Array.from({ length: 60 }, (_, i) => Number(rng.next() < (i < 30 ? 0.95 : 0.5)))
    const clips = Array.from({ length: 30 }, (_, i) => ({ clipId: `${i}`, group: `g${i >> 1}` }))
    const accuracy = (weights: Float64Array) => right.reduce((sum, x, i) => sum + (x * weights[i]) / 30, 0)
    const differences = Array.from({ length: 15 }, (_, g) =>
      [2 * g, 2 * g + 1].reduce((sum, i) => sum + right[i] - right[30 + i], 0),
    )
    const expected = signFlipP(differences, { resamples: 100_000 })
    expect(expected).toBeLessThan(0.2)
    expect(exchangeP(clips, clips, accuracy, { resamples: 20_000 })).toBeCloseTo(expected, 1)
    expect(exchangeP(clips, clips, () => 1)).toBe(1)
    expect(signFlipP([0, 0, 0])).toBe(1)
    expect(signFlipP([1, 0, 1, 0, 1, 1, 1])).toBe(2 / 32)
  })

  it("comes near the exact p when it samples", () => {
    const differences = [3, 1, 2, -1, 2, 2, -2, 1, 3, 1]
    const exact = signFlipP(differences)
    expect(signFlipP(differences, { resamples: 1000 })).toBeCloseTo(exact, 1)
    expect(signFlipP(Array(60).fill(1), { resamples: 999 })).toBe(1 / 1000)
  })
})

describe("Wilson interval", () => {
  it("equals published values", () => {
    // Newcombe 1998, table I, method 3: 81/263, 15/148, 0/20, 1/29.
    const rows = [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
      [1, 29, 0.0061, 0.1718],
    ]
    for (const [successes, trials, low, high] of rows) {
      const interval = wilson(successes, trials)
      expect(interval.low).toBeCloseTo(low, 4)
      expect(interval.high).toBeCloseTo(high, 4)
    }
  })

  it("stays inside 0 to 1 and mirrors itself", () => {
    const all = wilson(20, 20)
    expect(all.high).toBe(1)
    expect(all.low).toBeCloseTo(1 - 0.1611, 4)
    expect(() => wilson(0, 0)).toThrow(/not a proportion/)
    expect(() => wilson(3, 2)).toThrow(/3 of 2/)
  })

  it("rests on normal quantiles known to ten digits", () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 10)
    expect(normalQuantile(0.5)).toBeCloseTo(0, 12)
    expect(normalQuantile(0.0005)).toBeCloseTo(-3.290526731491926, 9)
  })
})

describe("quantile", () => {
  it("is linear between neighbours and clamps at the ends", () => {
    expect(quantile([1, 2, 4], 0.5)).toBe(2)
    expect(quantile([1, 2, 4], 0.75)).toBe(3)
    expect(quantile([1, 2, 4], 1)).toBe(4)
    expect(quantile([7], 0.3)).toBe(7)
  })
})
