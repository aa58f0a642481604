/** Binary cross-entropy of several labels that may hold at once. */

import { abs, add, div, exp, log, maximum, mean, mul, neg, relu, sub, sum, type Tensor } from "@fourtier/tensor"

/**
 * Weighted mean over rows of the mean over classes, in nats: logits and targets [R,C], weights [R]. Stable for logits of any
 * size. Zero where all weights are.
 *
 * @example
 * ```ts
 * import { binaryCrossEntropy } from "@fourtier/core/objective"
 * import { input } from "@fourtier/tensor"
 *
 * binaryCrossEntropy(input("logits", [16, 60]), input("targets", [16, 60]), input("weights", [16])).shape // []
 * ```
 */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor, weights: Tensor): Tensor {
  const tail = log(add(exp(neg(abs(logits))), 1))
  const losses = mean(add(sub(relu(logits), mul(logits, targets)), tail), 1) // [R]
  return div(sum(mul(losses, weights)), maximum(sum(weights), 1e-12))
}
