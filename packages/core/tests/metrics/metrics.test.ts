import { describe, expect, it } from "vitest"
import {
  calibrationError,
  checkPredictions,
  confusionMatrix,
  meanClassAccuracy,
  negativeLogLikelihood,
  type Prediction,
  perClass,
  rankOfLabel,
  topK,
} from "../../src/metrics/metrics.ts"
import { averagePrecision, multiLabelPrecision } from "../../src/metrics/multi-label.ts"
import { averageClips, averageViews, softmax } from "../../src/metrics/views.ts"

const clip = (clipId: string, label: number, probabilities: number[]): Prediction => ({ clipId, label, probabilities })
/** Six clips, three classes; class 2 is never predicted, two of three clips of class 0 are right. */
const six = [
  clip("a", 0, [0.7, 0.2, 0.1]),
  clip("b", 0, [0.5, 0.3, 0.2]),
  clip("c", 0, [0.1, 0.8, 0.1]),
  clip("d", 1, [0.3, 0.6, 0.1]),
  clip("e", 1, [0.2, 0.5, 0.3]),
  clip("f", 2, [0.6, 0.1, 0.3]),
]

describe("classification", () => {
  it("counts top-1 and top-k by hand-ranked clips", () => {
    expect(six.map(rankOfLabel)).toEqual([0, 0, 1, 0, 0, 1])
    expect(topK(six, 1)).toBeCloseTo(4 / 6, 12)
    expect(topK(six, 2)).toBe(1)
  })

  it("breaks ties towards the lower class, so that a constant model is not right everywhere", () => {
    const tied = [clip("a", 0, [0.5, 0.5]), clip("b", 1, [0.5, 0.5])]
    expect(topK(tied, 1)).toBe(0.5)
    expect(confusionMatrix(tied)).toEqual([
      [1, 0],
      [1, 0],
    ])
    expect(tied.map(rankOfLabel)).toEqual([0, 1])
  })

  it("puts truth in rows and prediction in columns", () => {
    expect(confusionMatrix(six)).toEqual([
      [2, 1, 0],
      [0, 2, 0],
      [1, 0, 0],
    ])
  })

  it("gives precision, recall, F1 and support of each class by hand", () => {
    const [zero, one, two] = perClass(six)
    expect(zero).toEqual({ precision: 2 / 3, recall: 2 / 3, f1: 4 / 6, support: 3, predicted: 3 })
    expect(one).toEqual({ precision: 2 / 3, recall: 1, f1: 4 / 5, support: 2, predicted: 3 })
    expect(two).toEqual({ precision: null, recall: 0, f1: 0, support: 1, predicted: 0 })
    expect(meanClassAccuracy(six)).toBeCloseTo((2 / 3 + 1 + 0) / 3, 12)
  })

  it("leaves classes without test clips out of the mean instead of counting them as 0", () => {
    const part = six.slice(0, 5)
    expect(perClass(part)[2]).toEqual({ precision: null, recall: null, f1: null, support: 0, predicted: 0 })
    expect(meanClassAccuracy(part)).toBeCloseTo((2 / 3 + 1) / 2, 12)
  })

  it("works with one class", () => {
    const one = [clip("a", 0, [1]), clip("b", 0, [1])]
    expect(topK(one, 1)).toBe(1)
    expect(meanClassAccuracy(one)).toBe(1)
    expect(calibrationError(one)).toBe(0)
    expect(negativeLogLikelihood(one)).toBe(0)
  })

  it("gives the negative log-likelihood by hand and keeps it finite at probability 0", () => {
    const expected =
      -(Math.log(0.7) + Math.log(0.5) + Math.log(0.1) + Math.log(0.6) + Math.log(0.5) + Math.log(0.3)) / 6
    expect(negativeLogLikelihood(six)).toBeCloseTo(expected, 12)
    expect(negativeLogLikelihood([clip("a", 0, [0, 1])])).toBeCloseTo(-Math.log(1e-12), 9)
  })

  it("gives the calibration error by hand: two bins, one over-confident, one under-confident", () => {
    // Confidences 0.95 and 0.85 (bin 0.8-1 of five): one of two right: |0.5 - 0.9|. 0.55 (bin 0.4-0.6): right: |1 - 0.55|.
    const clips = [clip("a", 0, [0.95, 0.05]), clip("b", 1, [0.85, 0.15]), clip("c", 0, [0.55, 0.45])]
    expect(calibrationError(clips, 5)).toBeCloseTo((2 * 0.4 + 1 * 0.45) / 3, 12)
  })

  it("puts a confidence on the edge of two bins into the lower one", () => {
    const clips = [clip("a", 0, [0.8, 0.2]), clip("b", 1, [0.85, 0.15])]
    expect(calibrationError(clips, 5)).toBeCloseTo((0.2 + 0.85) / 2, 12)
  })

  it("reads Float32Array probabilities whose sum is off by rounding", () => {
    expect(topK([{ clipId: "a", label: 2, probabilities: Float32Array.from([1 / 3, 1 / 3, 1 / 3 + 1e-6]) }], 1)).toBe(1)
  })
})

