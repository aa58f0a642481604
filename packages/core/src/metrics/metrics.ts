/**
 * Metrics of a classifier. All of them are functions of predictions alone. Ties between probabilities go to
 * the lower class index, as argmax does.
 */

import { FourtierError } from "@fourtier/tensor"

/** What one trained model says about one test clip. */
export interface Prediction {
  clipId: string
  /** Index of the true class. */
  label: number
  /** `[C]`, sums to 1. */
  probabilities: ArrayLike<number>
  /** The test part this clip was in, where there are several. */
  fold?: string
  /** The seed of the training run. */
  seed?: number
  /** Clips of one group (same source video, same person) are not independent of each other. */
  group?: string
}

export interface ClassMetrics {
  /** Right among those predicted to be of this class; null where none was. */
  precision: number | null
  /** Right among those of this class, that is the class's accuracy; null where none is. */
  recall: number | null
  f1: number | null
  /** Predictions whose true class this is. */
  support: number
  /** Predictions that say this class. */
  predicted: number
}

/**
 * Checks that predictions can be scored.
 * @returns C, the number of classes
 * @throws FourtierError for no predictions, labels outside the classes, and probabilities that are not a distribution.
 *
 * @example
 * ```ts
 * import { checkPredictions } from "@fourtier/core/metrics"
 *
 * checkPredictions([{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }]) // 2
 * ```
 */
export function checkPredictions(predictions: readonly Prediction[], where = "predictions"): number {
  if (predictions.length === 0) {
    throw new FourtierError({ where, what: "nothing to score", expected: "at least one test clip", found: "none" })
  }
  const classes = predictions[0].probabilities.length
  for (const prediction of predictions) checkOne(prediction, classes, where)
  return classes
}

function checkOne({ clipId, label, probabilities }: Prediction, classes: number, where: string): void {
  const place = `${where}: clip ${clipId}`
  if (probabilities.length !== classes || classes === 0) {
    const found = `${probabilities.length}`
    throw new FourtierError({
      where: place,
      what: "wrong number of probabilities",
      expected: `${classes || "one or more"}`,
      found,
    })
  }
  if (!Number.isInteger(label) || label < 0 || label >= classes) {
    throw new FourtierError({
      where: place,
      what: "label outside the classes",
      expected: `0 to ${classes - 1}`,
      found: `${label}`,
    })
  }
  let sum = 0
  for (let c = 0; c < classes; c++) {
    const p = probabilities[c]
    if (!(p >= 0 && p <= 1 + 1e-4)) {
      const fix = Number.isNaN(p) ? { fix: "the model's output is not a number; look at the training loss" } : {}
      throw new FourtierError({
        where: place,
        what: `probability of class ${c} is wrong`,
        expected: "0 to 1",
        found: `${p}`,
        ...fix,
      })
    }
    sum += p
  }
  if (Math.abs(sum - 1) > 1e-3) {
    throw new FourtierError({
      where: place,
      what: "probabilities do not sum to 1",
      expected: "the output of a softmax",
      found: `sum ${sum}`,
    })
  }
}

/**
 * The class of highest probability.
 *
 * @example
 * ```ts
 * import { argmax } from "@fourtier/core/metrics"
 *
 * argmax([0.1, 0.7, 0.2]) // 1
 * ```
 */
export function argmax(probabilities: ArrayLike<number>): number {
  let best = 0
  for (let c = 1; c < probabilities.length; c++) if (probabilities[c] > probabilities[best]) best = c
  return best
}

/**
 * How many classes stand before the true one; 0 where the prediction is right.
 *
 * @example
 * ```ts
 * import { rankOfLabel } from "@fourtier/core/metrics"
 *
 * rankOfLabel({ clipId: "jump/a", label: 1, probabilities: [0.6, 0.4] }) // 1
 * ```
 */
