/**
 * Stage 1 in closed form: ridge regression from a clip's pooled features to the text embeddings of its answers, as weights of
 * processors of the text space.
 *
 * ```
 * x [F] = rows side by side (positional) or their mean (shared)
 * W = (XᵀX + λ·I)⁻¹ XᵀY      X centred, over all views of all clips; Y the clips' unit text embeddings, centred
 * ```
 * x has T+N rows; where that is more than equations are solved for, neighbouring rows share their weights (`ridge-cells.ts`).
 * λ is `penalty` times the mean squared norm of x, given or, prompt by prompt, the one by which held-out clips find their own
 * answers best. With a prior W₀ the solution is drawn to it instead of to zero: W = (XᵀX + λ·I)⁻¹ (XᵀY + λ·W₀). Sums run on the
 * engine; the equations are solved once for all prompts that the same clips have answers to. Of many thousands of clips, some are held
 * out to be judged, 1,000 of each fold. Where clips come from several data sets, each set weighs the same.
 */

import { FourtierError, Rng } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { Matrix } from "ml-matrix"
import { placesOf } from "../model/map.ts"
import { breather } from "../util/breathe.ts"
import { distinct } from "../util/group.ts"
import type { TextTargets } from "./align.ts"
import type { AlignSpec } from "./align-graphs.ts"
import type { Example, FeatureSet } from "./features.ts"
import { type Retrieval, retrievalOf, retrievalRanks, unitTargets } from "./retrieval.ts"
import { type Cells, cellsOf, ofCells, ofRows } from "./ridge-cells.ts"
import { inFold, joined, project, type Sums, sumsOf } from "./ridge-equations.ts"
import { solve } from "./ridge-solve.ts"

/** What a penalty is chosen from: from next to none to one that leaves of a few hundred clips little but the prior. */
const PENALTIES = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]

export interface RidgeFit {
  /** `processor.*` of `model/processor.ts`. */
  weights: Weights
  /** By prompt: how well clips that were held out find their own answers among those of their data set. */
  retrieval: Map<string, Retrieval>
  /** The same by data set, where there are several. */
  bySet: Map<string, Map<string, Retrieval>>
  /** The penalty of each prompt. */
  penalties: Map<string, number>
}

export interface RidgeOptions {
  /** Parts of the clips that are held out in turns to measure retrieval; default 3. */
  folds?: number
  /** The data set of each clip, by clip id; default: all of one. */
  sets?: ReadonlyMap<string, string>
  /** What clips are held out together, by clip id: those of one video, where several lie close together. Default: each by itself. */
  groups?: ReadonlyMap<string, string>
  /** Weights that the solution is drawn to: `processor.*` of an alignment from elsewhere; default: none, so to zero. */
  prior?: Weights
  /**
   * Features of a clip, T+N rows of so many channels, that are solved for at most; default 2048. Of a map with more, neighbouring frames
   * and places share their weights.
   */
  features?: number
  /** Ends the fit with its reason. */
  signal?: AbortSignal
}

/** Beyond them, minutes become hours. */
const MOST_FEATURES = 2048

interface FitOptions extends Required<Omit<RidgeOptions, "signal">> {
  /** Awaited within long loops. */
  breathe: () => Promise<void>
}

/**
 * Fits the processors of all prompts.
 * @param set training clips; a prompt is fitted to those that have a text embedding of it
 * @param frozen `standardize.*`
 * @throws FourtierError where the processors are not of the text space, or there are fewer clips than folds
 *
 * @example
 * ```ts
 * import { type AlignSpec, type FeatureSet, fitRidge, fitStandardize, type TextTargets } from "@fourtier/core/train"
 *
 * // Whether the answers to prompt A tell anything of clips that were not fitted.
 * async function tells(clips: FeatureSet, texts: TextTargets, spec: AlignSpec) {
 *   const { retrieval } = await fitRidge(clips, await fitStandardize(clips, spec.width), texts, spec)
 *   return (retrieval.get("A")?.z ?? 0) > 3
 * }
 * ```
 */
export async function fitRidge(
  set: FeatureSet<Example>,
  frozen: Weights,
  texts: TextTargets,
  spec: AlignSpec,
  {
    folds = 3,
    sets = new Map(),
    groups = new Map(),
    prior = new Map(),
    features = MOST_FEATURES,
    signal,
  }: RidgeOptions = {},
): Promise<RidgeFit> {
  const fit: RidgeFit = { weights: new Map(), retrieval: new Map(), bySet: new Map(), penalties: new Map() }
  const several = distinct(set.examples.map(({ id }) => sets.get(id))).length > 1
  for (const { prompts, examples } of alikeDescribed(set.examples, texts, spec.prompts)) {
    const own = { source: set.source, examples }
    const options = { folds, sets, groups, prior, features, breathe: breather(signal) }
    const { weights, retrieval, bySet, penalties } = await fitPrompts(own, frozen, texts, { ...spec, prompts }, options)
    for (const [name, values] of weights) fit.weights.set(name, values)
    for (const [prompt, found] of retrieval) fit.retrieval.set(prompt, found)
    for (const [prompt, penalty] of penalties) fit.penalties.set(prompt, penalty)
    if (!several) continue
    for (const [name, byPrompt] of bySet) fit.bySet.set(name, new Map([...(fit.bySet.get(name) ?? []), ...byPrompt]))
  }
  return fit
}

