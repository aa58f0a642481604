/** Cross-entropy with soft labels: label smoothing (Szegedy et al. 2016) and mixup (Zhang et al. 2018). */

import { logSoftmax, mean, mul, neg, sum, type Tensor } from "@fourtier/tensor"
import type { Mixing } from "./mixup.ts"

/**
 * logits and targets [B,C]; target rows sum to 1. Nats, mean over the batch.
 *
 * @example
 * ```ts
 * import { softCrossEntropy } from "@fourtier/core/objective"
 * import { input } from "@fourtier/tensor"
 *
 * softCrossEntropy(input("logits", [16, 12]), input("targets", [16, 12])).shape // []
 * ```
 */
export function softCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return neg(mean(sum(mul(targets, logSoftmax(logits)), -1)))
}

/** What a clip should be told as: a class number, or probabilities of the classes [C]. */
export type Target = number | readonly number[] | Float32Array

/**
 * Smoothed, mixed label rows [B,C].
 *
 * @example
 * ```ts
 * import { softLabels } from "@fourtier/core/objective"
 *
 * const unmixed = { partner: BigInt64Array.of(0n, 1n), share: Float32Array.of(1, 1) }
 * softLabels([0, 1], 2, 0.1, unmixed) // [0.95, 0.05,  0.05, 0.95]
 * ```
 */
export function softLabels(
  labels: readonly Target[],
  classes: number,
  smoothing: number,
  mixing: Mixing,
): Float32Array {
  const rows = new Float32Array(labels.length * classes).fill(smoothing / classes)
  const addTo = (row: number, target: Target, weight: number) => {
    if (typeof target === "number") rows[row * classes + target] += weight
    else for (const [c, p] of target.entries()) rows[row * classes + c] += weight * p
  }
  for (const [i, share] of mixing.share.entries()) {
    addTo(i, labels[i], (1 - smoothing) * share)
    addTo(i, labels[Number(mixing.partner[i])], (1 - smoothing) * (1 - share))
  }
  return rows
}
