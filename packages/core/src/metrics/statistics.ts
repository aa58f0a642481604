/**
 * The metrics of a report as weighted statistics of single observations, so that they can be resampled.
 *
 *     figure = mean over parts of (mean over classes of) (weighted mean over observations)
 *
 * Parts are the test folds where folds are averaged, otherwise everything is one part. The mean over classes is taken
 * for mean class accuracy only. Classes and parts that a resample leaves empty are not in the means. Macro F1 is no such mean of
 * observations: it is computed from the weighted counts of each part.
 */

import type { Statistic } from "./intervals.ts"
import { argmax, clipNegativeLogLikelihood, type Prediction, rankOfLabel } from "./metrics.ts"

export type FigureName = "top1" | "top5" | "meanClass" | "macroF1" | "nll"

/** `clips`: every clip counts the same. `folds`: every fold does (the mean of three splits of UCF-101 and HMDB51). */
export type Averaging = "clips" | "folds"

export interface FigureStatistic {
  /** The figure for given weights. */
  statistic: Statistic
  /** `[observations]`: what each one adds to the figure when all weights are 1; null where it is no sum of such shares. */
  shares: Float64Array | null
}

/**
 * One statistic per figure; top-5 only where there are more than five classes.
 *
 * @example
 * ```ts
 * import { figureStatistics } from "@fourtier/core/metrics"
 *
 * const predictions = [
 *   { clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] },
 *   { clipId: "wave/b", label: 1, probabilities: [0.6, 0.4] },
 * ]
 * figureStatistics(predictions, "clips").get("top1")?.statistic(Float64Array.of(1, 1)) // 0.5
 * ```
 */
export function figureStatistics(
  predictions: readonly Prediction[],
  averaging: Averaging,
): Map<FigureName, FigureStatistic> {
  const ranks = predictions.map(rankOfLabel)
  const parts = strata(predictions.map(({ fold }) => (averaging === "folds" ? (fold ?? "") : "")))
  const classes = strata(predictions.map(({ label }, i) => `${parts.of[i]} ${label}`))
  const right = Float64Array.from(ranks, (rank) => (rank === 0 ? 1 : 0))
  const figures = new Map<FigureName, FigureStatistic>([["top1", nestedMean(right, parts.of, parts)]])
  if (predictions[0].probabilities.length > 5) {
    figures.set(
      "top5",
      nestedMean(
        Float64Array.from(ranks, (rank) => (rank < 5 ? 1 : 0)),
        parts.of,
        parts,
      ),
    )
  }
  figures.set("meanClass", nestedMean(right, classes.of, parts))
  figures.set("macroF1", { statistic: macroF1Statistic(predictions, parts), shares: null })
  figures.set("nll", nestedMean(Float64Array.from(predictions, clipNegativeLogLikelihood), parts.of, parts))
  return figures
}

/** Mean over parts of the mean F1 of the classes that occur there, as label or as prediction. */
function macroF1Statistic(predictions: readonly Prediction[], parts: Strata): Statistic {
  const classes = predictions[0].probabilities.length
  const labels = Int32Array.from(predictions, ({ label }) => label)
  const said = Int32Array.from(predictions, ({ probabilities }) => argmax(probabilities))
  const hits = new Float64Array(parts.count * classes)
  const occurrences = new Float64Array(parts.count * classes)
  return (weights) => {
    hits.fill(0)
    occurrences.fill(0)
    for (let i = 0; i < labels.length; i++) {
      const start = parts.of[i] * classes
      occurrences[start + labels[i]] += weights[i]
      occurrences[start + said[i]] += weights[i]
      if (said[i] === labels[i]) hits[start + labels[i]] += weights[i]
    }
    const sums = new Float64Array(parts.count)
    const totals = new Float64Array(parts.count)
    for (let c = 0; c < hits.length; c++) {
      if (occurrences[c] === 0) continue
      const part = Math.floor(c / classes)
      sums[part] += (2 * hits[c]) / occurrences[c]
      totals[part]++
    }
    return meanOfRatios(sums, totals)
  }
}

interface Strata {
  /** `[observations]`: index of each one's stratum. */
  of: Int32Array
  count: number
}

function strata(names: readonly string[]): Strata {
  const index = new Map<string, number>()
  const of = Int32Array.from(names, (name) => {
    const known = index.get(name) ?? index.size
    index.set(name, known)
    return known
  })
  return { of, count: index.size }
}

/** Mean over parts of the mean over their inner strata of the weighted mean of values. */
function nestedMean(values: Float64Array, inner: Int32Array, parts: Strata): FigureStatistic {
  const innerCount = inner.reduce((most, stratum) => Math.max(most, stratum + 1), 0)
  const partOf = new Int32Array(innerCount)
  inner.forEach((stratum, i) => {
    partOf[stratum] = parts.of[i]
  })
  const sums = new Float64Array(innerCount)
  const totals = new Float64Array(innerCount)
  const partSums = new Float64Array(parts.count)
  const partTotals = new Float64Array(parts.count)

  const statistic: Statistic = (weights) => {
    for (const buffer of [sums, totals, partSums, partTotals]) buffer.fill(0)
    for (let i = 0; i < values.length; i++) {
      sums[inner[i]] += weights[i] * values[i]
      totals[inner[i]] += weights[i]
    }
    for (let s = 0; s < innerCount; s++) {
      if (totals[s] === 0) continue
      partSums[partOf[s]] += sums[s] / totals[s]
      partTotals[partOf[s]]++
    }
    return meanOfRatios(partSums, partTotals)
  }

  statistic(new Float64Array(values.length).fill(1))
  const filled = partTotals.filter((total) => total > 0).length
  const shares = Float64Array.from(values, (value, i) => {
    const stratum = inner[i]
    return value / (totals[stratum] * partTotals[partOf[stratum]] * filled)
  })
  return { statistic, shares }
}

function meanOfRatios(sums: Float64Array, totals: Float64Array): number {
  let sum = 0
  let count = 0
  for (let i = 0; i < sums.length; i++) {
    if (totals[i] === 0) continue
    sum += sums[i] / totals[i]
    count++
  }
  return sum / count
}