export function rankOfLabel({ label, probabilities }: Prediction): number {
  let before = 0
  for (let c = 0; c < probabilities.length; c++) {
    if (probabilities[c] > probabilities[label] || (probabilities[c] === probabilities[label] && c < label)) before++
  }
  return before
}

/**
 * Share of clips whose true class is among the k most probable. `k` may not exceed the number of classes.
 *
 * @example
 * ```ts
 * import { topK } from "@fourtier/core/metrics"
 *
 * const right = { clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }
 * const wrong = { clipId: "wave/b", label: 1, probabilities: [0.6, 0.4] }
 * topK([right, wrong], 1) // 0.5
 * ```
 */
export function topK(predictions: readonly Prediction[], k: number): number {
  const classes = checkPredictions(predictions)
  if (!Number.isInteger(k) || k < 1 || k > classes) {
    throw new FourtierError({
      where: "top-k",
      what: "k outside the classes",
      expected: `1 to ${classes}`,
      found: `${k}`,
    })
  }
  return predictions.filter((prediction) => rankOfLabel(prediction) < k).length / predictions.length
}

/**
 * `[C][C]` counts: row = true class, column = predicted class.
 *
 * @example
 * ```ts
 * import { confusionMatrix } from "@fourtier/core/metrics"
 *
 * confusionMatrix([{ clipId: "wave/b", label: 1, probabilities: [0.6, 0.4] }]) // [[0, 0], [1, 0]]
 * ```
 */
export function confusionMatrix(predictions: readonly Prediction[]): number[][] {
  const classes = checkPredictions(predictions)
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (const { label, probabilities } of predictions) counts[label][argmax(probabilities)]++
  return counts
}

/**
 * Precision, recall and F1 of every class.
 *
 * @example
 * ```ts
 * import { perClass } from "@fourtier/core/metrics"
 *
 * const [jump] = perClass([{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }])
 * jump.recall // 1
 * ```
 */
export function perClass(predictions: readonly Prediction[]): ClassMetrics[] {
  return classMetrics(confusionMatrix(predictions))
}

/**
 * Precision, recall and F1 of every class from confusion counts `[C][C]`.
 *
 * @example
 * ```ts
 * import { classMetrics } from "@fourtier/core/metrics"
 *
 * const [jump] = classMetrics([
 *   [8, 2],
 *   [0, 9],
 * ])
 * jump // { precision: 1, recall: 0.8, f1: 0.889, support: 10, predicted: 8 }
 * ```
 */
export function classMetrics(confusion: readonly (readonly number[])[]): ClassMetrics[] {
  return confusion.map((row, c) => {
    const support = row.reduce((sum, count) => sum + count, 0)
    const predicted = confusion.reduce((sum, other) => sum + other[c], 0)
    return {
      precision: predicted > 0 ? row[c] / predicted : null,
      recall: support > 0 ? row[c] / support : null,
      f1: support + predicted > 0 ? (2 * row[c]) / (support + predicted) : null,
      support,
      predicted,
    }
  })
}

/**
 * Mean of the recalls of the classes that have clips in the test part.
 *
 * @example
 * ```ts
 * import { meanClassAccuracy } from "@fourtier/core/metrics"
 *
 * const right = { clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }
 * const wrong = { clipId: "wave/b", label: 1, probabilities: [0.6, 0.4] }
 * meanClassAccuracy([right, right, wrong]) // 0.5
 * ```
 */
export function meanClassAccuracy(predictions: readonly Prediction[]): number {
  const recalls = perClass(predictions).flatMap(({ recall }) => (recall === null ? [] : [recall]))
  return recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length
}

/**
 * Mean F1 of the classes that occur, as label or as prediction (scikit-learn's `f1_score(average="macro")`).
 *
 * @example
 * ```ts
 * import { macroF1 } from "@fourtier/core/metrics"
 *
 * const right = { clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }
 * const wrong = { clipId: "wave/b", label: 1, probabilities: [0.6, 0.4] }
 * macroF1([right, wrong]) // (2/3 + 0) / 2
 * ```
 */
