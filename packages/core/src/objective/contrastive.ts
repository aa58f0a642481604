/**
 * Symmetric InfoNCE between visual and text embeddings (paper Sec. 3.2; van den Oord et al. 2018; VideoCLIP, Xu et al. 2021),
 * one loss per prompt, summed.
 *
 * ```
 * v_i [B,R,D] ── project D→Dt ──┐
 *                               ├─ similarity [B,B] ── × exp(scale) ── cross-entropy over rows and over columns
 * e_i [B,R,Dt] or [B,Dt] ───────┘
 * ```
 */

import {
  add,
  constant,
  div,
  exp,
  logSoftmax,
  matmul,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  reshape,
  softmax,
  sub,
  sum,
  type Tensor,
  transpose,
} from "@fourtier/tensor"
import { MAX_LOGIT_SCALE } from "../model/space.ts"
import type { ContrastiveConfig } from "../schemas/contrastive.ts"
import { mixBatch } from "./mixup.ts"

/**
 * The loss of one prompt, in nats, averaged over both directions and the batch.
 * @param v visual embeddings [B,E] from `embedRows`
 * @param e text embeddings [B,E] likewise
 * @param logScale logarithm of the logit scale []
 * @param mixing what the clips behind v were mixed from: partner i64 [B] and own share f32 [B]; null where they were not
 * @param present f32 [B]: 1 for clips that have a text, 0 for those that take no part; null where all have one
 *
 * @example
 * ```ts
 * import { infoNce } from "@fourtier/core/objective"
 * import { contrastiveSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 *
 * const [v, e] = [input("v", [16, 512]), input("e", [16, 512])]
 * infoNce(v, e, input("scale", []), contrastiveSchema.parse({})).shape // []
 * ```
 */
export function infoNce(
  v: Tensor,
  e: Tensor,
  logScale: Tensor,
  config: ContrastiveConfig,
  mixing: { partner: Tensor; share: Tensor } | null = null,
  present: Tensor | null = null,
): Tensor {
  const scale = minimum(exp(logScale), MAX_LOGIT_SCALE)
  const logits = mul(matmul(v, e, { transposeB: true }), scale) // [B,B]: clip × text
  const own = targetMatrix(e, config)
  const targets = mixing ? mixBatch(own, mixing.partner, mixing.share) : own
  const loss = present ? (x: Tensor, y: Tensor) => maskedCrossEntropy(x, y, present) : crossEntropy
  const byClip = loss(logits, targets)
  const byText = loss(transpose(logits, [1, 0]), transpose(targets, [1, 0]))
  return mul(add(byClip, byText), 0.5)
}

/** −Σ target·log softmax over the last axis, mean over rows; target rows are scaled to sum 1. */
function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  const shares = div(targets, sum(targets, -1, true))
  return neg(mean(sum(mul(shares, logSoftmax(logits)), -1)))
}

/** Takes a logit out of a softmax. */
const FAR = 1e9

/** The same among the present alone: neither rows nor columns of the others count. */
function maskedCrossEntropy(logits: Tensor, targets: Tensor, present: Tensor): Tensor {
  const columns = reshape(present, [1, -1])
  const kept = mul(targets, columns)
  const total = sum(kept, -1, true) // 0 in rows of the absent at most
  const shares = div(kept, add(total, sub(1, reshape(present, [-1, 1]))))
  const rows = sum(mul(shares, logSoftmax(add(logits, mul(sub(columns, 1), FAR)))), -1)
  return neg(div(sum(mul(rows, present)), maximum(sum(present), 1)))
}

/** [B,B], rows sum to 1: which texts count as right for which clip. */
function targetMatrix(e: Tensor, { targets, textTemperature }: ContrastiveConfig): Tensor {
  const [B] = e.shape
  if (targets === "identity") return eye(B)
  const cosines = matmul(e, e, { transposeB: true })
  return softmax(mul(cosines, 1 / textTemperature))
}

function eye(n: number): Tensor {
  const data = new Float32Array(n * n)
  for (let i = 0; i < n; i++) data[i * n + i] = 1
  return constant(data, [n, n])
}
