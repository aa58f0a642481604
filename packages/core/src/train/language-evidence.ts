/**
 * Whether the language classifier tells the classes at all. The weights of prompts only say which prompt counts beside which: where there
 * is one, or all tell of something else than the classes (of the scene, say), the labels have to say that none of them should be heeded.
 */

import { languageRows } from "./language.ts"
import { leaveOneOutScores } from "./ridge-classifier.ts"

/** Odds for answers that unseen clips find, and that tell the names apart, before any label is seen. */
const PRIOR_ODDS = 3
/** More labelled clips than these would add nothing to a decision that they have made. */
const MOST_CLIPS = 300

export interface LanguageEvidence {
  /** Labelled clips that were judged, each without its own label. */
  clips: number
  right: number
  /** Odds that the classifier is right more often than by chance. */
  odds: number
}

/**
 * How often the language classifier is right about labelled clips whose label is left out (leave one out, in closed form).
 * @param embeddings unit z_i [Dt] of each labelled clip, by prompt
 * @param labels the clips' class numbers
 * @param names text embeddings [Dt] of the classes' names
 * @param weights weight of each prompt
 * @param means z̄ [Dt] by prompt; default 0
 *
 * @example
 * ```ts
 * import { languageEvidence } from "@fourtier/core/train"
 *
 * const [jump, wave] = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * const z = new Map([["A", [jump, wave, jump, wave]]])
 * languageEvidence(z, [0, 1, 0, 1], [jump, wave], new Map([["A", 1]])) // 4 clips, 4 right, odds above 1
 * languageEvidence(z, [1, 0, 0, 1], [jump, wave], new Map([["A", 1]])).odds // below 1
 * ```
 */
export function languageEvidence(
  embeddings: ReadonlyMap<string, readonly Float32Array[]>,
  labels: readonly number[],
  names: readonly Float32Array[],
  weights: ReadonlyMap<string, number>,
  means: ReadonlyMap<string, Float32Array> = new Map(),
): LanguageEvidence {
  const classes = names.length
  const stride = Math.max(1, labels.length / MOST_CLIPS)
  const judged = Array.from({ length: Math.min(labels.length, MOST_CLIPS) }, (_, i) => Math.floor(i * stride))
  const scores = judged.map(() => new Float64Array(classes))
  const taught = [...judged.map((i) => labels[i]), ...names.keys()]
  for (const [prompt, weight] of weights) {
    const own = embeddings.get(prompt)
    if (weight === 0 || own === undefined) continue
    const rows = languageRows(
      judged.map((i) => own[i]),
      names,
      means.get(prompt),
    )
    const left = leaveOneOutScores(rows, taught, classes)
    for (const [i, row] of scores.entries()) for (let c = 0; c < classes; c++) row[c] += weight * left.get(i, c)
  }
  const right = scores.filter((row, i) => row.indexOf(Math.max(...row)) === labels[judged[i]]).length
  return { clips: judged.length, right, odds: PRIOR_ODDS * bayesFactor(right, judged.length, 1 / classes) }
}

/**
 * Probability of `right` of `count` where the accuracy may be anything above chance (uniform), over that at chance. The integral of
 * pᵏ(1−p)ⁿ⁻ᵏ above p₀ is a tail of the beta distribution, which is a tail of the binomial one.
 */
function bayesFactor(right: number, count: number, chance: number): number {
  if (chance === 1) return 1
  const below = Array.from({ length: right + 1 }, (_, k) => binomial(k, count + 1, chance)).reduce((a, b) => a + b)
  return below / ((1 - chance) * (count + 1)) / binomial(right, count, chance)
}

function binomial(k: number, n: number, p: number): number {
  let log = k * Math.log(p) + (n - k) * Math.log1p(-p)
  for (let i = 1; i <= k; i++) log += Math.log((n - k + i) / i)
  return Math.exp(log)
}
