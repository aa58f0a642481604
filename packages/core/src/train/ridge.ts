/**
 * Stage 1 in closed form: ridge regression from a clip's pooled features to the text embeddings of its answers, as weights of
 * processors of the text space.
 *
 * ```
 * x [F] = rows side by side (positional) or their mean (shared)
 * W = (XᵀX + λ·I)⁻¹ XᵀY      X centred, over all views of all clips; Y the clips' unit text embeddings, centred
 * ```
 * λ is `penalty` times the mean squared norm of x, given or, prompt by prompt, the one by which held-out clips find their own
 * answers best. With a prior W₀ the solution is drawn to it instead of to zero: W = (XᵀX + λ·I)⁻¹ (XᵀY + λ·W₀). Sums run on the
 * engine, so memory does not grow with the number of clips; the equations are solved once for all prompts that the same clips have
 * answers to. Where clips come from several data sets, each set weighs the same.
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
import { inFold, joined, project, type Sums, solve, sumsOf, weigh } from "./ridge-equations.ts"

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
  /** Ends the fit with its reason. */
  signal?: AbortSignal
}

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
  { folds = 3, sets = new Map(), groups = new Map(), prior = new Map(), signal }: RidgeOptions = {},
): Promise<RidgeFit> {
  const fit: RidgeFit = { weights: new Map(), retrieval: new Map(), bySet: new Map(), penalties: new Map() }
  const several = distinct(set.examples.map(({ id }) => sets.get(id))).length > 1
  for (const { prompts, examples } of alikeDescribed(set.examples, texts, spec.prompts)) {
    const own = { source: set.source, examples }
    const options = { folds, sets, groups, prior, breathe: breather(signal) }
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
  { folds, sets, groups, prior, breathe }: FitOptions,
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
  const parts = await sumsOf({ source: set.source, examples }, frozen, spec, { folds, places }, balanced(setOf))
  const targets = new Map(spec.prompts.map((prompt) => [prompt, unitTargets(texts, prompt, examples)]))
  const priors = new Map(spec.prompts.map((prompt) => [prompt, priorOf(prior, prompt, spec)]))
  const { ridge } = spec.contrastive
  const tried: { penalty: number; ranks: Awaited<ReturnType<typeof heldOutRanks>> }[] = []
  for (const penalty of ridge === "held-out" ? PENALTIES : [ridge]) {
    tried.push({ penalty, ranks: await heldOutRanks(parts, places, targets, priors, setOf, penalty, breathe) })
  }
  const fit: RidgeFit = { weights: new Map(), retrieval: new Map(), bySet: new Map(), penalties: new Map() }
  for (const prompt of spec.prompts) {
    const found = tried.map(({ penalty, ranks }) => ({ penalty, ranks: ranks.get(prompt) ?? [] }))
    const skills = found.map(({ ranks }) => retrievalOf(ranks.map(({ rank }) => rank)).skill)
    const { penalty, ranks } = found[skills.indexOf(Math.max(...skills))]
    fit.penalties.set(prompt, penalty)
    fit.retrieval.set(prompt, retrievalOf(ranks.map(({ rank }) => rank)))
    for (const name of distinct(setOf)) {
      const own = ranks.flatMap(({ set, rank }) => (set === name ? [rank] : []))
      fit.bySet.set(name, new Map([...(fit.bySet.get(name) ?? []), [prompt, retrievalOf(own)]]))
    }
  }
  const whole = joined(parts)
  for (const penalty of distinct([...fit.penalties.values()])) {
    const solved = await solve(whole, penalty, breathe)
    for (const [prompt, target] of targets) {
      if (fit.penalties.get(prompt) !== penalty) continue
      const inOrder = [...Array(folds).keys()].flatMap((fold) => inFold(target, fold, places))
      const W = await weigh(solved, inOrder, priors.get(prompt) ?? null, breathe)
      for (const [name, values] of processorWeights(W, solved.mean, spec)) {
        fit.weights.set(`processor.${prompt}.${name}`, values)
      }
    }
  }
  return fit
}

/** By prompt: the data set of each clip, and where its own answer stands when the clips of its fold are held out. */
async function heldOutRanks(
  parts: readonly Sums[],
  foldOf: readonly number[],
  targets: ReadonlyMap<string, readonly Float32Array[]>,
  priors: ReadonlyMap<string, Matrix | null>,
  setOf: readonly string[],
  penalty: number,
  breathe: () => Promise<void>,
): Promise<Map<string, { set: string; rank: number }[]>> {
  const folds = parts.length
  const ranks = new Map([...targets.keys()].map((prompt) => [prompt, [] as { set: string; rank: number }[]]))
  for (let fold = 0; fold < folds; fold++) {
    const others = [...Array(folds).keys()].filter((other) => other !== fold)
    const solved = await solve(joined(others.map((other) => parts[other])), penalty, breathe)
    for (const [prompt, target] of targets) {
      const own = others.flatMap((other) => inFold(target, other, foldOf))
      const W = await weigh(solved, own, priors.get(prompt) ?? null, breathe)
      const found = parts[fold].means.map((x) => project(x, solved.mean, W))
      const sources = inFold(setOf, fold, foldOf)
      const places = retrievalRanks(found, inFold(target, fold, foldOf), sources)
      ranks.get(prompt)?.push(...places.map((rank, i) => ({ set: sources[i], rank })))
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
function processorWeights(W: readonly Float64Array[], mean: Float64Array, spec: AlignSpec): [string, Float32Array][] {
  const width = W[0].length
  const bias = new Float32Array(width)
  for (const [f, row] of W.entries()) for (let d = 0; d < width; d++) bias[d] -= mean[f] * row[d]
  if (spec.processors.processorWeights === "shared") {
    const weight = Float32Array.from({ length: W.length * width }, (_, i) => W[Math.floor(i / width)][i % width])
    return ["temporal", "spatial"].flatMap((part): [string, Float32Array][] => [
      [`${part}.weight`, weight],
      [`${part}.bias`, bias],
    ])
  }
  // the mean over R rows divides by R
  const R = spec.size.T + placesOf(spec.size)
  const weight = Float32Array.from({ length: W.length * width }, (_, i) => R * W[Math.floor(i / width)][i % width])
  return [
    ["weight", weight],
    ["bias", bias],
  ]
}

/** W₀ [F,Dt] of a prompt's processor; null where it has none. */
function priorOf(prior: Weights, prompt: string, spec: AlignSpec): Matrix | null {
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
  return matrix
}