describe("broken input", () => {
  it.each([
    ["no clips", [], /nothing to score/],
    ["NaN", [clip("bad", 0, [Number.NaN, 1])], /clip bad.*probability of class 0[\s\S]*NaN[\s\S]*training loss/],
    ["logits", [clip("bad", 0, [3, -2])], /clip bad.*probability of class 0[\s\S]*0 to 1/],
    ["no softmax", [clip("bad", 0, [0.5, 0.2])], /do not sum to 1/],
    ["label too high", [clip("bad", 2, [0.5, 0.5])], /label outside the classes[\s\S]*0 to 1/],
    ["label not whole", [clip("bad", 0.5, [0.5, 0.5])], /label outside the classes/],
    ["ragged", [clip("a", 0, [1]), clip("bad", 0, [0.5, 0.5])], /clip bad.*wrong number of probabilities/],
    ["no classes", [clip("bad", 0, [])], /wrong number of probabilities/],
  ])("%s is an error that names the clip", (_, predictions, message) => {
    expect(() => checkPredictions(predictions)).toThrow(message)
  })

  it("refuses k above the number of classes", () => {
    expect(() => topK(six, 4)).toThrow(/k outside the classes[\s\S]*1 to 3/)
  })
})

describe("multi-label", () => {
  it("gives average precision by hand", () => {
    // Order: right, wrong, right, wrong, right -> (1/1 + 2/3 + 3/5) / 3
    expect(averagePrecision([0.9, 0.8, 0.7, 0.6, 0.5], [true, false, true, false, true])).toBeCloseTo(
      (1 + 2 / 3 + 3 / 5) / 3,
      12,
    )
  })

  it("takes equal scores as one step, whatever their order", () => {
    expect(averagePrecision([0.5, 0.5], [true, false])).toBe(0.5)
    expect(averagePrecision([0.5, 0.5], [false, true])).toBe(0.5)
  })

  it("skips classes without positives and refuses data without any", () => {
    const clips = [
      { clipId: "a", labels: [0], scores: [0.9, 0.1, 0.3] },
      { clipId: "b", labels: [0, 2], scores: [0.8, 0.1, 0.2] },
    ]
    expect(multiLabelPrecision(clips)).toEqual({ mean: (1 + 0.5) / 2, classes: [1, null, 0.5] })
    expect(() => multiLabelPrecision([{ clipId: "a", labels: [], scores: [1] }])).toThrow(/no clip has a label/)
    expect(() => multiLabelPrecision([{ clipId: "a", labels: [0], scores: [Number.NaN] }])).toThrow(
      /clip a.*[\s\S]*NaN/,
    )
    expect(() => multiLabelPrecision([])).toThrow(/nothing to score/)
  })
})

describe("views", () => {
  it("survives logits beyond the range of exp", () => {
    expect([...softmax([1000, 1000])]).toEqual([0.5, 0.5])
    expect([...softmax([-1e30, 0])]).toEqual([0, 1])
  })

  it("averages probabilities, not logits", () => {
    const [p] = averageViews([0, Math.log(3), 0, Math.log(1)], 2)
    expect(p).toBeCloseTo((0.25 + 0.5) / 2, 6)
  })

  it("splits [B,V,C] by clip", () => {
    const clips = averageClips([10, 0, 10, 0, 0, 10, 0, 10], 2, 2)
    expect(clips.map((p) => p[0] > 0.5)).toEqual([true, false])
    expect(averageClips([], 0, 4)).toEqual([])
  })

  it("names the class of a logit that is not finite, and wrong lengths", () => {
    expect(() => softmax([0, Number.NaN])).toThrow(/class 1[\s\S]*NaN/)
    expect(() => softmax([0, Number.POSITIVE_INFINITY])).toThrow(/class 1/)
    expect(() => softmax([])).toThrow(/softmax of nothing/)
    expect(() => averageViews([1, 2, 3], 2)).toThrow(/wrong length/)
  })
})
