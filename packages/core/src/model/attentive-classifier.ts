/**
 * The attentive probe of V-JEPA 2 (Assran et al. 2025, arXiv 2506.09985; https://github.com/facebookresearch/vjepa2,
 * src/models/attentive_pooler.py): transformer blocks, then one learned query that attends over all tokens.
 *
 * ```
 * tokens [B,L,D] ─ (blocks−1) × ( x + attention(norm x);  x + mlp(norm x) ) ─ norm ─ k, v ─┐
 * query q [1,D] ───────────────────────────────────────────────────────────────────────────┴─ q + attention ─ x + mlp(norm x) ─ linear
 * ```
 * The query is not normalised, and its attention has no projection behind it. There are no positions: the order of tokens does
 * not matter, and several clips of a video are read by concatenating their tokens.
 */

import { add, attend, expand, gelu, matmul, mul, reshape, split, type Tensor } from "@fourtier/tensor"
import { layerNorm, linear, rearrange, type Scope, selfAttention, truncatedNormal } from "@fourtier/tensor/nn"

export interface AttentiveClassifierOptions {
  /** Attention heads of every block; they divide the tokens' width. */
  heads: number
  /** Blocks in all, that of the query included. */
  blocks?: number
  /** Hidden channels of an MLP over its width. */
  mlpRatio?: number
  /** Of the norms. */
  epsilon?: number
}

export interface AttentiveClassifier {
  /** The tokens after each block of self-attention, [B,L,D]. */
  hidden: Tensor[]
  /** What the query has read, [B,D]. */
  pooled: Tensor
  /** [B,C] */
  logits: Tensor
}

/** Deviation of fresh weights, and of those that close the residual branches of block `i`: less, the deeper the block. */
const STD = 0.02
const closing = (i: number) => truncatedNormal(STD / Math.sqrt(2 * (i + 1)))

/**
 * Classifies tokens [B,L,D].
 *
 * @throws FourtierError where the heads do not divide the width
 *
 * @example
 * ```ts
 * import { attentiveClassifier } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * attentiveClassifier(new Scope(), input("tokens", [2, 288, 64]), 12, { heads: 4 }).logits.shape // [2, 12]
 * ```
 */
export function attentiveClassifier(
  scope: Scope,
  tokens: Tensor,
  classes: number,
  { heads, blocks = 4, mlpRatio = 4, epsilon = 1e-5 }: AttentiveClassifierOptions,
): AttentiveClassifier {
  const [B, , D] = tokens.shape
  const pooler = scope.in("pooler")
  const feed = (own: Scope, x: Tensor, i: number) => {
    const inner = gelu(linear(own.in("mlp.fc1"), layerNorm(own.in("norm2"), x, epsilon), Math.trunc(D * mlpRatio)))
    return add(x, linear(own.in("mlp.fc2"), inner, D, { init: closing(i) }))
  }
  const hidden: Tensor[] = []
  let x = tokens
  for (let i = 0; i < blocks - 1; i++) {
    const own = pooler.in(`blocks.${i}`)
    const normed = layerNorm(own.in("norm1"), x, epsilon)
    x = feed(own, add(x, selfAttention(own.in("attn"), normed, heads, { outInit: closing(i) })), i)
    hidden.push(x)
  }
  const last = pooler.in("cross_attention_block")
  const start = pooler.param("query_tokens", [1, 1, D], truncatedNormal(STD), { decay: false })
  const query = expand(start, [B, 1, D])
  const read = add(query, crossAttention(last.in("xattn"), query, layerNorm(last.in("norm1"), x, epsilon), heads))
  const pooled = reshape(feed(last, read, Math.max(0, blocks - 2)), [B, D])
  return { hidden, pooled, logits: linear(scope.in("linear"), pooled, classes) }
}

/** Queries [B,Q,D] attend over tokens [B,L,D]: [B,Q,D] */
function crossAttention(scope: Scope, queries: Tensor, tokens: Tensor, heads: number): Tensor {
  const D = tokens.shape[2]
  const toHeads = (part: Tensor) => rearrange(part, "b l (h d) -> b h l d", { h: heads })
  const q = toHeads(linear(scope.in("q"), queries, D))
  const [k, v] = split(linear(scope.in("kv"), tokens, 2 * D), -1, 2).map(toHeads)
  const scores = matmul(mul(q, 1 / Math.sqrt(D / heads)), k, { transposeB: true }) // [B,heads,Q,L]
  return rearrange(attend(scores, v), "b h q d -> b q (h d)")
}
