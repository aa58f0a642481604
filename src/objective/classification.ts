/** Cross-entropy with soft labels: label smoothing (Szegedy et al. 2016) and mixup (Zhang et al. 2018). */

import { logSoftmax, mean, mul, neg, sum } from "../tensor/ops/functions.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Mixing } from "./mixup.ts"

/** logits and targets [B,C]; target rows sum to 1. Nats, mean over the batch. */
export function softCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return neg(mean(sum(mul(targets, logSoftmax(logits)), -1)))
}

/** Smoothed, mixed label rows [B,C]. */
export function softLabels(
  labels: readonly number[],
  classes: number,
  smoothing: number,
  mixing: Mixing,
): Float32Array {
  const rows = new Float32Array(labels.length * classes).fill(smoothing / classes)
  for (const [i, share] of mixing.share.entries()) {
    rows[i * classes + labels[i]] += (1 - smoothing) * share
    rows[i * classes + labels[Number(mixing.partner[i])]] += (1 - smoothing) * (1 - share)
  }
  return rows
}
