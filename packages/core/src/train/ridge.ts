/**
 * Stage 1 in closed form: ridge regression from a clip's pooled features to the text embeddings of its answers, as weights of
 * processors of the text space.
 *
 * ```
 * x [F] = rows side by side (positional) or their mean (shared)
 * W = (XᵀX + λ·I)⁻¹ XᵀY      X centred, over all views of all clips; Y the clips' unit text embeddings, centred
 * ```
 * λ is `penalty` times the mean squared norm of x. Sums run on the engine, so memory does not grow with the number of clips; the
 * equations are solved once, whatever the number of prompts.
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
import type { AlignSpec, TextTargets } from "./align.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"
import { dot, unit } from "./vectors.ts"

/** Records summed at a time. */
const CHUNK = 128

/** Sums over the views of some clips: what normal equations need. */
interface Sums {
  count: number
  /** Σx [F] */
  x: Float64Array
  /** Σxxᵀ [F,F] */
  gram: Float64Array
  /** Mean of x over the views of each clip [clips][F]. */
  means: Float32Array[]
  /** Views of each clip. */
  views: number[]
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
  /** By prompt: how well clips that were held out find their own answers. */
  retrieval: Map<string, Retrieval>
}

/**
 * Fits the processors of all prompts.
 * @param set training clips; a prompt is fitted to those that have a text embedding of it
 * @param frozen `standardize.*`
 * @param folds parts of the clips that are held out in turns to measure retrieval
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
  folds = 3,
): Promise<RidgeFit> {
  const fit: RidgeFit = { weights: new Map(), retrieval: new Map() }
  for (const { prompts, examples } of alikeDescribed(set.examples, texts, spec.prompts)) {
    const { weights, retrieval } = await fitPrompts({ ...set, examples }, frozen, texts, { ...spec, prompts }, folds)
    for (const [name, values] of weights) fit.weights.set(name, values)
    for (const [prompt, found] of retrieval) fit.retrieval.set(prompt, found)
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
  folds: number,
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
  const parts = await sumsOf({ source: set.source, examples }, frozen, spec, folds)
  const targets = new Map(spec.prompts.map((prompt) => [prompt, unitTargets(texts, prompt, examples)]))
  const retrieval = new Map<string, Retrieval>()
  const ranks = new Map(spec.prompts.map((prompt) => [prompt, [] as number[]]))
  for (let fold = 0; fold < folds; fold++) {
    const others = [...Array(folds).keys()].filter((other) => other !== fold)
    const solved = solve(joined(others.map((other) => parts[other])), penalty)
    for (const [prompt, target] of targets) {
      const own = others.flatMap((other) => inFold(target, other, folds))
      const W = weigh(solved, own)
      const found = parts[fold].means.map((x) => project(x, solved.mean, W))
      ranks.get(prompt)?.push(...ranksOf(found, inFold(target, fold, folds)))
    }
  }
  for (const [prompt, all] of ranks) {
    const skill = 1 - (2 * all.reduce((total, rank) => total + rank, 0)) / all.length
    // under chance ranks are uniform on [0,1]: the skill has mean 0 and deviation 1/√(3n)
    retrieval.set(prompt, { skill, z: skill * Math.sqrt(3 * all.length) })
  }
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
  return { weights, retrieval }
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
async function sumsOf(set: FeatureSet<Example>, frozen: Weights, spec: AlignSpec, folds: number): Promise<Sums[]> {
  const { T, D } = spec.size
  const N = placesOf(spec.size)
  const scope = new Scope("standardize")
  const pooled = {
    s: standardize(scope, cast(input("s", [CHUNK, T, D], "f16"), "f32"), spec.width),
    t: standardize(scope, cast(input("t", [CHUNK, N, D], "f16"), "f32"), spec.width),
  }
  const x = mul(regressors(pooled, spec), input("used", [CHUNK, 1]))
  const session = await Session.compile({ outputs: { x, gram: matmul(x, x, { transposeA: true }), total: sum(x, 0) } })
  const weights = Object.fromEntries(selectWeights("stage 1", scope.params, frozen))
  const F = x.shape[1]
  try {
    const parts: Sums[] = []
    for (let fold = 0; fold < folds; fold++) {
      const clips = inFold(set.examples, fold, folds)
      const part: Sums = {
        count: 0,
        x: new Float64Array(F),
        gram: new Float64Array(F * F),
        means: clips.map(() => new Float32Array(F)),
        views: clips.map(({ views }) => views.length),
      }
      const jobs = clips.flatMap(({ hash, views }, clip) => views.map((view) => ({ clip, key: { clip: hash, view } })))
      for (let i = 0; i < jobs.length; i += CHUNK) {
        const batch = jobs.slice(i, i + CHUNK)
        const keys = Array.from({ length: CHUNK }, (_, row) => batch[Math.min(row, batch.length - 1)].key)
        const used = Float32Array.from({ length: CHUNK }, (_, row) => (row < batch.length ? 1 : 0))
        const [s, t] = [await readBatch(set.source, keys, "s"), await readBatch(set.source, keys, "t")]
        const found = await session.run({ ...weights, s, t, used })
        addTo(part.gram, found.gram)
        addTo(part.x, found.total)
        for (const [row, { clip }] of batch.entries()) {
          const mean = part.means[clip]
          for (let f = 0; f < F; f++) mean[f] += Number(found.x[row * F + f]) / part.views[clip]
        }
        part.count += batch.length
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
    count: 0,
    x: new Float64Array(x.length),
    gram: new Float64Array(gram.length),
    means: [],
    views: [],
  }
  for (const part of parts) {
    all.count += part.count
    addTo(all.x, part.x)
    addTo(all.gram, part.gram)
    all.means.push(...part.means)
    all.views.push(...part.views)
  }
  return all
}

interface Solved {
  /** [F] */
  mean: Float64Array
  /** (XᵀX + λI)⁻¹ Σ_views (x − mean) of each clip: [F,clips] */
  columns: Matrix
}

