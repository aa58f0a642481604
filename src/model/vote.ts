/**
 * Stage 1's view of a clip, and its own vote on the class: where the clip's visual embeddings lie among
 * the class means of the training answers' text embeddings.
 *
 * ```
 * v_i [B,T+N,D] ─ project ─ z_i [B,E] ─ cosines with anchors_i [C,E] ─ softmax at stage 1's temperature ─ mean over i ─ log
 * ```
 * The vote needs no text and no VLM at inference: the anchors are constants. It is not part of the paper's classifier.
 */

import { type Param, Scope, zeros } from "../tensor/nn/params.ts"
import { add, exp, log, matmul, minimum, mul, softmax } from "../tensor/ops/functions.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { type AlignmentSpace, embedVisual, MAX_LOGIT_SCALE } from "./space.ts"

/** log of the mean over prompts of each prompt's class probabilities: [B,C]; and the weights, all known after stage 1. */
export function alignmentVote(
  values: ReadonlyMap<string, Tensor>,
  classes: number,
  space: AlignmentSpace,
): { logProbabilities: Tensor; frozen: Param[] } {
  const projection = new Scope("projection")
  const scales = new Scope("logit_scale")
  const anchors = new Scope("anchor")
  let total: Tensor | undefined
  for (const [prompt, v] of values) {
    const z = embedVisual(projection.in(prompt), v, space)
    const anchor = anchors.param(prompt, [classes, z.shape[1]], zeros, { decay: false })
    const scale = minimum(exp(scales.param(prompt, [], zeros, { decay: false })), MAX_LOGIT_SCALE)
    const own = softmax(mul(matmul(z, anchor, { transposeB: true }), scale))
    total = total ? add(total, own) : own
  }
  if (!total) throw new Error("internal error: a vote without prompts")
  const logProbabilities = log(add(mul(total, 1 / values.size), 1e-6))
  return { logProbabilities, frozen: [...projection.params, ...scales.params, ...anchors.params] }
}
