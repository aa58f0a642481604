import { withTemperature } from "@fourtier/core"
import {
  figureStatistics,
  meanClassAccuracy,
  negativeLogLikelihood,
  type Prediction,
  reliability,
  topK,
} from "@fourtier/core/metrics"
import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import type { EvaluationInput, MethodPredictions } from "../../src/evaluate/results.ts"
import { leaveOut, summarise } from "../../src/evaluate/summary.ts"

const names = ["hug", "kick", "point", "punch", "push", "shake", "wave"]

/** Predictions of a made-up method that is right with a given chance: `clips` clips, two folds, the given seeds. */
function method(
  name: string,
  chance: number,
  seeds: (number | undefined)[],
  clips = 70,
  split = "main",
): MethodPredictions {
  const predictions = seeds.flatMap((seed) =>
    Array.from({ length: clips }, (_, i): Prediction => {
      const rng = Rng.fork(name, seed ?? -1, i)
      const label = i % names.length
      const said = rng.next() < chance ? label : rng.int(names.length)
      const rest = Array.from({ length: names.length }, () => 0.05 * rng.next())
      const probabilities = rest.map((p, c) => (c === said ? 1 - rest.reduce((sum, q) => sum + q, -rest[said]) : p))
      return {
        clipId: `clip ${i}`,
        label,
        probabilities,
        fold: i % 2 === 0 ? "A" : "B",
        ...(seed === undefined ? {} : { seed }),
      }
    }),
  )
  return { split, method: name, trainedWeights: 1000, predictions }
}
const input = (runs: MethodPredictions[], more: Partial<EvaluationInput> = {}): EvaluationInput => ({
  classes: names,
  runs,
  reference: "full",
  configHash: "abc",
  bootstrap: { resamples: 200 },
  ...more,
})

describe("figures as weighted statistics", () => {
  const { predictions } = method("full", 0.6, [1, 2])
  const ones = new Float64Array(predictions.length).fill(1)

  it("equal the plain metrics when all weights are 1", () => {
    const figures = figureStatistics(predictions, "clips")
    expect(figures.get("top1")?.statistic(ones)).toBeCloseTo(topK(predictions, 1), 12)
    expect(figures.get("top5")?.statistic(ones)).toBeCloseTo(topK(predictions, 5), 12)
    expect(figures.get("meanClass")?.statistic(ones)).toBeCloseTo(meanClassAccuracy(predictions), 12)
    expect(figures.get("nll")?.statistic(ones)).toBeCloseTo(negativeLogLikelihood(predictions), 12)
  })

  it("have shares that sum to the figure, also with uneven folds and classes", () => {
    const uneven = predictions
      .filter((p, i) => p.fold === "A" || i % 3 === 0)
      .filter((p, i) => p.label !== 2 || i % 2 === 0)
    for (const averaging of ["clips", "folds"] as const) {
      for (const { statistic, shares } of figureStatistics(uneven, averaging).values()) {
        if (shares === null) continue
        const sum = shares.reduce((total, share) => total + share, 0)
        expect(sum).toBeCloseTo(statistic(new Float64Array(uneven.length).fill(1)), 12)
      }
    }
  })

  it("average folds of different size equally where asked to", () => {
    const clip = (clipId: string, fold: string, right: boolean): Prediction => ({
      clipId,
      label: 0,
      fold,
      probabilities: right ? [1, 0] : [0, 1],
    })
    const uneven = [clip("a", "A", true), clip("b", "B", false), clip("c", "B", false), clip("d", "B", true)]
    const weights = new Float64Array(4).fill(1)
    expect(figureStatistics(uneven, "clips").get("top1")?.statistic(weights)).toBe(0.5)
    expect(figureStatistics(uneven, "folds").get("top1")?.statistic(weights)).toBeCloseTo((1 + 1 / 3) / 2, 12)
  })

  it("leave out folds and classes that a resample does not hold, instead of counting them as 0 or NaN", () => {
    const weights = Float64Array.from(predictions, ({ fold, label }) => (fold === "A" && label < 3 ? 1 : 0))
    const held = predictions.filter(({ fold, label }) => fold === "A" && label < 3)
    const figures = figureStatistics(predictions, "folds")
    expect(figures.get("top1")?.statistic(weights)).toBeCloseTo(topK(held, 1), 12)
    expect(figures.get("meanClass")?.statistic(weights)).toBeCloseTo(meanClassAccuracy(held), 12)
  })

  it("have no top-5 among five classes or fewer", () => {
    expect(figureStatistics([{ clipId: "a", label: 0, probabilities: [1, 0, 0, 0, 0] }], "clips").has("top5")).toBe(
      false,
    )
  })
})

