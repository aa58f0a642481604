/**
 * Class prototypes (Snell et al. 2017) in the text space: a clip's visual embeddings against each class's mean text embedding of
 * the training answers.
 *
 * ```
 * v_i [B,T+N,D] ─ project ─ z_i [B,E] ─ cosines with prototypes_i [C,E] ─ softmax at stage 1's temperature ─ mean over i ─ log
 * ```
 * No text and no VLM is needed at inference: prototypes are constants. They are not part of the paper's classifier.
 */

import { add, exp, log, matmul, minimum, mul, softmax, type Tensor } from "@fourtier/tensor"
import { type Param, Scope, zeros } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import { type AlignmentSpace, embedRows, embedVisual, MAX_LOGIT_SCALE } from "./space.ts"

/**
 * log of the mean over prompts of each prompt's class probabilities: [B,C]; and the weights, all known after stage 1.
 *
 * @example
 * ```ts
 * import { prototypeScores } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * const values = new Map([["A", input("v", [2, 44, 64])]])
 * prototypeScores(values, 12, { similarity: "pooled", textWidth: 512 }).logProbabilities.shape // [2, 12]
 * ```
 */
export function prototypeScores(
  values: ReadonlyMap<string, Tensor>,
  classes: number,
  space: AlignmentSpace,
  processors: ModelConfig["processors"] = "visual",
): { logProbabilities: Tensor; frozen: Param[] } {
  const projection = new Scope("projection")
  const scales = new Scope("logit_scale")
  const prototypes = new Scope("prototype")
  let total: Tensor | undefined
  for (const [prompt, v] of values) {
    const text = processors === "text"
    const z = text ? embedRows(v, space.similarity) : embedVisual(projection.in(prompt), v, space)
    const prototype = prototypes.param(prompt, [classes, z.shape[1]], zeros, { decay: false })
    const scale = minimum(exp(scales.param(prompt, [], zeros, { decay: false })), MAX_LOGIT_SCALE)
    const own = softmax(mul(matmul(z, prototype, { transposeB: true }), scale))
    total = total ? add(total, own) : own
  }
  if (!total) throw new Error("internal error: prototypes without prompts")
  const logProbabilities = log(add(mul(total, 1 / values.size), 1e-6))
  return { logProbabilities, frozen: [...projection.params, ...scales.params, ...prototypes.params] }
}
