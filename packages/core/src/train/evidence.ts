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

import { Rng, type SessionOptions } from "@fourtier/tensor"
import { CholeskyDecomposition, Matrix } from "ml-matrix"
import type { PseudoLabelsConfig } from "../schemas/pseudo-labels.ts"
import { someTexts } from "./clip-texts.ts"
import { LabelRounds } from "./label-rounds.ts"
import type { Seed } from "./label-seeds.ts"
import { growingSeeds, labelIn, type PseudoLabels, type PseudoLabelsInput } from "./pseudo-labels.ts"
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

/** Pseudo-labels of the same clips from some of their labels. */
type Guess = (labels: ReadonlyMap<string, number>, seeds?: readonly Seed[]) => Promise<PseudoLabels>

/** Features [F] by clip. */
export type RowsOf = (clips: readonly string[]) => Promise<ReadonlyMap<string, Float32Array>>

/**
 * The evidence for pseudo-labels from these answers.
 * @param all answers' text embeddings, not anything predicted from the clips; weights that depend on the answers and names alone
 * @param rowsOf features [F] of clips, those that have any; it is asked for 400 clips at most
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import { evidenceFor, type PseudoLabelsInput } from "@fourtier/core/train"
 *
 * const trusted = async (input: PseudoLabelsInput, rows: ReadonlyMap<string, Float32Array>) =>
 *   (await evidenceFor(input, async () => rows, pseudoLabelsSchema.parse({}))).accepted
 * ```
 */
export async function evidenceFor(
  all: PseudoLabelsInput,
  rowsOf: RowsOf,
  config: PseudoLabelsConfig,
  runtime: SessionOptions = {},
): Promise<Evidence> {
  const input = await sampleOf(all)
  const rounds = await LabelRounds.open(input.texts, input.names.length, config.temperature, runtime)
  const guess: Guess = (labels, seeds) => labelIn(rounds, { ...input, labels }, config, seeds)
  let clips: number
  let found: Awaited<ReturnType<typeof evidenceOfLabels>>
  try {
    const { probabilities } = await guess(input.labels)
    clips = evidenceOfClips(probabilities, await rowsOf(someOf([...probabilities.keys()], MOST_CLIPS)))
    found = await evidenceOfLabels(input, guess)
  } finally {
    await rounds.release()
  }
  const { checked, right, evidence: labels } = found
  const total = clips * labels
  const accepted = total >= 1 / config.errorRate
  const perLabel = gainPerLabel(input.names.length)
  const missing = Math.ceil(Math.log(1 / config.errorRate / total) / perLabel)
  return { clips, labels, checked, right, accepted, labelsWanted: accepted ? 0 : Math.max(1, missing) }
}

/** Some of the clips, where there are very many, in memory. */
async function sampleOf(input: PseudoLabelsInput): Promise<PseudoLabelsInput> {
  const { clips } = input.texts
  const [labelled, open] = [true, false].map((known) => clips.filter((clip) => input.labels.has(clip) === known))
  if (Math.max(labelled.length, open.length) <= MOST_CLUSTERED) return input
  const kept = new Set([...someOf(labelled, MOST_CLUSTERED), ...someOf(open, MOST_CLUSTERED)])
  const labels = new Map([...input.labels].filter(([clip]) => kept.has(clip)))
  return { ...input, texts: await someTexts(input.texts, kept), labels }
}

/**
 * Labels are revealed one by one, in an order by chance; before each the clip's class is guessed from those revealed so far. One clip
 * of each class comes first, without a guess.
 */
async function evidenceOfLabels(input: PseudoLabelsInput, guess: Guess) {
  const told = new Set(input.texts.clips)
  const labelled = [...input.labels].filter(([clip]) => told.has(clip))
  const firsts = input.names.flatMap((_, c) => {
    const own = labelled.filter(([, label]) => label === c).map(([clip]) => clip)
    return someOf(own, 1, "first labels")
  })
  const hidden = new Map(labelled.filter(([clip]) => !firsts.includes(clip)))
  const shown = new Map(labelled.filter(([clip]) => firsts.includes(clip)))
  const seeds = await growingSeeds({ ...input, labels: shown })
  const places = new Map(input.texts.clips.map((clip, place) => [clip, place]))
  let [checked, right, evidence] = [0, 0, 1]
  for (const clip of someOf([...hidden.keys()], MOST_LABELS)) {
    const row = (await guess(shown, seeds.seeds)).probabilities.get(clip)
    const guessed = row ? row.indexOf(Math.max(...row)) : 0
    const label = hidden.get(clip) ?? 0
    // whatever the answers, an unrelated label is the guess as often as the guess is among those that are still hidden
    const chance = [...hidden.values()].filter((other) => other === guessed).length / hidden.size
    if (chance > 0 && chance < ACCURACY) {
      evidence *= guessed === label ? ACCURACY / chance : (1 - ACCURACY) / (1 - chance)
    }
    checked++
    if (guessed === label) right++
    hidden.delete(clip)
    shown.set(clip, label)
    await seeds.add(places.get(clip) ?? 0, label)
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
  probabilities: ReadonlyMap<string, Float32Array>,
  features: ReadonlyMap<string, Float32Array>,
): number {
  const clips = someOf([...probabilities.keys()], MOST_CLIPS).filter((clip) => features.has(clip))
  if (clips.length < 2 * FOLDS) return 1
  const hat = heldOutHat(centred(clips.map((clip) => features.get(clip) ?? new Float32Array())))
  const classes = centred(clips.map((clip) => probabilities.get(clip) ?? new Float32Array()))
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
