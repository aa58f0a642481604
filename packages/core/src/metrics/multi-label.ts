/** Precision of scores where several classes may be true of one clip: of each class against all others. */

import { FourtierError } from "@fourtier/tensor"

/** Scores of one clip where several classes may be true at once. */
export interface MultiLabelPrediction {
  clipId: string
  labels: readonly number[]
  /** `[C]`, any scale. */
  scores: ArrayLike<number>
}

/**
 * Average precision of every class and their mean. The precision–recall curve is summed step by step without
 * interpolation, equal scores as one step. Classes without a positive clip are null and not in the mean.
 *
 * @example
 * ```ts
 * import { multiLabelPrecision } from "@fourtier/core/metrics"
 *
 * const clips = [
 *   { clipId: "a", labels: [0], scores: [0.9, 0.2] },
 *   { clipId: "b", labels: [0, 1], scores: [0.4, 0.8] },
 * ]
 * multiLabelPrecision(clips).mean // 1
 * ```
 */
export function multiLabelPrecision(predictions: readonly MultiLabelPrediction[]): {
  mean: number
  classes: (number | null)[]
} {
  if (predictions.length === 0) throw new FourtierError({ what: "nothing to score", where: "multi-label predictions" })
  const count = predictions[0].scores.length
  for (const { clipId, scores, labels } of predictions) {
    const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= count)
    const broken = Array.from(scores).findIndex((score) => Number.isNaN(score))
    if (scores.length !== count || wrong !== undefined || broken >= 0) {
      throw new FourtierError({
        where: `clip ${clipId}`,
        what: "cannot be scored",
        expected: `${count} scores, labels 0 to ${count - 1}`,
        found:
          wrong !== undefined ? `label ${wrong}` : broken >= 0 ? `score ${broken} is NaN` : `${scores.length} scores`,
      })
    }
  }
  const classes = Array.from({ length: count }, (_, c) =>
    averagePrecision(
      predictions.map(({ scores }) => scores[c]),
      predictions.map(({ labels }) => labels.includes(c)),
    ),
  )
  const known = classes.filter((value) => value !== null)
  if (known.length === 0) throw new FourtierError({ what: "no clip has a label", where: "multi-label predictions" })
  return { mean: known.reduce((sum, value) => sum + value, 0) / known.length, classes }
}

/**
 * Area under the step-wise precision–recall curve; null without positives.
 *
 * @example
 * ```ts
 * import { averagePrecision } from "@fourtier/core/metrics"
 *
 * averagePrecision([0.9, 0.8, 0.7], [true, false, true]) // 1/2 + 1/2 * 2/3
 * ```
 */
export function averagePrecision(scores: readonly number[], positive: readonly boolean[]): number | null {
  const total = positive.filter(Boolean).length
  if (total === 0) return null
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a])
  let area = 0
  let hits = 0
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]]
    let gained = 0
    for (; i < order.length && scores[order[i]] === score; i++) gained += positive[order[i]] ? 1 : 0
    hits += gained
    area += (gained / total) * (hits / i)
  }
  return area
}
