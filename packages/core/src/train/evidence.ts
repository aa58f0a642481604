/**
 * Whether pseudo-labels may be trusted: evidence against the hypothesis that answers have nothing to do with their clips.
 *
 * ```
 * clips:  e_v = ¼ p^(−¾)    p: permutation test whether the classes that the answers suggest can be told from the features of
 *                           clips that were held out (Mantel 1967, with held-out ridge regression)
 * labels: e_l = Π P(right or wrong | accuracy) / P(right or wrong | chance)     labels are revealed one by one, each after a guess
 *                                                                               from those before it
 * ```
 * Both are e-values (Vovk and Wang 2021): where answers have nothing to do with their clips, the mean of each is at most 1, and so
 * is that of their product: the permutation test is valid whatever the answers and labels are, and the bets on labels are a
 * martingale. By Markov's inequality e_v · e_l reaches 1/α with a chance of at most α. The first needs no label at all.
 */

import { Rng } from "@fourtier/tensor"
import { CholeskyDecomposition, Matrix } from "ml-matrix"
import type { PseudoLabelsConfig } from "../schemas/pseudo-labels.ts"
import { type PseudoLabelsInput, pseudoLabel } from "./pseudo-labels.ts"
import { centred, dot } from "./vectors.ts"

/** Accuracy of pseudo-labels that are worth using. */
const ACCURACY = 0.85
/** Clips that the permutation test looks at, and labels that are guessed, at most. */
const MOST_CLIPS = 400
/** Clips that are clustered for it, at most as many with a label and as many without. */
const MOST_CLUSTERED = 1000
const MOST_LABELS = 24
const PERMUTATIONS = 1999
const FOLDS = 5
/** λ as a multiple of the mean squared norm. */
const PENALTY = 0.1

export interface Evidence {
  /** e_v */
  clips: number
  /** e_l; 1 without labelled clips that have answers. */
  labels: number
  /** Labels that were guessed before they were looked at, and how many of the guesses were right. */
  checked: number
  right: number
  /** Whether the product is large enough. */
  accepted: boolean
  /** About how many more labels would decide it if the answers are good; 0 where it is decided. */
  labelsWanted: number
}

/**
 * The evidence for pseudo-labels from these answers.
 * @param all answers' text embeddings, not anything predicted from the clips; weights that depend on the answers and names alone
 * @param rows features [F] by clip, of clips with and without a label
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import { evidenceFor, type PseudoLabelsInput } from "@fourtier/core/train"
 *
 * const trusted = (input: PseudoLabelsInput, rows: ReadonlyMap<string, Float32Array>) =>
 *   evidenceFor(input, rows, pseudoLabelsSchema.parse({})).accepted
 * ```
 */
export function evidenceFor(
  all: PseudoLabelsInput,
  rows: ReadonlyMap<string, Float32Array>,
  config: PseudoLabelsConfig,
): Evidence {
  const input = sampleOf(all)
  const clips = evidenceOfClips(pseudoLabel(input, config).probabilities, rows)
  const { checked, right, evidence: labels } = evidenceOfLabels(input, config)
  const total = clips * labels
  const accepted = total >= 1 / config.errorRate
  const perLabel = gainPerLabel(input.names.length)
  const missing = Math.ceil(Math.log(1 / config.errorRate / total) / perLabel)
  return { clips, labels, checked, right, accepted, labelsWanted: accepted ? 0 : Math.max(1, missing) }
}

/** Some of the clips, where there are very many. */
function sampleOf(input: PseudoLabelsInput): PseudoLabelsInput {
  const clips = [...new Set([...input.texts.values()].flatMap((byClip) => [...byClip.keys()]))]
  const [labelled, open] = [true, false].map((known) => clips.filter((clip) => input.labels.has(clip) === known))
  if (Math.max(labelled.length, open.length) <= MOST_CLUSTERED) return input
  const kept = new Set([...someOf(labelled, MOST_CLUSTERED), ...someOf(open, MOST_CLUSTERED)])
  const some = <Value>(byClip: ReadonlyMap<string, Value>) => new Map([...byClip].filter(([clip]) => kept.has(clip)))
  const texts = new Map([...input.texts].map(([prompt, byClip]) => [prompt, some(byClip)] as const))
  return { ...input, texts, labels: some(input.labels) }
}

/**
 * Labels are revealed one by one, in an order by chance; before each the clip's class is guessed from those revealed so far. One clip
 * of each class comes first, without a guess.
 */
