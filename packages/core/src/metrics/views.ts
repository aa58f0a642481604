/** Several views of one clip (temporal clips × spatial crops) become one answer: their softmax outputs are averaged. */

import { FourtierError } from "@fourtier/tensor"

/**
 * Softmax of one row of logits `[C]`, computed in float64 after subtracting the maximum.
 * @throws FourtierError when a logit is not a finite number.
 *
 * @example
 * ```ts
 * import { softmax } from "@fourtier/core/metrics"
 *
 * softmax([0, 0]) // [0.5, 0.5]
 * ```
 */
export function softmax(logits: ArrayLike<number>): Float32Array {
  const classes = logits.length
  if (classes === 0)
    throw new FourtierError({ what: "softmax of nothing", expected: "at least one logit", found: "none" })
  let highest = Number.NEGATIVE_INFINITY
  for (let c = 0; c < classes; c++) {
    if (!Number.isFinite(logits[c])) {
      throw new FourtierError({
        where: `logit of class ${c}`,
        what: "not a finite number",
        found: String(logits[c]),
        fix: "the weights or the input hold NaN or infinity; look at the training loss",
      })
    }
    highest = Math.max(highest, logits[c])
  }
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - highest))
  const sum = powers.reduce((total, power) => total + power, 0)
  return Float32Array.from(powers, (power) => power / sum)
}

/**
 * Mean of the softmax outputs of `V` views.
 * @param logits `[V,C]`, row after row
 * @param views V
 * @returns probabilities `[C]`
 *
 * @example
 * ```ts
 * import { averageViews } from "@fourtier/core/metrics"
 *
 * averageViews([2, 0, 0, 2], 2) // [0.5, 0.5]
 * ```
 */
export function averageViews(logits: ArrayLike<number>, views: number): Float32Array {
  const classes = logits.length / views
  if (!Number.isInteger(views) || views < 1 || !Number.isInteger(classes)) {
    throw new FourtierError({
      where: "logits of several views",
      what: "wrong length",
      expected: "views × classes values, at least one view",
      found: `${logits.length} values for ${views} views`,
    })
  }
  const sums = new Float64Array(classes)
  for (let v = 0; v < views; v++) {
    const row = Float64Array.from({ length: classes }, (_, c) => logits[v * classes + c])
    softmax(row).forEach((p, c) => {
      sums[c] += p
    })
  }
  return Float32Array.from(sums, (sum) => sum / views)
}

/**
 * Averages the views of many clips.
 * @param logits `[B,V,C]`, row after row
 * @returns one array of probabilities `[C]` per clip
 *
 * @example
 * ```ts
 * import { averageClips } from "@fourtier/core/metrics"
 *
 * const [first, second] = averageClips([2, 0, 0, 2, 1, 1, 1, 1], 2, 2) // two clips with two views each
 * ```
 */
export function averageClips(logits: ArrayLike<number>, clips: number, views: number): Float32Array[] {
  const stride = clips === 0 ? 0 : logits.length / clips
  return Array.from({ length: clips }, (_, b) => {
    const rows = Float64Array.from({ length: stride }, (_, i) => logits[b * stride + i])
    return averageViews(rows, views)
  })
}