describe("summary", () => {
  const results = summarise(
    input([method("probe", 0.3, [undefined]), method("full", 0.8, [1, 2, 3])], { exclude: ["point"] }),
  )
  const [whole, partial] = results.splits

  it("gives every figure with an interval around it, and its seeds", () => {
    expect(results.seeds).toEqual([1, 2, 3])
    const full = whole.methods[1]
    expect(full.seeds).toEqual([1, 2, 3])
    for (const figure of ["top1", "top5", "meanClass", "nll"] as const) {
      const { value, low, high } = full.figures[figure] ?? { value: 0, low: 1, high: 0 }
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
    }
    expect(full.figures.top1?.value).toBeCloseTo(topK(method("full", 0.8, [1, 2, 3]).predictions, 1), 12)
  })

  it("takes differences as reference minus method, and none for the reference", () => {
    const [probe, full] = whole.methods
    expect(full.difference).toBeNull()
    const difference = probe.difference?.top1
    expect(difference?.value).toBeCloseTo((full.figures.top1?.value ?? 0) - (probe.figures.top1?.value ?? 0), 12)
    expect(difference?.low).toBeGreaterThan(0)
    expect(difference?.p).toBeLessThan(0.01)
  })

  it("finds no difference between a method and its copy", () => {
    const copy = { ...method("full", 0.8, [1, 2, 3]), method: "copy" }
    const [{ difference }] = summarise(input([copy, method("full", 0.8, [1, 2, 3])])).splits[0].methods
    for (const name of ["top1", "top5", "meanClass", "nll"] as const) {
      expect(difference?.[name]).toEqual({ value: 0, low: 0, high: 0, pBootstrap: 1, p: 1 })
    }
  })

  it("lists folds and seeds with their own accuracy", () => {
    const full = whole.methods[1]
    expect(full.perFold.map(({ fold, clips }) => [fold, clips])).toEqual([
      ["A", 35],
      ["B", 35],
    ])
    const mean = full.perSeed.reduce((sum, { top1 }) => sum + top1 / 3, 0)
    expect(mean).toBeCloseTo(full.figures.top1?.value ?? 0, 12)
  })

  it("adds a set of figures without the excluded classes", () => {
    expect(partial.excluded).toEqual(["point"])
    expect(partial.classes).toEqual(names.filter((name) => name !== "point"))
    expect(partial.clips).toBe(60)
    expect(partial.methods[1].confusion).toHaveLength(6)
  })

  it("uses Wilson's interval where every clip is right, for resampling would claim certainty", () => {
    const perfect = summarise(input([method("full", 1.1, [1])])).splits[0].methods[0]
    expect(perfect.figures.top1).toMatchObject({ value: 1, high: 1 })
    expect(perfect.figures.top1?.low).toBeCloseTo(1 - 3.841 / (70 + 3.841), 3)
  })

  it("counts distinct clips, not seeds, in the intervals of classes", () => {
    const [one] = whole.methods[1].classes
    expect(one.support).toBe(30)
    const recall = one.recall ?? 0
    expect((one.interval?.high ?? 0) - (one.interval?.low ?? 0)).toBeGreaterThan(
      2 * 1.96 * Math.sqrt((recall * (1 - recall)) / 30),
    )
  })

  it("draws groups where clips have them", () => {
    const run = method("full", 0.6, [1])
    const grouped = { ...run, predictions: run.predictions.map((p, i) => ({ ...p, group: `g${Math.floor(i / 10)}` })) }
    expect(summarise(input([grouped])).splits[0].groups).toBe(7)
    expect(summarise(input([run])).splits[0].groups).toBeNull()
  })

  it("handles a test part that lacks classes, and a split where only excluded classes are left", () => {
    const run = method("full", 0.7, [1])
    const part = { ...run, predictions: run.predictions.filter(({ label }) => label === 2) }
    const { splits } = summarise(input([part], { exclude: ["point"] }))
    expect(splits).toHaveLength(1)
    expect(splits[0].methods[0].classes[0]).toMatchObject({ support: 0, recall: null, interval: null })
  })
})

describe("leaving classes out", () => {
  it("drops their clips, scales the other probabilities to sum 1 and renumbers labels", () => {
    const clips: Prediction[] = [
      { clipId: "a", label: 2, probabilities: [0.2, 0.5, 0.3] },
      { clipId: "b", label: 1, probabilities: [0.1, 0.8, 0.1] },
      { clipId: "c", label: 0, probabilities: [0, 1, 0] },
    ]
    const left = leaveOut(clips, ["x", "y", "z"], ["y"])
    expect(left.map(({ clipId, label }) => [clipId, label])).toEqual([
      ["a", 1],
      ["c", 0],
    ])
    expect(Array.from(left[0].probabilities)).toEqual([0.4, 0.6])
    expect(Array.from(left[1].probabilities)).toEqual([0.5, 0.5])
  })
})

