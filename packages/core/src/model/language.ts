/**
 * The language classifier: reads the classes off a clip's predicted text embeddings.
 *
 * ```
 * v_i [B,T+N,Dt] ─ mean over rows ─ unit ─ z_i [B,Dt] ─ A_i [Dt,C] ─ Σ_i ─ + b ─► scores [B,C]
 * ```
 * A_i and b come in closed form from labelled training clips (`train/language.ts`); no text is needed at inference.
 */

import { add, matmul, type Tensor } from "@fourtier/tensor"
import { type Param, Scope, zeros } from "@fourtier/tensor/nn"
import { embedRows } from "./space.ts"

/**
 * Scores [B,C] of processors' outputs v_i [B,T+N,Dt], and the weights `language.*`.
 *
 * @example
 * ```ts
 * import { languageScores } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * const { scores, frozen } = languageScores(new Map([["A", input("v", [2, 44, 512])]]), 12)
 * scores.shape // [2, 12]
 * frozen.map(({ name }) => name) // ["language.bias", "language.A.weight"]
 * ```
 */
export function languageScores(
  values: ReadonlyMap<string, Tensor>,
  classes: number,
): { scores: Tensor; frozen: Param[] } {
  const scope = new Scope("language")
  let scores = scope.param("bias", [classes], zeros, { decay: false })
  for (const [prompt, v] of values) {
    const weight = scope.in(prompt).param("weight", [v.shape[2], classes], zeros, { decay: false })
    scores = add(matmul(embedRows(v, "pooled"), weight), scores)
  }
  return { scores, frozen: scope.params }
}
