/** Softmax and normalisation. */

import { normalizeAxis } from "../../shape.ts"
import { apply, type Tensor } from "../../tensor.ts"

/**
 * eˣ/Σeˣ along `axis`, without overflow.
 *
 * @example
 * ```ts
 * import { constant, softmax } from "@fourtier/tensor"
 *
 * softmax(constant(Float32Array.of(0, Math.log(3)), [2])) // 0.25, 0.75
 * ```
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return apply("softmax", [x], { axis: normalizeAxis("softmax", axis, x.rank) })
}

/**
 * x − log Σeˣ along `axis`, without overflow.
 *
 * @example
 * ```ts
 * import { constant, logSoftmax } from "@fourtier/tensor"
 *
 * logSoftmax(constant(Float32Array.of(0, 0), [2])) // -0.693, -0.693
 * ```
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return apply("logSoftmax", [x], { axis: normalizeAxis("logSoftmax", axis, x.rank) })
}

/**
 * (x − mean)/sqrt(variance + ε)·scale + bias over the last axis (Ba et al. 2016): x [..,D], scale [D], bias [D].
 *
 * @example
 * ```ts
 * import { fill, input, layerNorm } from "@fourtier/tensor"
 *
 * layerNorm(input("x", [8, 49, 64]), fill([64], 1), fill([64], 0)).shape // [8, 49, 64]
 * ```
 */
export function layerNorm(x: Tensor, scale: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  return apply("layerNorm", [x, scale, bias], { epsilon, out: "value" })
}

/**
 * (x − mu)/sqrt(variance + ε)·scale + bias with given statistics, the inference form of batch norm (Ioffe & Szegedy 2015):
 * x [B,C,..], all others [C].
 *
 * @example
 * ```ts
 * import { batchNorm, fill, input } from "@fourtier/tensor"
 *
 * const [one, zero] = [fill([3], 1), fill([3], 0)]
 * batchNorm(input("x", [8, 3, 7, 7]), one, zero, zero, one).shape // [8, 3, 7, 7]
 * ```
 */
export function batchNorm(
  x: Tensor,
  scale: Tensor,
  bias: Tensor,
  mu: Tensor,
  variance: Tensor,
  epsilon = 1e-5,
): Tensor {
  return apply("batchNorm", [x, scale, bias, mu, variance], { epsilon })
}