describe("input that cannot be compared", () => {
  const full = method("full", 0.8, [1, 2])
  const change = (edit: (predictions: Prediction[]) => Prediction[]): MethodPredictions => ({
    ...method("probe", 0.5, [1, 2]),
    predictions: edit([...method("probe", 0.5, [1, 2]).predictions]),
  })

  it.each<[string, MethodPredictions[], RegExp]>([
    ["no reference", [method("probe", 0.5, [1])], /reference method is missing[\s\S]*full[\s\S]*probe/],
    ["a method twice", [full, full], /method full appears twice/],
    ["a clip missing in both seeds", [full, change((p) => p.filter((one) => one.clipId !== "clip 7"))], /clip clip 7/],
    [
      "a seed missing for one clip",
      [full, change((p) => p.slice(1))],
      /probe on main: clip clip 0 was not tested with/,
    ],
    ["a clip twice", [full, change((p) => [...p, p[0]])], /clip clip 0 appears twice/],
    ["another label", [full, change((p) => p.map((one) => ({ ...one, label: 0 })))], /label differs from that of full/],
    [
      "another group",
      [full, change((p) => p.map((one) => ({ ...one, group: "g" })))],
      /group differs from that of full/,
    ],
    ["no predictions", [full, change(() => [])], /probe on main: nothing to score/],
  ])("%s is named", (_, runs, message) => {
    expect(() => summarise(input(runs))).toThrow(message)
  })

  it("names unknown classes to leave out, and refuses to leave out all", () => {
    expect(() => summarise(input([full], { exclude: ["pont"] }))).toThrow(/unknown class[\s\S]*did you mean point/)
    expect(() => summarise(input([full], { exclude: names }))).toThrow(/no class is left/)
    expect(() => summarise(input([full], { classes: names.slice(1) }))).toThrow(/wrong number of probabilities/)
  })
})

describe("a calibrated reference", () => {
  const runs = [method("full", 0.6, [1, 2]), method("baseline", 0.5, [1, 2])]
  const calibration = (temperature: number) => ({ temperature, clips: 40, from: "cross-fitting" })

  it("has its figures at the temperature of each fold beside the others, which stay", () => {
    const plain = summarise(input(runs))
    const calibrations = new Map([
      ["A", calibration(2)],
      ["B", calibration(8)],
    ])
    const found = summarise(input(runs, { calibrations })).splits[0]
    const [full, baseline] = found.methods
    expect(baseline.calibrated).toBeNull()
    expect({ ...full, calibrated: null }).toEqual(plain.splits[0].methods[0])
    expect(full.calibrated).toMatchObject({ clips: 40, from: "cross-fitting" })
    expect(full.calibrated?.temperature).toBeCloseTo(4, 9)
    const told = runs[0].predictions.map((one) => ({
      ...one,
      probabilities: withTemperature(one.probabilities, one.fold === "A" ? 2 : 8),
    }))
    expect(full.calibrated?.nll).toBeCloseTo(negativeLogLikelihood(told), 12)
    expect(full.calibrated?.reliability).toEqual(reliability(told))
  })

  it("has none where a fold was not calibrated", () => {
    const calibrations = new Map([["A", calibration(2)]])
    expect(summarise(input(runs, { calibrations })).splits[0].methods[0].calibrated).toBeNull()
  })
})

describe("the mean over splits", () => {
  const runs = ["split1", "split2", "split3"].flatMap((split, k) =>
    ["baseline", "full"].map((name) => {
      // the splits' test parts overlap, as those of HMDB51 may
      const own = method(name, 0.4 + 0.1 * k + (name === "full" ? 0.2 : 0), [1, 2], 70 - 20 * k, split)
      return { ...own, predictions: own.predictions.map(({ fold: _, ...rest }) => rest) }
    }),
  )
  const together = ["split1", "split2", "split3"]

  it("counts every split the same, whatever its size, with an interval and a paired difference", () => {
    const { splits, means } = summarise(input(runs, { together }))
    expect(means).toHaveLength(1)
    const [{ methods, folds, clips, split }] = means
    expect([split, folds, clips]).toEqual(["mean of split1, split2, split3", together, 70])
    for (const [m, { figures, perFold, difference }] of methods.entries()) {
      for (const name of ["top1", "meanClass", "macroF1"] as const) {
        const each = splits.map((one) => one.methods[m].figures[name]?.value ?? Number.NaN)
        expect(figures[name]?.value).toBeCloseTo(each.reduce((sum, value) => sum + value, 0) / 3, 12)
        expect(figures[name]?.low).toBeLessThan(figures[name]?.value ?? 0)
      }
      expect(perFold.map(({ top1 }) => top1)).toEqual(
        splits.map((one) => expect.closeTo(one.methods[m].figures.top1?.value ?? 0, 12)),
      )
      if (m === 0) expect(difference?.top1?.p).toBeLessThan(0.05)
    }
  })

  it("is there for several splits alone, and for methods that were tested on all of them", () => {
    expect(summarise(input(runs)).means).toEqual([])
    expect(summarise(input(runs, { together: ["split1"] })).means).toEqual([])
    const fewer = runs.filter(({ split, method: name }) => split !== "split2" || name === "full")
    expect(summarise(input(fewer, { together })).means[0].methods.map((one) => one.method)).toEqual(["full"])
  })
})