/** Prompts with the clips that have their texts; prompts of the same clips share their equations. */
function alikeDescribed(
  examples: readonly Example[],
  { embeddings }: TextTargets,
  prompts: readonly string[],
): { prompts: string[]; examples: readonly Example[] }[] {
  const groups = new Map<string, { prompts: string[]; examples: readonly Example[] }>()
  for (const prompt of prompts) {
    const own = examples.filter(({ id }) => embeddings.get(prompt)?.has(id))
    const key = own.map(({ id }) => id).join("\u0000")
    const group = groups.get(key) ?? { prompts: [], examples: own }
    group.prompts.push(prompt)
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** Fits prompts that all clips have texts of. */
async function fitPrompts(
  set: FeatureSet<Example>,
  frozen: Weights,
  texts: TextTargets,
  spec: AlignSpec,
  { folds, sets, groups, prior, features, breathe }: FitOptions,
): Promise<RidgeFit> {
  if (spec.processors.processors !== "text") {
    throw new FourtierError({
      where: "align.start",
      what: "ridge needs processors of the text space",
      fix: "set model.processors=text, or align.start=random",
    })
  }
  const examples = inRandomOrder(set.examples)
  const held = distinct(examples.map(({ id }) => groups.get(id) ?? id))
  if (held.length < folds) {
    throw new FourtierError({
      where: "align.start",
      what: `too few clips with answers to ${spec.prompts.join(", ")}`,
      expected: `${folds}`,
      found: `${held.length}`,
    })
  }
  const foldOf = new Map(held.map((group, i) => [group, i % folds]))
  const places = examples.map(({ id }) => foldOf.get(groups.get(id) ?? id) ?? 0)
  const setOf = examples.map(({ id }) => sets.get(id) ?? "")
  const width = spec.textWidth
  const cells = cellsOf(spec.size, spec.width ?? spec.size.D, features)
  const answersOf =
    examples.length > spec.prompts.length * width ? (clip: Example) => sideBySide(texts, spec, clip) : null
  const summing = { folds, places, weights: balanced(setOf), cells, answersOf }
  const parts = await sumsOf({ source: set.source, examples }, frozen, spec, summing)
  const known: Held = {
    ...{ parts, width, breathe },
    byFold: parts.map((_, fold) => ({
      sets: inFold(setOf, fold, places),
      targets: spec.prompts.map((prompt) => {
        const clips = inFold(examples, fold, places)
        return unitTargets(texts, prompt, answersOf ? clips.slice(0, parts[fold].means.length) : clips)
      }),
    })),
    priors: spec.prompts.map((prompt) => priorOf(prior, prompt, spec, cells)),
  }
  const { ridge } = spec.contrastive
  const tried: { penalty: number; ranks: Rank[][] }[] = []
  for (const penalty of ridge === "held-out" ? PENALTIES : [ridge]) {
    tried.push({ penalty, ranks: await heldOutRanks(known, penalty) })
  }
  const fit: RidgeFit = { weights: new Map(), retrieval: new Map(), bySet: new Map(), penalties: new Map() }
  for (const [p, prompt] of spec.prompts.entries()) {
    const skills = tried.map(({ ranks }) => retrievalOf(ranks[p].map(({ rank }) => rank)).skill)
    const { penalty, ranks } = tried[skills.indexOf(Math.max(...skills))]
    fit.penalties.set(prompt, penalty)
    fit.retrieval.set(prompt, retrievalOf(ranks[p].map(({ rank }) => rank)))
    for (const name of distinct(setOf)) {
      const own = ranks[p].flatMap(({ set, rank }) => (set === name ? [rank] : []))
      fit.bySet.set(name, new Map([...(fit.bySet.get(name) ?? []), [prompt, retrievalOf(own)]]))
    }
  }
  const sums = joined(parts)
  const targets = spec.prompts.map((_, p) => known.byFold.flatMap(({ targets }) => targets[p]))
  for (const penalty of distinct([...fit.penalties.values()])) {
    const solved = await solve({ sums, targets, width, breathe }, penalty)
    for (const [p, prompt] of spec.prompts.entries()) {
      if (fit.penalties.get(prompt) !== penalty) continue
      const W = await solved.weights(p, known.priors[p])
      for (const [name, values] of processorWeights(W, solved.mean, spec, cells)) {
        fit.weights.set(`processor.${prompt}.${name}`, values)
      }
    }
  }
  return fit
}

/** A clip's unit text embeddings of all prompts: [P·Dt] */
function sideBySide(texts: TextTargets, { prompts, textWidth }: AlignSpec, clip: Example): Float32Array {
  const all = new Float32Array(prompts.length * textWidth)
  for (const [p, prompt] of prompts.entries()) all.set(unitTargets(texts, prompt, [clip])[0], p * textWidth)
  return all
}

/** What folds are held out of. */
interface Held {
  parts: readonly Sums[]
  /** Of each fold: the data sets of its clips; by prompt, the targets of those that are judged. */
  byFold: readonly { sets: readonly string[]; targets: readonly (readonly Float32Array[])[] }[]
  /** By prompt. */
  priors: readonly (Matrix | null)[]
  width: number
  breathe: () => Promise<void>
}

interface Rank {
  set: string
  rank: number
}

/** By prompt: the data set of each clip, and where its own answer stands when the clips of its fold are held out. */
async function heldOutRanks({ parts, byFold, priors, width, breathe }: Held, penalty: number): Promise<Rank[][]> {
  const ranks = priors.map((): Rank[] => [])
  for (const [fold, { means }] of parts.entries()) {
    const others = parts.flatMap((_, other) => (other === fold ? [] : [other]))
    const sums = joined(others.map((other) => parts[other]))
    const targets = priors.map((_, p) => others.flatMap((other) => byFold[other].targets[p]))
    const solved = await solve({ sums, targets, width, breathe }, penalty)
    const sources = byFold[fold].sets.slice(0, means.length)
    for (const [p, prior] of priors.entries()) {
      const W = await solved.weights(p, prior)
      const found: Float64Array[] = []
      for (const x of means) {
        await breathe()
        found.push(project(x, solved.mean, W))
      }
      const places = retrievalRanks(found, byFold[fold].targets[p], sources)
      ranks[p].push(...places.map((rank, i) => ({ set: sources[i], rank })))
    }
  }
  return ranks
}

/** A weight for each clip, 1 on average, such that every set weighs the same. */
function balanced(setOf: readonly string[]): number[] {
  const counts = new Map<string, number>()
  for (const set of setOf) counts.set(set, (counts.get(set) ?? 0) + 1)
  return setOf.map((set) => setOf.length / (counts.size * (counts.get(set) ?? 1)))
}

/** Clips often come class by class: an order by chance, decided by their ids, gives every fold a share of each. */
function inRandomOrder(examples: readonly Example[]): Example[] {
  const places = new Map(examples.map(({ id }) => [id, Rng.fork("fold", id).next()]))
  return [...examples].sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0))
}

