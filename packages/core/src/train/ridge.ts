/**
 * Stage 1 in closed form: ridge regression from a clip's pooled features to the text embeddings of its answers, as weights of
 * processors of the text space.
 *
 * ```
 * x [F] = rows side by side (positional) or their mean (shared)
 * W = (XᵀX + λ·I)⁻¹ XᵀY      X centred, over all views of all clips; Y the clips' unit text embeddings, centred
 * ```
 * λ is `penalty` times the mean squared norm of x. Sums run on the engine, so memory does not grow with the number of clips; the
 * equations are solved once for all prompts that the same clips have answers to. Where clips come from several data sets, each
 * set weighs the same.
 */

import {
  cast,
  concat,
  FourtierError,
  input,
  matmul,
  mean,
  mul,
  Rng,
  reshape,
  Session,
  sum,
  type Tensor,
} from "@fourtier/tensor"
import { Scope, selectWeights, type Weights } from "@fourtier/tensor/nn"
import { CholeskyDecomposition, Matrix } from "ml-matrix"
import { placesOf } from "../model/map.ts"
import type { Pooled } from "../model/pooling.ts"
import { standardize } from "../model/standardize.ts"
import { distinct } from "../util/group.ts"
import type { AlignSpec, TextTargets } from "./align.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"
import { dot, unit } from "./vectors.ts"

/** Records summed at a time. */
const CHUNK = 128

/** Weighted sums over the views of some clips: what normal equations need. */
interface Sums {
  /** Sum of the weights of all views. */
  mass: number
  /** Σx [F] */
  x: Float64Array
  /** Σxxᵀ [F,F] */
  gram: Float64Array
  /** Mean of x over the views of each clip [clips][F]. */
  means: Float32Array[]
  /** Weight of each clip: of all its views together. */
  weights: number[]
}

export interface Retrieval {
  /** 1 where every unseen clip finds its own answer first, 0 where answers are found by chance. */
  skill: number
  /** Standard errors that the skill lies above chance. */
  z: number
}

export interface RidgeFit {
  /** `processor.*` of `model/processor.ts`. */
  weights: Weights
  /** By prompt: how well clips that were held out find their own answers among those of their data set. */
  retrieval: Map<string, Retrieval>
  /** The same by data set, where there are several. */
  bySet: Map<string, Map<string, Retrieval>>
}

