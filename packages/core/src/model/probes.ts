/** Baselines on the same frozen maps: what a linear layer and learned pooling reach without the method. */

import { matmul, mean, mul, reshape, softmax, type Tensor } from "@fourtier/tensor"
import { layerNorm, linear, rearrange, type Scope, truncatedNormal } from "@fourtier/tensor/nn"
import { headsFor } from "./heads.ts"
import { pooledRows } from "./pooling.ts"

/**
 * m [B,T,N,D] -> mean over T·N -> linear -> logits [B,C]
 *
 * @example
 * ```ts
 * import { linearProbe } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * linearProbe(new Scope(), input("m", [2, 8, 36, 64]), 12).shape // [2, 12]
 * ```
 */
export function linearProbe(scope: Scope, m: Tensor, classes: number): Tensor {
  return linear(scope.in("linear"), mean(m, [1, 2]), classes)
}

/**
 * A linear probe that keeps frame and place: m [B,T,N,D] -> the T+N pooled rows that processors see, side by side -> linear.
 * Tells how much of what stage 1 reaches is the layout's doing, not the text's.
 *
 * @example
 * ```ts
 * import { rowProbe } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * rowProbe(new Scope(), input("m", [2, 8, 36, 64]), 12).shape // [2, 12]
 * ```
 */
export function rowProbe(scope: Scope, m: Tensor, classes: number): Tensor {
  const [B, T, N, D] = m.shape
  return linear(scope.in("linear"), reshape(pooledRows(m), [B, (T + N) * D]), classes)
}

/**
 * Attentive probe (Yu et al. 2022; Bardes et al. 2024): one learned query attends over all tokens.
 * ```
 * m [B,T·N,D] ─ norm ─ k, v ─┐
 * query [1,D] ───────────────┴─ multi-head cross-attention ─ [B,D] ─ norm ─ linear ─ logits [B,C]
 * ```
 *
 * @example
 * ```ts
 * import { attentiveProbe } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * attentiveProbe(new Scope(), input("m", [2, 8, 36, 64]), 12, 64).shape // [2, 12]
 * ```
 */
export function attentiveProbe(scope: Scope, m: Tensor, classes: number, headWidth: number): Tensor {
  const [B, T, N, D] = m.shape
  const heads = headsFor(D, headWidth)
  const tokens = layerNorm(scope.in("norm"), reshape(m, [B, T * N, D]))
  const split = (x: Tensor) => rearrange(x, "b l (h d) -> b h l d", { h: heads })
  const query = scope.param("query", [1, 1, D], truncatedNormal(0.02), { decay: false })
  const q = split(query) // [1,heads,1,d]
  const k = split(linear(scope.in("key"), tokens, D))
  const v = split(linear(scope.in("value"), tokens, D))
  const weights = softmax(matmul(mul(q, 1 / Math.sqrt(D / heads)), k, { transposeB: true })) // [B,heads,1,L]
  const pooled = reshape(rearrange(matmul(weights, v), "b h q d -> b q (h d)"), [B, D])
  const read = linear(scope.in("out"), pooled, D)
  return linear(scope.in("linear"), layerNorm(scope.in("out.norm"), read), classes)
}
