/**
 * Pseudo-labels (Lee 2013) from language: the classes of training clips without a label, from what the VLM said about them.
 *
 * Seeded clustering of the answers' embeddings (Basu et al. 2002) on the sphere (Banerjee et al. 2005). Class centres start as
 * the class's name and the answers about its labelled clips; then clips without a label join in, weighted by how sure their
 * class is, and centres and classes are found in turns.
 *
 * ```
 * centre_pc = unit( name_c + Σ_clips sureness · P(c) · e_p )        for every prompt p and class c
 * P(c)      = softmax over c of ( Σ_p w_p cos(e_p, centre_pc) / Σ_p w_p ) / temperature
 * w_p       = log odds that prompt p alone agrees with the class of all prompts together (Dawid and Skene 1979)
 * ```
 * So a prompt that says nothing about the classes, such as one about the scene, loses its say by itself.
 */

import type { PseudoLabelsConfig } from "../schemas/pseudo-labels.ts"
import { centred, dot, unit } from "./vectors.ts"

export interface PseudoLabelsInput {
  /** Text embeddings [Dt] by prompt, then clip. Clips that a prompt lacks are left out altogether. */
  texts: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>
  /** Text embeddings [Dt] of the class names. */
  names: readonly Float32Array[]
  /** Class number by clip, of the labelled ones. */
  labels: ReadonlyMap<string, number>
}

export interface PseudoLabels {
  /** Class probabilities [C] of the clips without a label. */
  probabilities: Map<string, number[]>
  /** w_p by prompt. */
  promptWeights: Map<string, number>
}

/**
 * Whether the answers tell the classes at all: each half of the labelled clips in turn is treated as if it had no label.
 * @returns how many clips that was done to, and how many of them got their own label
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import { checkPseudoLabels, type PseudoLabelsInput } from "@fourtier/core/train"
 *
 * // Share of the labelled clips whose own label the answers give.
 * function accuracy(input: PseudoLabelsInput) {
 *   const { clips, right } = checkPseudoLabels(input, pseudoLabelsSchema.parse({}))
 *   return right / clips
 * }
 * ```
 */
export function checkPseudoLabels(
  input: PseudoLabelsInput,
  config: PseudoLabelsConfig,
): { clips: number; right: number } {
  const labels = [...input.labels].sort(([, a], [, b]) => a - b)
  let [clips, right] = [0, 0]
  for (const half of [0, 1]) {
    const kept = new Map(labels.filter((_, i) => i % 2 !== half))
    const { probabilities } = pseudoLabel({ ...input, labels: kept }, config)
    for (const [clip, label] of labels.filter((_, i) => i % 2 === half)) {
      const row = probabilities.get(clip)
      if (!row) continue
      clips++
      if (argmax(row) === label) right++
    }
  }
  return { clips, right }
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
  { texts, names, labels }: PseudoLabelsInput,
  { temperature, rounds }: PseudoLabelsConfig,
): PseudoLabels {
  const prompts = [...texts.keys()]
  const tables = [...texts.values()]
  const clips = [...(tables[0]?.keys() ?? [])].filter((clip) => tables.every((table) => table.has(clip)))
  const rows = tables.map((table) => clips.map((clip) => unit(table.get(clip) ?? new Float32Array())))
  const classNames = centred(names).map(unit)
  const known = clips.map((clip) => labels.get(clip))
  const classes = names.length

  let weights = prompts.map(() => 1)
  let chosen = known.map((label) => label ?? -1)
  let probabilities = known.map((label) => (label === undefined ? null : oneHot(label, classes)))
  for (let round = 0; round < rounds; round++) {
    const cosines = rows.map((own) => cosinesTo(centresOf(own, probabilities, known, classNames), own))
    probabilities = known.map((label, clip) =>
      label === undefined ? softmax(weightedMean(cosines, weights, clip), temperature) : oneHot(label, classes),
    )
    const before = chosen
    chosen = probabilities.map((row) => (row ? argmax(row) : -1))
    weights = cosines.map((own) => logOdds(agreement(own, chosen), classes))
    if (chosen.every((label, clip) => label === before[clip])) break
  }
  return {
    probabilities: new Map(
      clips.flatMap((clip, i) => {
        const row = probabilities[i]
        return known[i] === undefined && row ? [[clip, row] as const] : []
      }),
    ),
    promptWeights: new Map(prompts.map((prompt, p) => [prompt, weights[p]])),
  }
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

const oneHot = (label: number, classes: number): number[] =>
  Array.from({ length: classes }, (_, c) => (c === label ? 1 : 0))

const argmax = (row: readonly number[]) => row.indexOf(Math.max(...row))