export interface RidgeOptions {
  /** Parts of the clips that are held out in turns to measure retrieval; default 3. */
  folds?: number
  /** The data set of each clip, by clip id; default: all of one. */
  sets?: ReadonlyMap<string, string>
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
  { folds = 3, sets = new Map() }: RidgeOptions = {},
): Promise<RidgeFit> {
  const fit: RidgeFit = { weights: new Map(), retrieval: new Map(), bySet: new Map() }
  const several = distinct(set.examples.map(({ id }) => sets.get(id))).length > 1
  for (const { prompts, examples } of alikeDescribed(set.examples, texts, spec.prompts)) {
    const own = { source: set.source, examples }
    const { weights, retrieval, bySet } = await fitPrompts(own, frozen, texts, { ...spec, prompts }, { folds, sets })
    for (const [name, values] of weights) fit.weights.set(name, values)
    for (const [prompt, found] of retrieval) fit.retrieval.set(prompt, found)
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
  { folds, sets }: Required<RidgeOptions>,
): Promise<RidgeFit> {
  if (spec.processors.processors !== "text") {
    throw new FourtierError({
      where: "align.start",
      what: "ridge needs processors of the text space",
      fix: "set model.processors=text, or align.start=random",
    })
  }
  const examples = inRandomOrder(set.examples)
  if (examples.length < folds) {
    throw new FourtierError({
      where: "align.start",
      what: `too few clips with answers to ${spec.prompts.join(", ")}`,
      expected: `${folds}`,
      found: `${examples.length}`,
    })
  }
  const penalty = spec.contrastive.ridge
  const setOf = examples.map(({ id }) => sets.get(id) ?? "")
  const parts = await sumsOf({ source: set.source, examples }, frozen, spec, folds, balanced(setOf))
  const targets = new Map(spec.prompts.map((prompt) => [prompt, unitTargets(texts, prompt, examples)]))
  const ranks = new Map(spec.prompts.map((prompt) => [prompt, [] as { set: string; rank: number }[]]))
  for (let fold = 0; fold < folds; fold++) {
    const others = [...Array(folds).keys()].filter((other) => other !== fold)
    const solved = solve(joined(others.map((other) => parts[other])), penalty)
    for (const [prompt, target] of targets) {
      const own = others.flatMap((other) => inFold(target, other, folds))
      const W = weigh(solved, own)
      const found = parts[fold].means.map((x) => project(x, solved.mean, W))
      const sources = inFold(setOf, fold, folds)
      const places = ranksOf(found, inFold(target, fold, folds), sources)
      ranks.get(prompt)?.push(...places.map((rank, i) => ({ set: sources[i], rank })))
    }
  }
  const measured = (keep: (set: string) => boolean) =>
    new Map(
      [...ranks].map(([prompt, all]) => [prompt, retrievalOf(all.flatMap((one) => (keep(one.set) ? [one.rank] : [])))]),
    )
  const bySet = distinct(setOf).map((name) => [name, measured((own) => own === name)] as const)
  const solved = solve(joined(parts), penalty)
  const weights: Weights = new Map()
  for (const [prompt, target] of targets) {
    const W = weigh(
      solved,
      [...Array(folds).keys()].flatMap((fold) => inFold(target, fold, folds)),
    )
    for (const [name, values] of processorWeights(W, solved.mean, spec))
      weights.set(`processor.${prompt}.${name}`, values)
  }
  return { weights, retrieval: measured(() => true), bySet: new Map(bySet) }
}

function retrievalOf(ranks: readonly number[]): Retrieval {
  const skill = 1 - (2 * ranks.reduce((total, rank) => total + rank, 0)) / ranks.length
  // under chance ranks are uniform on [0,1]: the skill has mean 0 and deviation 1/√(3n)
  return { skill, z: skill * Math.sqrt(3 * ranks.length) }
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

/** The items of one fold, in the order in which their clips are summed. */
function inFold<Item>(items: readonly Item[], fold: number, folds: number): Item[] {
  return items.filter((_, i) => i % folds === fold)
}

/** x [B,F] of standardised pooled rows. */
function regressors({ s, t }: Pooled, spec: AlignSpec): Tensor {
  const rows = concat([s, t], 1) // [B,T+N,D]
  if (spec.processors.processorWeights === "shared") return mean(rows, 1)
  return reshape(rows, [rows.shape[0], -1])
}

/** Sums of each fold's clips, in their order. */
async function sumsOf(
  set: FeatureSet<Example>,
  frozen: Weights,
  spec: AlignSpec,
  folds: number,
  clipWeights: readonly number[],
): Promise<Sums[]> {
  const { T, D } = spec.size
  const N = placesOf(spec.size)
  const scope = new Scope("standardize")
  const pooled = {
    s: standardize(scope, cast(input("s", [CHUNK, T, D], "f16"), "f32"), spec.width),
    t: standardize(scope, cast(input("t", [CHUNK, N, D], "f16"), "f32"), spec.width),
  }
  const root = input("root", [CHUNK, 1]) // of a view's weight: 0 fills up a chunk
  const x = regressors(pooled, spec)
  const scaled = mul(x, root)
  const gram = matmul(scaled, scaled, { transposeA: true })
  const session = await Session.compile({ outputs: { x, gram, total: sum(mul(scaled, root), 0) } })
  const weights = Object.fromEntries(selectWeights("stage 1", scope.params, frozen))
  const F = x.shape[1]
  try {
    const parts: Sums[] = []
    for (let fold = 0; fold < folds; fold++) {
      const clips = inFold(set.examples, fold, folds)
      const perView = inFold(clipWeights, fold, folds)
      const part: Sums = {
        mass: 0,
        x: new Float64Array(F),
        gram: new Float64Array(F * F),
        means: clips.map(() => new Float32Array(F)),
        weights: clips.map(({ views }, clip) => views.length * perView[clip]),
      }
      const jobs = clips.flatMap(({ hash, views }, clip) => views.map((view) => ({ clip, key: { clip: hash, view } })))
      for (let i = 0; i < jobs.length; i += CHUNK) {
        const batch = jobs.slice(i, i + CHUNK)
        const keys = Array.from({ length: CHUNK }, (_, row) => batch[Math.min(row, batch.length - 1)].key)
        const root = Float32Array.from({ length: CHUNK }, (_, row) =>
          row < batch.length ? Math.sqrt(perView[batch[row].clip]) : 0,
        )
        const [s, t] = [await readBatch(set.source, keys, "s"), await readBatch(set.source, keys, "t")]
        const found = await session.run({ ...weights, s, t, root })
        addTo(part.gram, found.gram)
        addTo(part.x, found.total)
        for (const [row, { clip }] of batch.entries()) {
          const mean = part.means[clip]
          for (let f = 0; f < F; f++) mean[f] += Number(found.x[row * F + f]) / clips[clip].views.length
          part.mass += perView[clip]
        }
      }
      parts.push(part)
    }
    return parts
  } finally {
    await session.release()
  }
}

function addTo(total: Float64Array, part: ArrayLike<number | bigint>): void {
  for (let i = 0; i < total.length; i++) total[i] += Number(part[i])
}

function joined(parts: readonly Sums[]): Sums {
  const [{ x, gram }] = parts
  const all: Sums = {
    mass: 0,
    x: new Float64Array(x.length),
    gram: new Float64Array(gram.length),
    means: [],
    weights: [],
  }
  for (const part of parts) {
    all.mass += part.mass
    addTo(all.x, part.x)
    addTo(all.gram, part.gram)
    all.means.push(...part.means)
    all.weights.push(...part.weights)
  }
  return all
}

interface Solved {
  /** [F] */
  mean: Float64Array
  /** Share of each clip in all weights. */
  shares: number[]
  /** (XᵀX + λI)⁻¹ Σ_views (x − mean) of each clip: [F,clips] */
  columns: Matrix
}

/** Solves for every clip by itself: what is asked of the clips comes in afterwards, so that all prompts share the work. */
function solve({ mass, x, gram, means, weights }: Sums, penalty: number): Solved {
  const F = x.length
  const mean = x.map((total) => total / mass)
  const matrix = new Matrix(F, F)
  let trace = 0
  for (let i = 0; i < F; i++) {
    for (let j = 0; j <= i; j++) {
      // the engine's sums differ in the last bit on the two sides of the diagonal
      const value = (gram[i * F + j] + gram[j * F + i]) / 2 - mass * mean[i] * mean[j]
      matrix.set(i, j, value)
      matrix.set(j, i, value)
    }
    trace += matrix.get(i, i)
  }
  const ridge = (penalty * trace) / mass
  for (let i = 0; i < F; i++) matrix.set(i, i, matrix.get(i, i) + ridge)
  const sums = new Matrix(F, means.length)
  for (const [clip, own] of means.entries()) {
    for (let f = 0; f < F; f++) sums.set(f, clip, weights[clip] * (own[f] - mean[f]))
  }
  return {
    mean,
    shares: weights.map((weight) => weight / mass),
    columns: new CholeskyDecomposition(matrix).solve(sums),
  }
}

/** W [F][Dt]: the clips' columns, weighted by what each clip should give. */
function weigh({ columns, shares }: Solved, targets: readonly Float32Array[]): Float64Array[] {
  const width = targets[0].length
  const center = new Float64Array(width)
  for (const [clip, target] of targets.entries()) for (let d = 0; d < width; d++) center[d] += shares[clip] * target[d]
  return Array.from({ length: columns.rows }, (_, f) => {
    const row = new Float64Array(width)
    for (const [clip, target] of targets.entries()) {
      const share = columns.get(f, clip)
      for (let d = 0; d < width; d++) row[d] += share * (target[d] - center[d])
    }
    return row
  })
}

function project(x: Float32Array, mean: Float64Array, W: readonly Float64Array[]): Float64Array {
  const z = new Float64Array(W[0].length)
  for (const [f, row] of W.entries()) {
    const share = x[f] - mean[f]
    for (let d = 0; d < z.length; d++) z[d] += share * row[d]
  }
  return z
}

/** Where each clip's own target stands among its set's by cosine: 0 first, 1 last; those that are equal do not count. */
function ranksOf(found: readonly Float64Array[], targets: readonly Float32Array[], sets: readonly string[]): number[] {
  return found.map((z, i) => {
    const cosines = targets.flatMap((target, j) => (sets[j] === sets[i] ? [dot(z, target)] : []))
    const own = dot(z, targets[i])
    const before = cosines.filter((cosine) => cosine > own + 1e-9).length
    const after = cosines.filter((cosine) => cosine < own - 1e-9).length
    return before + after === 0 ? 0.5 : before / (before + after)
  })
}

/** Unit text embedding [Dt] of each clip; rows of `tokens` similarity are averaged first. */
function unitTargets({ width, embeddings }: TextTargets, prompt: string, examples: readonly Example[]): Float32Array[] {
  return examples.map(({ id }) => {
    const vector = embeddings.get(prompt)?.get(id)
    if (!vector) throw new Error(`internal error: clip ${id} has no text for prompt ${prompt}`)
    const row = new Float32Array(width)
    for (let i = 0; i < vector.length; i++) row[i % width] += vector[i]
    return unit(row)
  })
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