/** Solves for every clip by itself: what is asked of the clips comes in afterwards, so that all prompts share the work. */
function solve({ count, x, gram, means, views }: Sums, penalty: number): Solved {
  const F = x.length
  const mean = x.map((total) => total / count)
  const matrix = new Matrix(F, F)
  let trace = 0
  for (let i = 0; i < F; i++) {
    for (let j = 0; j <= i; j++) {
      // the engine's sums differ in the last bit on the two sides of the diagonal
      const value = (gram[i * F + j] + gram[j * F + i]) / 2 - count * mean[i] * mean[j]
      matrix.set(i, j, value)
      matrix.set(j, i, value)
    }
    trace += matrix.get(i, i)
  }
  const ridge = (penalty * trace) / count
  for (let i = 0; i < F; i++) matrix.set(i, i, matrix.get(i, i) + ridge)
  const sums = new Matrix(F, means.length)
  for (const [clip, own] of means.entries()) {
    for (let f = 0; f < F; f++) sums.set(f, clip, views[clip] * (own[f] - mean[f]))
  }
  return { mean, columns: new CholeskyDecomposition(matrix).solve(sums) }
}

/** W [F][Dt]: the clips' columns, weighted by what each clip should give. */
function weigh({ columns }: Solved, targets: readonly Float32Array[]): Float64Array[] {
  const width = targets[0].length
  const center = new Float64Array(width)
  for (const target of targets) for (let d = 0; d < width; d++) center[d] += target[d] / targets.length
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

/** Where each clip's own target stands among all by cosine: 0 first, 1 last; those that are equal do not count. */
function ranksOf(found: readonly Float64Array[], targets: readonly Float32Array[]): number[] {
  return found.map((z, i) => {
    const cosines = targets.map((target) => dot(z, target))
    const before = cosines.filter((cosine) => cosine > cosines[i] + 1e-9).length
    const after = cosines.filter((cosine) => cosine < cosines[i] - 1e-9).length
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