export function macroF1(predictions: readonly Prediction[]): number {
  const known = perClass(predictions).flatMap(({ f1 }) => (f1 === null ? [] : [f1]))
  return known.reduce((sum, f1) => sum + f1, 0) / known.length
}

/**
 * Mean negative log-likelihood of the true class, in nats. Probabilities below 1e-12 count as 1e-12.
 *
 * @example
 * ```ts
 * import { negativeLogLikelihood } from "@fourtier/core/metrics"
 *
 * negativeLogLikelihood([{ clipId: "jump/a", label: 0, probabilities: [0.5, 0.5] }]) // log 2
 * ```
 */
export function negativeLogLikelihood(predictions: readonly Prediction[]): number {
  checkPredictions(predictions)
  return predictions.reduce((sum, prediction) => sum + clipNegativeLogLikelihood(prediction), 0) / predictions.length
}

/**
 * Negative log-likelihood of one clip's true class, in nats, at most -log 1e-12.
 *
 * @example
 * ```ts
 * import { clipNegativeLogLikelihood } from "@fourtier/core/metrics"
 *
 * clipNegativeLogLikelihood({ clipId: "jump/a", label: 0, probabilities: [0.5, 0.5] }) // log 2
 * ```
 */
export function clipNegativeLogLikelihood({ label, probabilities }: Prediction): number {
  return -Math.log(Math.min(1, Math.max(1e-12, probabilities[label])))
}

/**
 * Expected calibration error: mean over clips of |accuracy − confidence| of the clip's confidence bin
 * (Guo et al. 2017, equal-width bins; a confidence on an edge belongs to the bin below).
 *
 * @example
 * ```ts
 * import { calibrationError } from "@fourtier/core/metrics"
 *
 * calibrationError([{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }]) // 0.3
 * ```
 */
export function calibrationError(predictions: readonly Prediction[], bins = 15): number {
  const misses = reliability(predictions, bins).map(({ count, accuracy, confidence }) =>
    count === 0 ? 0 : count * Math.abs(accuracy - confidence),
  )
  return misses.reduce((sum, miss) => sum + miss, 0) / predictions.length
}

/**
 * The bin of a confidence, of bins of equal width from 0 to 1; one on an edge belongs to the bin below.
 *
 * @example
 * ```ts
 * import { confidenceBin } from "@fourtier/core/metrics"
 *
 * confidenceBin(0.5, 2) // 0
 * ```
 */
export function confidenceBin(confidence: number, bins: number): number {
  return Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))
}

/** Predictions whose confidence lies between two edges. */
export interface ReliabilityBin {
  /** Mean probability of the most probable class; 0 without predictions. */
  confidence: number
  /** Share of them that are right; 0 without predictions. */
  accuracy: number
  count: number
}

/**
 * How often predictions are right by how sure they are: a reliability diagram's bars (Guo et al. 2017), bins of equal width from 0
 * to 1; a confidence on an edge belongs to the bin below.
 *
 * @example
 * ```ts
 * import { reliability } from "@fourtier/core/metrics"
 *
 * const [low, high] = reliability([{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }], 2)
 * high // { confidence: 0.7, accuracy: 1, count: 1 }
 * ```
 */
export function reliability(predictions: readonly Prediction[], bins = 15): ReliabilityBin[] {
  checkPredictions(predictions)
  const sums = Array.from({ length: bins }, () => ({ confidence: 0, accuracy: 0, count: 0 }))
  for (const { label, probabilities } of predictions) {
    const predicted = argmax(probabilities)
    const confidence = probabilities[predicted]
    const bin = sums[confidenceBin(confidence, bins)]
    bin.confidence += confidence
    bin.accuracy += predicted === label ? 1 : 0
    bin.count++
  }
  return sums.map(({ confidence, accuracy, count }) => {
    const whole = Math.max(1, count)
    return { confidence: confidence / whole, accuracy: accuracy / whole, count }
  })
}
