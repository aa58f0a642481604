/** Layers as functions of a scope and a tensor. Weights are [in,out]: x·W. */

import { add, cast, layerNorm as layerNormOp, less, matmul, mul, randomUniform } from "../ops/functions.ts"
import { sizeOf } from "../shape.ts"
import { constant, type Tensor } from "../tensor.ts"
import { type Init, ones, type Scope, truncatedNormal, zeros } from "./params.ts"

export interface LinearOptions {
  /** Default: normal with deviation 0.02, as vision transformers start. */
  init?: Init
  bias?: boolean
}

/**
 * x [..,in] -> x·W + b [..,out].
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { linear, Scope } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("classifier")
 * linear(scope, input("x", [8, 64]), 10).shape // [8, 10]
 * scope.params.map(({ name }) => name) // ["classifier.weight", "classifier.bias"]
 * ```
 */
export function linear(
  scope: Scope,
  x: Tensor,
  out: number,
  { init = truncatedNormal(0.02), bias = true }: LinearOptions = {},
): Tensor {
  const weight = scope.param("weight", [x.shape[x.rank - 1], out], init, { decay: true })
  const product = matmul(x, weight)
  return bias ? add(product, scope.param("bias", [out], zeros, { decay: false })) : product
}

/**
 * Layer norm over the last axis, with learned scale and bias (Ba et al. 2016).
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { layerNorm, Scope } from "@fourtier/tensor/nn"
 *
 * layerNorm(new Scope("norm"), input("x", [8, 49, 64])).shape // [8, 49, 64]
 * ```
 */
export function layerNorm(scope: Scope, x: Tensor, epsilon = 1e-5): Tensor {
  const width = [x.shape[x.rank - 1]]
  const scale = scope.param("scale", width, ones, { decay: false })
  const bias = scope.param("bias", width, zeros, { decay: false })
  return layerNormOp(x, scale, bias, epsilon)
}

/** How units are dropped in training, with random numbers of a seed; null in evaluation. */
export interface Dropout {
  /** i64 [], fed a new number every step. */
  seed: Tensor
  rate: number
  /** A salt of its own for each place of use. */
  nextSalt(): number
  /** Where the graph sees a part of a batch: how many rows, and i64 [] the first of them. Each row then drops what it does in the whole. */
  rows?: { count: number; first: Tensor }
}

/**
 * Zeroes elements with probability `rate` and scales the others by 1/(1 − rate) (Srivastava et al. 2014); x itself without
 * `dropout`.
 *
 * @param shape of the mask, broadcast to x: axes of length 1 are dropped as a whole
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { type Dropout, drop } from "@fourtier/tensor/nn"
 *
 * let salt = 0
 * const dropout: Dropout = { seed: input("seed", [], "i64"), rate: 0.1, nextSalt: () => salt++ }
 * drop(input("x", [8, 49, 64]), dropout).shape // [8, 49, 64]
 * ```
 */
export function drop(x: Tensor, dropout: Dropout | null, shape = x.shape): Tensor {
  if (dropout === null || dropout.rate === 0) return x
  const keep = 1 - dropout.rate
  const { rows } = dropout
  const from = rows && mul(rows.first, constant(BigInt64Array.of(BigInt(sizeOf(shape) / rows.count)), [], "i64"))
  const kept = cast(less(randomUniform(dropout.seed, shape, dropout.nextSalt(), from), keep), "f32")
  return mul(x, mul(kept, 1 / keep))
}
