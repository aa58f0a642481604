/** The normal equations of stage 1's ridge regression: sums over clips on the engine (`ridge.ts`, `ridge-solve.ts`). */

import { cast, concat, input, matmul, mean, mul, reshape, Session, sum, type Tensor } from "@fourtier/tensor"
import { Scope, selectWeights, type Weights } from "@fourtier/tensor/nn"
import { placesOf } from "../model/map.ts"
import type { Pooled } from "../model/pooling.ts"
import { standardize } from "../model/standardize.ts"
import type { AlignSpec } from "./align-graphs.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"
import { type Cells, merged } from "./ridge-cells.ts"

/** Records summed at a time. */
const CHUNK = 128

/** Clips of a fold that are kept to be judged, where there are too many to solve for each. */
const JUDGED = 1000

/** Weighted sums over the views of some clips: what normal equations need. */
export interface Sums {
  /** Sum of the weights of all views. */
  mass: number
  /** Σx [F] */
  x: Float64Array
  /** Σxxᵀ [F,F] */
  gram: Float64Array
  /** Mean of x over the views of each clip [clips][F]; with `answers`, of the first ones. */
  means: Float32Array[]
  /** Weight of each clip: of all its views together. */
  weights: number[]
  /** Σxyᵀ [F,P·Dt] and Σy, with the unit text embeddings y of all prompts side by side; null: clips are solved for one by one. */
  answers: { xy: Float64Array; y: Float64Array } | null
}

/** How sums are made. */
export interface Summing {
  /** So many folds, and that of each clip. */
  folds: number
  places: readonly number[]
  /** Of each clip's views. */
  weights: readonly number[]
  /** Rows that share their weights. */
  cells: Cells
  /** The unit text embeddings of a clip [P·Dt], where they are summed; else null. */
  answersOf: ((clip: Example) => Float32Array) | null
}

/** The items of one fold, in the order in which their clips are summed. @param places fold of each item */
export function inFold<Item>(items: readonly Item[], fold: number, places: readonly number[]): Item[] {
  return items.filter((_, i) => places[i] === fold)
}

/** x [B,F] of standardised pooled rows. */
function regressors({ s, t }: Pooled, spec: AlignSpec, cells: Cells): Tensor {
  const rows = concat([s, t], 1) // [B,T+N,D]
  if (spec.processors.processorWeights === "shared") return mean(rows, 1)
  return reshape(merged(rows, cells), [rows.shape[0], -1])
}

/** Sums of each fold's clips, in their order. */
export async function sumsOf(
  set: FeatureSet<Example>,
  frozen: Weights,
  spec: AlignSpec,
  { folds, places, weights: clipWeights, cells, answersOf }: Summing,
): Promise<Sums[]> {
  const { T, D } = spec.size
  const N = placesOf(spec.size)
  const K = spec.prompts.length * spec.textWidth
  const scope = new Scope("standardize")
  const pooled = {
    s: standardize(scope, cast(input("s", [CHUNK, T, D], "f16"), "f32"), spec.width),
    t: standardize(scope, cast(input("t", [CHUNK, N, D], "f16"), "f32"), spec.width),
  }
  const root = input("root", [CHUNK, 1]) // of a view's weight: 0 fills up a chunk
  const x = regressors(pooled, spec, cells)
  const scaled = mul(x, root)
  const outputs: Record<string, Tensor> = {
    x,
    gram: matmul(scaled, scaled, { transposeA: true }),
    total: sum(mul(scaled, root), 0),
  }
  if (answersOf) {
    const y = mul(input("y", [CHUNK, K]), root)
    outputs.xy = matmul(scaled, y, { transposeA: true })
    outputs.totalAnswers = sum(mul(y, root), 0)
  }
  const session = await Session.compile({ outputs })
  const weights = Object.fromEntries(selectWeights("stage 1", scope.params, frozen))
  const F = x.shape[1]
  try {
    const parts: Sums[] = []
    for (let fold = 0; fold < folds; fold++) {
      const clips = inFold(set.examples, fold, places)
      const perView = inFold(clipWeights, fold, places)
      const judged = answersOf ? Math.min(JUDGED, clips.length) : clips.length
      const part: Sums = {
        mass: 0,
        x: new Float64Array(F),
        gram: new Float64Array(F * F),
        means: Array.from({ length: judged }, () => new Float32Array(F)),
        weights: clips.map(({ views }, clip) => views.length * perView[clip]),
        answers: answersOf && { xy: new Float64Array(F * K), y: new Float64Array(K) },
      }
      const jobs = clips.flatMap(({ hash, views }, clip) => views.map((view) => ({ clip, key: { clip: hash, view } })))
      for (let i = 0; i < jobs.length; i += CHUNK) {
        const batch = jobs.slice(i, i + CHUNK)
        const keys = Array.from({ length: CHUNK }, (_, row) => batch[Math.min(row, batch.length - 1)].key)
        const root = Float32Array.from({ length: CHUNK }, (_, row) =>
          row < batch.length ? Math.sqrt(perView[batch[row].clip]) : 0,
        )
        const [s, t] = [await readBatch(set.source, keys, "s"), await readBatch(set.source, keys, "t")]
        const fed = answersOf
          ? { ...weights, s, t, root, y: answersOfBatch(batch.map(({ clip }) => clips[clip])) }
          : null
        const found = await session.run(fed ?? { ...weights, s, t, root })
        addTo(part.gram, found.gram)
        addTo(part.x, found.total)
        if (part.answers) {
          addTo(part.answers.xy, found.xy)
          addTo(part.answers.y, found.totalAnswers)
        }
        for (const [row, { clip }] of batch.entries()) {
          part.mass += perView[clip]
          if (clip >= judged) continue
          const mean = part.means[clip]
          for (let f = 0; f < F; f++) mean[f] += Number(found.x[row * F + f]) / clips[clip].views.length
        }
      }
      parts.push(part)
    }
    return parts
  } finally {
    await session.release()
  }

  function answersOfBatch(clips: readonly Example[]): Float32Array {
    const rows = new Float32Array(CHUNK * K)
    if (answersOf) for (const [row, clip] of clips.entries()) rows.set(answersOf(clip), row * K)
    return rows
  }
}

function addTo(total: Float64Array, part: ArrayLike<number | bigint>): void {
  for (let i = 0; i < total.length; i++) total[i] += Number(part[i])
}

/** All parts as one. */
export function joined(parts: readonly Sums[]): Sums {
  const [{ x, gram, answers }] = parts
  const all: Sums = {
    mass: 0,
    x: new Float64Array(x.length),
    gram: new Float64Array(gram.length),
    means: [],
    weights: [],
    answers: answers && { xy: new Float64Array(answers.xy.length), y: new Float64Array(answers.y.length) },
  }
  for (const part of parts) {
    all.mass += part.mass
    addTo(all.x, part.x)
    addTo(all.gram, part.gram)
    all.means.push(...part.means)
    for (const weight of part.weights) all.weights.push(weight)
    if (all.answers && part.answers) {
      addTo(all.answers.xy, part.answers.xy)
      addTo(all.answers.y, part.answers.y)
    }
  }
  return all
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
