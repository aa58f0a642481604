/**
 * The language classifier in closed form: ridge regression from predicted unit text embeddings z_i to the classes of labelled
 * clips, one for each prompt, summed by the prompts' weights. The names of the classes count as one more clip each, so that it
 * also reads classes without any label.
 *
 * ```
 * A_i = κ w_i (ZᵀZ + λI)⁻¹ Zᵀ(onehot − 1/C)      Z: labelled clips less z̄, then names, centred and of length 1
 * scores = Σ_i (z_i − z̄_i) A_i                   z̄: mean of all training clips, labelled or not
 * w_i = relevance_i³ · skill_i, scaled to sum 1
 * ```
 * κ falls with the square root of the clips per class: the more there are, the more the trained classifier knows by itself.
 *
 * relevance: how much a prompt's answers tell of the classes' names (mutual information of a clip's answer and its nearest name, in
 * units of log C); skill: how well unseen clips find their own answers. Neither needs a label.
 */

import type { Weights } from "@fourtier/tensor/nn"
import type { Target } from "../objective/classification.ts"
import type { Retrieval } from "./retrieval.ts"
import { ridgeClassifier } from "./ridge-classifier.ts"
import { centred, dot, unit } from "./vectors.ts"

/** κ for one clip per class: scores of a sure clip differ by more than the logits of a classifier do. */
const SCALE = 40
/** Standard errors above chance from which retrieval counts. */
const LEAST_Z = 3

/** Temperature of the softmax over names. */
const NAME_TEMPERATURE = 0.05

/**
 * 0: a prompt's answers do not tell the classes' names apart; 1: each clip's answer names one class, all classes alike.
 * @param answers text embeddings [Dt] of the clips' answers
 * @param names text embeddings [Dt] of the classes' names
 *
 * @example
 * ```ts
 * import { relevance } from "@fourtier/core/train"
 *
 * const [jump, wave] = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * relevance([jump, wave, jump, wave], [jump, wave]) // 1, or nearly
 * relevance([jump, jump, jump, jump], [jump, wave]) // 0
 * ```
 */
export function relevance(answers: readonly Float32Array[], names: readonly Float32Array[]): number {
  const [rows, classes] = [answers, names].map((vectors) => centred(vectors.map(unit)).map(unit))
  const mean = new Float64Array(names.length)
  let conditional = 0
  for (const row of rows) {
    const powers = classes.map((name) => Math.exp(dot(row, name) / NAME_TEMPERATURE))
    const total = powers.reduce((sum, power) => sum + power, 0)
    for (const [c, power] of powers.entries()) {
      const p = power / total
      mean[c] += p / rows.length
      conditional -= (p * Math.log(p + 1e-12)) / rows.length
    }
  }
  const marginal = mean.reduce((sum, p) => sum - p * Math.log(p + 1e-12), 0)
  return Math.max(0, (marginal - conditional) / Math.log(names.length))
}

/**
 * Weight of each prompt; all 0 where no prompt's answers are found by unseen clips better than by chance.
 *
 * @example
 * ```ts
 * import { promptWeights } from "@fourtier/core/train"
 *
 * const retrieval = new Map([["A", { skill: 0.6, z: 9 }], ["D", { skill: 0.1, z: 1 }]])
 * promptWeights(new Map([["A", 0.8], ["D", 0.3]]), retrieval) // A 1, D 0
 * ```
 */
export function promptWeights(
  relevances: ReadonlyMap<string, number>,
  retrieval: ReadonlyMap<string, Retrieval>,
): Map<string, number> {
  const raw = [...relevances].map(([prompt, value]) => {
    const { skill, z } = retrieval.get(prompt) ?? { skill: 0, z: 0 }
    return [prompt, z >= LEAST_Z ? value ** 3 * skill : 0] as const
  })
  const total = raw.reduce((sum, [, weight]) => sum + weight, 0)
  return new Map(raw.map(([prompt, weight]) => [prompt, total === 0 ? 0 : weight / total]))
}

/**
 * The weights `language.*` of `model/language.ts`.
 * @param embeddings unit z_i [Dt] of each labelled clip, by prompt; there may be none
 * @param targets the clips' classes, or class probabilities
 * @param names text embeddings [Dt] of the classes' names
 * @param means z̄ [Dt] by prompt; default 0
 *
 * @example
 * ```ts
 * import { fitLanguage } from "@fourtier/core/train"
 *
 * const z = new Map([["A", [Float32Array.of(1, 0), Float32Array.of(0, 1)]]])
 * const names = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * fitLanguage(z, [0, 1], names, new Map([["A", 1]])).get("language.A.weight") // [2,2], the first row for class 0
 * ```
 */
export function fitLanguage(
  embeddings: ReadonlyMap<string, readonly Float32Array[]>,
  targets: readonly Target[],
  names: readonly Float32Array[],
  weights: ReadonlyMap<string, number>,
  means: ReadonlyMap<string, Float32Array> = new Map(),
): Weights {
  const classes = names.length
  const taught = [...targets, ...names.keys()]
  const scale = SCALE / Math.sqrt(Math.max(1, targets.length / classes))
  const width = names[0].length
  const bias = new Float32Array(classes)
  const fitted: Weights = new Map([["language.bias", bias]])
  for (const [prompt, weight] of weights) {
    const mean = means.get(prompt) ?? new Float32Array(width)
    const rows = languageRows(embeddings.get(prompt) ?? [], names, mean)
    const A = new Float32Array(width * classes)
    if (weight > 0) {
      const solved = ridgeClassifier(rows, taught, classes)
      for (let d = 0; d < width; d++)
        for (let c = 0; c < classes; c++) A[d * classes + c] = scale * weight * solved.get(d, c)
      for (let d = 0; d < width; d++) for (let c = 0; c < classes; c++) bias[c] -= mean[d] * A[d * classes + c]
    }
    fitted.set(`language.${prompt}.weight`, A)
  }
  return fitted
}

/**
 * What the language classifier learns from: the clips' z_i less z̄, then the classes' names, centred and of length 1.
 * @param own unit z_i [Dt] of each clip
 * @param names text embeddings [Dt] of the classes' names
 * @param mean z̄ [Dt]; default 0
 *
 * @example
 * ```ts
 * import { languageRows } from "@fourtier/core/train"
 *
 * languageRows([Float32Array.of(1, 0)], [Float32Array.of(1, 0), Float32Array.of(0, 1)]) // [1, 0], [0.71, −0.71], [−0.71, 0.71]
 * ```
 */
export function languageRows(
  own: readonly Float32Array[],
  names: readonly Float32Array[],
  mean: Float32Array = new Float32Array(names[0].length),
): Float32Array[] {
  return [...own.map((row) => row.map((x, d) => x - mean[d])), ...centred(names.map(unit)).map(unit)]
}
