/** The space where clips and texts are compared in stage 1 (paper Sec. 3.2): unit vectors whose dot product is the similarity. */

import { add, div, mean, mul, reshape, sqrt, sum, type Tensor } from "@fourtier/tensor"
import { glorot, linear, type Scope } from "@fourtier/tensor/nn"
import type { Similarity } from "../schemas/contrastive.ts"

/** The logit scale 1/temperature is capped there (Radford et al. 2021). */
export const MAX_LOGIT_SCALE = 100

/**
 * Rows of length 1: x/|x| over the last axis. Zero rows stay zero.
 *
 * @example
 * ```ts
 * import { normalizeRows } from "@fourtier/core/model"
 * import { constant, evaluate } from "@fourtier/tensor"
 *
 * const unit = normalizeRows(constant(Float32Array.of(3, 4), [1, 2]))
 * await evaluate({ outputs: { unit } }) // { unit: [0.6, 0.8] }
 * ```
 */
export function normalizeRows(x: Tensor): Tensor {
  return div(x, sqrt(add(sum(mul(x, x), -1, true), 1e-12)))
}

/**
 * Embeddings whose dot product is the similarity.
 * @param x rows [B,R,E]
 * @returns `pooled` and `flat`: unit vectors of the mean row [B,E]; `tokens`: all unit rows, scaled so that the dot product is the
 * mean of the R cosines, as one vector [B,R·E]
 *
 * @example
 * ```ts
 * import { embedRows } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * embedRows(input("x", [2, 44, 512]), "pooled").shape // [2, 512]
 * embedRows(input("x", [2, 44, 512]), "tokens").shape // [2, 44 * 512]
 * ```
 */
export function embedRows(x: Tensor, similarity: Similarity): Tensor {
  const [B, R, E] = x.shape
  if (similarity !== "tokens") return normalizeRows(mean(x, 1))
  return mul(reshape(normalizeRows(x), [B, R * E]), 1 / Math.sqrt(R))
}

/** How v_i is compared with text. */
export interface AlignmentSpace {
  similarity: Similarity
  /** Dt */
  textWidth: number
}

/**
 * v_i [B,T+N,D] -> unit vectors [B,E]. E is Dt, or (T+N)·Dt for `tokens`.
 *
 * @example
 * ```ts
 * import { embedVisual } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const space = { similarity: "pooled" as const, textWidth: 512 }
 * embedVisual(new Scope("projection.A"), input("v", [2, 44, 64]), space).shape // [2, 512]
 * ```
 */
export function embedVisual(scope: Scope, v: Tensor, { similarity, textWidth }: AlignmentSpace): Tensor {
  const [B, R, D] = v.shape
  if (similarity === "flat") {
    const flat = reshape(v, [B, R * D])
    return normalizeRows(linear(scope, flat, textWidth, { bias: false, init: glorot }))
  }
  return embedRows(linear(scope, v, textWidth, { bias: false, init: glorot }), similarity)
}
