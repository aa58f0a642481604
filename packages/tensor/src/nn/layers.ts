/** Layers as functions of a scope and a tensor. Weights are [in,out]: x·W. */

import { add, cast, layerNorm as layerNormOp, less, matmul, mul, randomUniform } from "../ops/functions.ts"
import type { Tensor } from "../tensor.ts"
import { type Init, ones, type Scope, truncatedNormal, zeros } from "./params.ts"

export interface LinearOptions {
  /** Default: normal with deviation 0.02, as vision transformers start. */
  init?: Init
  bias?: boolean
}

/** x [..,in] -> [..,out] */
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

/** Over the last axis, with learned scale and bias. */
export function layerNorm(scope: Scope, x: Tensor, epsilon = 1e-5): Tensor {
  const width = [x.shape[x.rank - 1]]
  const scale = scope.param("scale", width, ones, { decay: false })
  const bias = scope.param("bias", width, zeros, { decay: false })
  return layerNormOp(x, scale, bias, epsilon)
}

/** Drops units in training: seeds a layer's random numbers. Absent in evaluation. */
export interface Dropout {
  /** i64 [], fed a fresh number every step. */
  seed: Tensor
  rate: number
  /** Hands every place of use a salt of its own. */
  nextSalt(): number
}

/** Zeroes elements with probability `rate` and scales the others up; x itself without `dropout`. */
export function drop(x: Tensor, dropout: Dropout | null, shape = x.shape): Tensor {
  if (dropout === null || dropout.rate === 0) return x
  const keep = 1 - dropout.rate
  const kept = cast(less(randomUniform(dropout.seed, shape, dropout.nextSalt()), keep), "f32")
  return mul(x, mul(kept, 1 / keep))
}
