/**
 * Pseudo-labels (Lee 2013) from language: the classes of training clips without a label, from what the VLM said about them.
 *
 * Seeded clustering of the answers' embeddings (Basu et al. 2002) on the sphere (Banerjee et al. 2005). Class centres start as
 * the class's name and the answers about its labelled clips; then clips without a label join in, weighted by how sure their
 * class is, and centres and classes are found in turns.
 *
 * ```
 * centre_pc = unit( name_c + Σ_clips sureness · P(c) · e_p )        for every prompt p and class c
 * P(c)      = softmax over c of ( Σ_p w_p cos(e_p, centre_pc) / Σ_p w_p + anchor_c ) / temperature
 * anchor_c  = what a ridge classifier of the labelled clips and the names says: it does not drift
 * w_p       = weight_p · log odds that prompt p alone agrees with the class of all prompts together (Dawid and Skene 1979)
 * ```
 * So a prompt that says nothing about the classes, such as one about the scene, loses its say by itself. A clip that is no
 * nearer to its class than clips usually are to a class that is not theirs is of none of them.
 */

import type { PseudoLabelsConfig } from "../schemas/pseudo-labels.ts"
import { oneHot, ridgeClassifier } from "./ridge-classifier.ts"
import { centred, dot, unit } from "./vectors.ts"

export interface PseudoLabelsInput {
  /** Text embeddings [Dt] by prompt, then clip. Clips that a prompt lacks are left out altogether. */
  texts: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>
  /** Text embeddings [Dt] of the class names. */
  names: readonly Float32Array[]
  /** Class number by clip, of the labelled ones. */
  labels: ReadonlyMap<string, number>
  /** How much each prompt counts from the start; default: all alike. */
  weights?: ReadonlyMap<string, number>
}

export interface PseudoLabels {
  /** Class probabilities [C] of the clips without a label; of those too that are of no class. */
  probabilities: Map<string, number[]>
  /** Clips without a label that resemble no class. */
  none: Set<string>
  /** w_p by prompt. */
  promptWeights: Map<string, number>
}

/** Never sure that a prompt is always right, or no better than chance: shares are kept this far from both. */
const MARGIN = 0.01

/**
 * Class probabilities of the clips without a label, and how much each prompt counts.
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import { pseudoLabel } from "@fourtier/core/train"
 *
 * const names = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * const answers = new Map([["a", Float32Array.of(0.9, 0.1)], ["b", Float32Array.of(0.2, 0.8)]])
 * const input = { texts: new Map([["A", answers]]), names, labels: new Map([["a", 0]]) }
 * pseudoLabel(input, pseudoLabelsSchema.parse({})).probabilities.get("b") // class 1, almost surely
 * ```
 */
export function pseudoLabel(
  { texts, names, labels, weights: priors }: PseudoLabelsInput,
  { temperature, rounds }: PseudoLabelsConfig,
): PseudoLabels {
  const prompts = [...texts.keys()]
  const tables = [...texts.values()]
  const clips = [...(tables[0]?.keys() ?? [])].filter((clip) => tables.every((table) => table.has(clip)))
  const rows = tables.map((table) => clips.map((clip) => unit(table.get(clip) ?? new Float32Array())))
  const classNames = centred(names).map(unit)
  const known = clips.map((clip) => labels.get(clip))
  const classes = names.length

  const given = prompts.map((prompt) => priors?.get(prompt) ?? 1)
  const prior = given.some((weight) => weight > 0) ? given : prompts.map(() => 1)
  let weights = prior
  let chosen = known.map((label) => label ?? -1)
  let probabilities = known.map((label) => (label === undefined ? null : oneHot(label, classes)))
  const anchors = anchorScores(rows, known, classNames, prior)
  let scores: number[][] = []
  for (let round = 0; round < rounds; round++) {
    const cosines = rows.map((own) => cosinesTo(centresOf(own, probabilities, known, classNames), own))
    scores = clips.map((_, clip) => weightedMean(cosines, weights, clip).map((score, c) => score + anchors[clip][c]))
    probabilities = known.map((label, clip) =>
      label === undefined ? softmax(scores[clip], temperature) : oneHot(label, classes),
    )
    const before = chosen
    chosen = probabilities.map((row) => (row ? argmax(row) : -1))
    weights = cosines.map((own, p) => prior[p] * logOdds(agreement(own, chosen), classes))
    if (chosen.every((label, clip) => label === before[clip])) break
  }
  const open = clips.flatMap((clip, i) => (known[i] === undefined ? [{ clip, i }] : []))
  const least = leastScore(open.map(({ i }) => scores[i]))
  return {
    probabilities: new Map(
      open.flatMap(({ clip, i }) => (probabilities[i] ? [[clip, probabilities[i]] as const] : [])),
    ),
    none: new Set(open.flatMap(({ clip, i }) => (Math.max(...scores[i]) < least ? [clip] : []))),
    promptWeights: new Map(prompts.map((prompt, p) => [prompt, weights[p]])),
  }
}

