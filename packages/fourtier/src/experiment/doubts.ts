/**
 * Labels that two witnesses doubt who have not seen them: a model of what the clip looks like, and a model of what the answers say
 * about it. Neither was fitted on the clip whose label it judges.
 */

import { clipRows, type Labelled, outOfFoldScores, unit } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { type EmbeddedTexts, meanRow, trainingTargets } from "../text/targets.ts"
import { isDescribed } from "./examples.ts"
import type { Trial } from "./trial.ts"

/** Clips that are judged, at most, and multiplications that their features may take. */
const MOST_CLIPS = 1000
const MOST_PRODUCTS = 1e9
/** Clips of a class from which on a model can be fitted without one of them. */
const FEWEST = 3
const FOLDS = 5
/** Doubts that are kept, the strongest first. */
const MOST_DOUBTS = 40

/** What one witness says of a clip: the class it sees, how much of it, and how much of the label's own class (0 to 1). */
export interface Verdict {
  class: number
  share: number
  own: number
}

export interface Doubt {
  clip: string
  label: number
  features: Verdict
  answers: Verdict
}

export interface Doubts {
  /** Clips that were judged. */
  clips: number
  /** What the verdict on features rests on: the method tested on clips of other folds, or a linear model fitted here. */
  basis: "folds" | "linear"
  found: Doubt[]
}

/**
 * Doubts about the labels of described clips; null where there are too few to judge any.
 * @param trials of one seed: several folds, whose test predictions then judge the clips, or one
 * @param method the method whose predictions are taken
 *
 * @example
 * ```ts
 * import { doubtLabels, type Trial } from "fourtier/experiment"
 *
 * const suspicious = async (trial: Trial) => (await doubtLabels([trial], "full"))?.found.map(({ clip }) => clip)
 * ```
 */
export async function doubtLabels(trials: readonly Trial[], method: string): Promise<Doubts | null> {
  const [first] = trials
  const { classes, text } = first.experiment.settings
  if (!text) return null
  const tested = trials.length > 1 ? testedOutOfFold(trials, method) : null
  const clips = choose(tested?.clips ?? first.data.labelled.examples, first, text)
  if (clips.length === 0) return null
  const labels = clips.map(({ label }) => label)
  const folds = foldsOf(clips)
  const said = outOfFoldScores(answerRows(clips, text), labels, classes.length, folds)
  const seen = tested
    ? clips.map(({ id }) => [...(tested.probabilities.get(id) ?? [])])
    : outOfFoldScores(await featureRows(first, clips), labels, classes.length, folds)
  const found = clips.flatMap(({ id, label }, i): Doubt[] => {
    const [features, answers] = [verdict(seen[i], label), verdict(said[i], label)]
    return features.class === label || answers.class === label ? [] : [{ clip: id, label, features, answers }]
  })
  const strength = ({ features, answers }: Doubt) => features.share - features.own + answers.share - answers.own
  found.sort((a, b) => strength(b) - strength(a))
  return { clips: clips.length, basis: tested ? "folds" : "linear", found: found.slice(0, MOST_DOUBTS) }
}

/** Every clip with what the model said of it that had not been trained on it. */
function testedOutOfFold(trials: readonly Trial[], method: string) {
  const clips = new Map<string, Labelled>()
  const probabilities = new Map<string, ArrayLike<number> & Iterable<number>>()
  for (const { data, result } of trials) {
    for (const clip of data.test.examples) clips.set(clip.id, clip)
    for (const { clipId, probabilities: row } of result.predictions.get(method)?.predictions ?? [])
      probabilities.set(clipId, Float64Array.from(row))
  }
  return { clips: [...clips.values()].filter(({ id, label }) => label >= 0 && probabilities.has(id)), probabilities }
}

/** Described clips of the classes that have enough of them. */
function choose(clips: readonly Labelled[], trial: Trial, text: EmbeddedTexts): Labelled[] {
  const { prompts } = trial.experiment.settings
  const described = clips.filter(({ id }) => isDescribed(id, prompts, text.table))
  const counts = new Map<number, number>()
  for (const { label } of described) counts.set(label, (counts.get(label) ?? 0) + 1)
  const enough = described.filter(({ label }) => (counts.get(label) ?? 0) >= FEWEST)
  if (new Set(enough.map(({ label }) => label)).size < 2) return []
  return Rng.fork("doubts").shuffle(enough).slice(0, MOST_CLIPS)
}

/** Each class is spread over the folds. */
function foldsOf(clips: readonly Labelled[]): number[] {
  const counts = new Map<number, number>()
  return clips.map(({ label }) => {
    const count = counts.get(label) ?? 0
    counts.set(label, count + 1)
    return count % FOLDS
  })
}

/** The answers to all prompts side by side [P·Dt], each of length 1; zero where one is missing. */
function answerRows(clips: readonly Labelled[], { table, width }: EmbeddedTexts): Float32Array[] {
  const ids = new Set(clips.map(({ id }) => id))
  const pooled = new Map(
    [...table].map(([prompt, byClip]) => [
      prompt,
      new Map([...byClip].filter(([id]) => ids.has(id)).map(([id, vector]) => [id, meanRow(vector, width)] as const)),
    ]),
  )
  const prompts = [...trainingTargets(pooled, ids, { center: true }).values()]
  return clips.map(({ id }) => {
    const row = new Float32Array(prompts.length * width)
    for (const [p, byClip] of prompts.entries()) row.set(unit(byClip.get(id) ?? new Float32Array(width)), p * width)
    return row
  })
}

/** The frozen features of the clips, averaged over frames and places where there is too much of them. */
async function featureRows(trial: Trial, clips: readonly Labelled[]): Promise<Float32Array[]> {
  const { size, model, runtime } = trial.experiment.settings
  const set = { source: trial.data.labelled.source, examples: clips }
  const rows = await clipRows(set, await trial.standardize(), size, model.width, runtime)
  const own = clips.map(({ id }) => rows.get(id) ?? new Float32Array())
  const width = model.width ?? size.D
  if (own.length ** 2 * own[0].length <= MOST_PRODUCTS) return own
  return own.map((row) => meanRow(row, width))
}

function verdict(shares: readonly number[], label: number): Verdict {
  const most = shares.reduce((best, share, c) => (share > shares[best] ? c : best), 0)
  return { class: most, share: clamp(shares[most]), own: clamp(shares[label]) }
}

const clamp = (share: number) => Number(Math.min(1, Math.max(0, share)).toFixed(4))
