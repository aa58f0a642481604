/**
 * The normal equations of stage 1's ridge regression: sums over clips on the engine, solved clip by clip, so that all prompts that
 * the same clips have answers to share them (`ridge.ts`).
 */

import { cast, concat, input, matmul, mean, mul, reshape, Session, sum, type Tensor } from "@fourtier/tensor"
import { Scope, selectWeights, type Weights } from "@fourtier/tensor/nn"
import { CholeskyDecomposition, Matrix } from "ml-matrix"
import { placesOf } from "../model/map.ts"
import type { Pooled } from "../model/pooling.ts"
import { standardize } from "../model/standardize.ts"
import type { AlignSpec } from "./align-graphs.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"

/** Records summed at a time. */
const CHUNK = 128

/** Clips solved for at a time. */
const COLUMNS = 32

/** Weighted sums over the views of some clips: what normal equations need. */
export interface Sums {
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

/** The items of one fold, in the order in which their clips are summed. @param places fold of each item */
export function inFold<Item>(items: readonly Item[], fold: number, places: readonly number[]): Item[] {
  return items.filter((_, i) => places[i] === fold)
}

/** x [B,F] of standardised pooled rows. */
function regressors({ s, t }: Pooled, spec: AlignSpec): Tensor {
  const rows = concat([s, t], 1) // [B,T+N,D]
  if (spec.processors.processorWeights === "shared") return mean(rows, 1)
  return reshape(rows, [rows.shape[0], -1])
}

/** Sums of each fold's clips, in their order. @param places fold of each clip, of so many folds */
export async function sumsOf(
  set: FeatureSet<Example>,
  frozen: Weights,
  spec: AlignSpec,
  { folds, places }: { folds: number; places: readonly number[] },
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
      const clips = inFold(set.examples, fold, places)
      const perView = inFold(clipWeights, fold, places)
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

/** All parts as one. */
export function joined(parts: readonly Sums[]): Sums {
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

export interface Solved {
  /** [F] */
  mean: Float64Array
  /** Share of each clip in all weights. */
  shares: number[]
  /** (XᵀX + λI)⁻¹ Σ_views (x − mean) of each clip: [F,clips] */
  columns: Matrix
  /** λ, and (XᵀX + λI) */
  lambda: number
  equations: CholeskyDecomposition
}

/** Solves for every clip by itself: what is asked of the clips comes in afterwards, so that all prompts share the work. */
export async function solve(
  { mass, x, gram, means, weights }: Sums,
  penalty: number,
  breathe: () => Promise<void>,
): Promise<Solved> {
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
  const lambda = (penalty * trace) / mass
  for (let i = 0; i < F; i++) matrix.set(i, i, matrix.get(i, i) + lambda)
  const equations = new CholeskyDecomposition(matrix)
  const columns = new Matrix(F, means.length)
  for (let start = 0; start < means.length; start += COLUMNS) {
    await breathe()
    const part = means.slice(start, start + COLUMNS)
    const sums = new Matrix(F, part.length)
    for (const [i, own] of part.entries()) {
      for (let f = 0; f < F; f++) sums.set(f, i, weights[start + i] * (own[f] - mean[f]))
    }
    columns.setSubMatrix(equations.solve(sums), 0, start)
  }
  return { mean, shares: weights.map((weight) => weight / mass), columns, lambda, equations }
}

/** W [F][Dt]: the clips' columns, weighted by what each clip should give, and what is left of the prior. */
export async function weigh(
  { columns, shares, lambda, equations }: Solved,
  targets: readonly Float32Array[],
  prior: Matrix | null,
  breathe: () => Promise<void>,
): Promise<Float64Array[]> {
  const left = prior && equations.solve(Matrix.mul(prior, lambda))
  const width = targets[0].length
  const center = new Float64Array(width)
  for (const [clip, target] of targets.entries()) for (let d = 0; d < width; d++) center[d] += shares[clip] * target[d]
  const rows: Float64Array[] = []
  for (let f = 0; f < columns.rows; f++) {
    await breathe()
    const row = new Float64Array(width)
    for (const [clip, target] of targets.entries()) {
      const share = columns.get(f, clip)
      for (let d = 0; d < width; d++) row[d] += share * (target[d] - center[d])
    }
    if (left) for (let d = 0; d < width; d++) row[d] += left.get(f, d)
    rows.push(row)
  }
  return rows
}

/** (x − mean)·W: [Dt] */
export function project(x: Float32Array, mean: Float64Array, W: readonly Float64Array[]): Float64Array {
  const z = new Float64Array(W[0].length)
  for (const [f, row] of W.entries()) {
    const share = x[f] - mean[f]
    for (let d = 0; d < z.length; d++) z[d] += share * row[d]
  }
  return z
}