/** [clips][C]: ridge classifiers of labelled clips and names, one for each prompt, summed by the prompts' weights. */
function anchorScores(
  rows: readonly (readonly Float32Array[])[],
  known: readonly (number | undefined)[],
  names: readonly Float32Array[],
  weights: readonly number[],
): number[][] {
  const scores = known.map(() => names.map(() => 0))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  for (const [p, own] of rows.entries()) {
    const labelled = own.filter((_, clip) => known[clip] !== undefined)
    const labels = known.filter((label) => label !== undefined)
    const A = ridgeClassifier([...labelled, ...names], [...labels, ...names.keys()], names.length)
    const columns = names.map((_, c) => A.getColumn(c))
    for (const [clip, row] of own.entries()) {
      for (const [c, column] of columns.entries()) scores[clip][c] += (weights[p] / total) * dot(row, column)
    }
  }
  return scores
}

/** Half-way between what clips usually score for their own class and for the next. */
function leastScore(scores: readonly (readonly number[])[]): number {
  if (scores.length === 0) return 0
  const ranked = scores.map((row) => [...row].sort((a, b) => b - a))
  return (median(ranked.map(([first]) => first)) + median(ranked.map(([, second]) => second))) / 2
}

/** Centres [C][Dt]: names, labelled clips, and others by the square of their surest class. */
function centresOf(
  rows: readonly Float32Array[],
  probabilities: readonly (readonly number[] | null)[],
  known: readonly (number | undefined)[],
  names: readonly Float32Array[],
): Float32Array[] {
  const sums = names.map((name) => Float32Array.from(name))
  for (const [clip, row] of rows.entries()) {
    const own = probabilities[clip]
    if (!own) continue
    const sureness = known[clip] === undefined ? Math.max(...own) ** 2 : 1
    for (const [c, p] of own.entries()) {
      const share = sureness * p
      if (share < 1e-6) continue
      const sum = sums[c]
      for (let d = 0; d < sum.length; d++) sum[d] += share * row[d]
    }
  }
  return sums.map(unit)
}

/** [clips][C] */
function cosinesTo(centres: readonly Float32Array[], rows: readonly Float32Array[]): number[][] {
  return rows.map((row) => centres.map((centre) => dot(row, centre)))
}

function weightedMean(cosines: readonly number[][][], weights: readonly number[], clip: number): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return cosines[0][clip].map((_, c) => cosines.reduce((sum, own, p) => sum + (weights[p] * own[clip][c]) / total, 0))
}

/** Share of clips whose nearest centre is that of the class chosen; half a clip is added as right and as wrong. */
function agreement(cosines: readonly number[][], chosen: readonly number[]): number {
  const right = cosines.filter((row, clip) => argmax(row) === chosen[clip]).length
  return (right + 0.5) / (cosines.length + 1)
}

function logOdds(share: number, classes: number): number {
  const kept = Math.min(Math.max(share, 1 / classes + MARGIN), 1 - MARGIN)
  return Math.log((kept * (classes - 1)) / (1 - kept))
}

function softmax(values: readonly number[], temperature: number): number[] {
  const most = Math.max(...values)
  const powers = values.map((value) => Math.exp((value - most) / temperature))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

const argmax = (row: readonly number[]) => row.indexOf(Math.max(...row))