function evidenceOfLabels(input: PseudoLabelsInput, config: PseudoLabelsConfig) {
  const tables = [...input.texts.values()]
  const labelled = [...input.labels].filter(([clip]) => tables.every((table) => table.has(clip)))
  const firsts = input.names.flatMap((_, c) => {
    const own = labelled.filter(([, label]) => label === c).map(([clip]) => clip)
    return someOf(own, 1, "first labels")
  })
  const hidden = new Map(labelled.filter(([clip]) => !firsts.includes(clip)))
  const shown = new Map(labelled.filter(([clip]) => firsts.includes(clip)))
  let [checked, right, evidence] = [0, 0, 1]
  for (const clip of someOf([...hidden.keys()], MOST_LABELS)) {
    const row = pseudoLabel({ ...input, labels: shown }, config).probabilities.get(clip)
    const guess = row ? row.indexOf(Math.max(...row)) : 0
    const label = hidden.get(clip) ?? 0
    // whatever the answers, an unrelated label is the guess as often as the guess is among those that are still hidden
    const chance = [...hidden.values()].filter((other) => other === guess).length / hidden.size
    if (chance > 0 && chance < ACCURACY) {
      evidence *= guess === label ? ACCURACY / chance : (1 - ACCURACY) / (1 - chance)
    }
    checked++
    if (guess === label) right++
    hidden.delete(clip)
    shown.set(clip, label)
  }
  return { checked, right, evidence }
}

/** Mean logarithm of the evidence of one more label, where answers are good. */
function gainPerLabel(classes: number): number {
  const chance = 1 / classes
  return ACCURACY * Math.log(ACCURACY / chance) + (1 - ACCURACY) * Math.log((1 - ACCURACY) / (1 - chance))
}

/** Permutation test whether classes can be told from features; as an e-value. */
function evidenceOfClips(
  probabilities: ReadonlyMap<string, readonly number[]>,
  features: ReadonlyMap<string, Float32Array>,
): number {
  const open = [...probabilities.keys()].filter((clip) => features.has(clip))
  const clips = someOf(open, MOST_CLIPS)
  if (clips.length < 2 * FOLDS) return 1
  const hat = heldOutHat(centred(clips.map((clip) => features.get(clip) ?? new Float32Array())))
  const classes = centred(clips.map((clip) => Float32Array.from(probabilities.get(clip) ?? [])))
  const alike = classes.map((a) => Float64Array.from(classes, (b) => dot(a, b)))
  const agreement = (order: readonly number[]) => {
    let sum = 0
    for (const [i, row] of hat.entries()) {
      const own = alike[order[i]]
      for (let j = 0; j < row.length; j++) sum += row[j] * own[order[j]]
    }
    return sum
  }
  const order = [...clips.keys()]
  const found = agreement(order)
  const rng = new Rng("permutations")
  let asLarge = 1
  for (let i = 0; i < PERMUTATIONS; i++) if (agreement(rng.shuffle(order)) >= found - 1e-12) asLarge++
  return 0.25 * (asLarge / (PERMUTATIONS + 1)) ** -0.75
}

/** At most `count` of the clips, in an order by chance that their ids decide. */
function someOf(clips: readonly string[], count: number, draw = "evidence"): string[] {
  const places = new Map(clips.map((clip) => [clip, Rng.fork(draw, clip).next()]))
  return [...clips].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0)).slice(0, count)
}

/** H [n][n]: H·Y predicts Y of each clip by ridge regression on the clips of the other folds. */
function heldOutHat(rows: readonly Float32Array[]): Float64Array[] {
  const n = rows.length
  const gram = rows.map((a) => Float64Array.from(rows, (b) => dot(a, b)))
  const hat = rows.map(() => new Float64Array(n))
  for (let fold = 0; fold < FOLDS; fold++) {
    const inside = [...rows.keys()].filter((i) => i % FOLDS === fold)
    const outside = [...rows.keys()].filter((i) => i % FOLDS !== fold)
    const mean = outside.reduce((sum, i) => sum + gram[i][i], 0) / outside.length
    const kernel = new Matrix(
      outside.map((i) => outside.map((j) => gram[i][j] + (i === j ? PENALTY * mean + 1e-9 : 0))),
    )
    const right = new Matrix(outside.map((i) => inside.map((j) => gram[i][j])))
    const solved = new CholeskyDecomposition(kernel).solve(right) // [outside,inside]
    for (const [b, i] of inside.entries()) for (const [a, j] of outside.entries()) hat[i][j] = solved.get(a, b)
  }
  return hat
}