/** W [F,Dt] as parameters of a processor whose mean over rows is (x − mean)·W. */
function processorWeights(
  solved: readonly Float64Array[],
  mean: Float64Array,
  spec: AlignSpec,
  cells: Cells,
): [string, Float32Array][] {
  const width = solved[0].length
  const bias = new Float32Array(width)
  for (const [f, row] of solved.entries()) for (let d = 0; d < width; d++) bias[d] -= mean[f] * row[d]
  if (spec.processors.processorWeights === "shared") {
    const weight = Float32Array.from(
      { length: solved.length * width },
      (_, i) => solved[Math.floor(i / width)][i % width],
    )
    return ["temporal", "spatial"].flatMap((part): [string, Float32Array][] => [
      [`${part}.weight`, weight],
      [`${part}.bias`, bias],
    ])
  }
  // the mean over R rows divides by R
  const R = spec.size.T + placesOf(spec.size)
  const W = ofRows(solved, cells)
  const weight = Float32Array.from({ length: W.length * width }, (_, i) => R * W[Math.floor(i / width)][i % width])
  return [
    ["weight", weight],
    ["bias", bias],
  ]
}

/** W₀ [F,Dt] of a prompt's processor; null where it has none. */
function priorOf(prior: Weights, prompt: string, spec: AlignSpec, cells: Cells): Matrix | null {
  const shared = spec.processors.processorWeights === "shared"
  const parts = shared ? ["temporal", "spatial"] : [""]
  const weights = parts.flatMap((part) => prior.get(`processor.${prompt}.${part && `${part}.`}weight`) ?? [])
  if (weights.length === 0) return null
  // positional: the mean over R rows divides by R; shared: frames and places were fitted alike, or differ by their training
  const R = spec.size.T + placesOf(spec.size)
  const counts = shared ? [spec.size.T / R, placesOf(spec.size) / R] : [1 / R]
  const F = weights[0].length / spec.textWidth
  const matrix = new Matrix(F, spec.textWidth)
  for (const [i, values] of weights.entries()) {
    for (let f = 0; f < F; f++) {
      for (let d = 0; d < spec.textWidth; d++) {
        matrix.set(f, d, matrix.get(f, d) + counts[i] * values[f * spec.textWidth + d])
      }
    }
  }
  if (shared || cells.sizes.length === cells.of.length) return matrix
  return new Matrix(
    ofCells(
      matrix.to2DArray().map((row) => Float64Array.from(row)),
      cells,
    ).map((row) => [...row]),
  )
}
