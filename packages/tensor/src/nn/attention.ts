/** Multi-head self-attention (Vaswani et al. 2017). */

import { attend, matmul, mul, split } from "../ops/functions.ts"
import type { Tensor } from "../tensor.ts"
import { linear } from "./layers.ts"
import { type Init, type Scope, truncatedNormal } from "./params.ts"
import { rearrange } from "./rearrange.ts"

export interface SelfAttentionOptions {
  /** Of the projection that follows; default: as of every linear layer. */
  outInit?: Init
}

/**
 * ```
 * x [B,L,D] ── qkv ──► 3 × [B,heads,L,d] ── softmax(q·kᵀ/√d)·v ──► [B,L,D] ── out ──► [B,L,D]
 * ```
 * Every token attends to every token of its row of the batch.
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { Scope, selfAttention } from "@fourtier/tensor/nn"
 *
 * const scope = new Scope("attention")
 * selfAttention(scope, input("x", [8, 49, 64]), 4).shape // [8, 49, 64]
 * scope.params.map(({ name }) => name) // attention.qkv.weight, attention.qkv.bias, attention.out.weight, attention.out.bias
 * ```
 */
export function selfAttention(
  scope: Scope,
  x: Tensor,
  heads: number,
  { outInit = truncatedNormal(0.02) }: SelfAttentionOptions = {},
): Tensor {
  const [, , width] = x.shape
  const qkv = linear(scope.in("qkv"), x, 3 * width)
  const [q, k, v] = split(qkv, -1, 3).map((part) => rearrange(part, "b l (h d) -> b h l d", { h: heads }))
  const scores = matmul(mul(q, 1 / Math.sqrt(width / heads)), k, { transposeB: true }) // [B,heads,L,L]
  const mixed = rearrange(attend(scores, v), "b h l d -> b l (h d)")
  return linear(scope.in("out"), mixed, width, { init: outInit })
}
