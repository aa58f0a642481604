/** Fits what brings the frozen map to a common scale, and to fewer channels where asked for, on training clips alone. */

import { EigenvalueDecomposition, Matrix } from "ml-matrix"
import { halfToFloat } from "../tensor/io/half.ts"
import type { Weights } from "../tensor/nn/params.ts"
import { matmul } from "../tensor/ops/functions.ts"
import { Session } from "../tensor/runtime/session.ts"
import { input } from "../tensor/tensor.ts"
import { FourtierError } from "../util/errors.ts"
import type { FeatureSet } from "./features.ts"

/** Rows of one product of the covariance. */
const CHUNK = 1024

/**
 * The weights `standardize.mean`, `.scale` and, with a width, `.projection` of `model/standardize.ts`, from the pooled rows s
 * and t of every view of the clips. The principal components are scaled together, to a mean variance of 1.
 */
export async function fitStandardize(set: FeatureSet, width: number | null): Promise<Weights> {
  const { D } = set.store.size
  const rows = await pooledRows(set)
  const { mean, scale } = channelStatistics(rows, D)
  const weights: Weights = new Map([
    ["standardize.mean", mean],
    ["standardize.scale", scale],
  ])
  if (width === null) return weights
  if (width > D) {
    throw new FourtierError({
      where: "model.width",
      what: "more principal components than channels",
      expected: `${D} at most`,
      found: String(width),
    })
  }
  for (let i = 0; i < rows.length; i++) rows[i] = (rows[i] - mean[i % D]) * scale[i % D]
  weights.set("standardize.projection", principalComponents(await covariance(rows, D), D, width))
  return weights
}

/** s [T,D] and t [N,D] of all views of all clips, one after another. */
async function pooledRows({ store, examples }: FeatureSet): Promise<Float32Array> {
  const { T, N, D } = store.size
  const keys = examples.flatMap(({ hash, views }) => views.map((view) => ({ clip: hash, view })))
  const rows = new Float32Array(keys.length * (T + N) * D)
  for (const [i, key] of keys.entries()) {
    const at = i * (T + N) * D
    halfToFloat(await store.read(key, "s"), rows.subarray(at, at + T * D))
    halfToFloat(await store.read(key, "t"), rows.subarray(at + T * D, at + (T + N) * D))
  }
  return rows
}

/** Mean and reciprocal deviation by channel; channels that never vary get scale 0: they say nothing. */
export function channelStatistics(rows: Float32Array, channels: number): { mean: Float32Array; scale: Float32Array } {
  const count = rows.length / channels
  const sum = new Float64Array(channels)
  for (let i = 0; i < rows.length; i++) sum[i % channels] += rows[i]
  const squares = new Float64Array(channels)
  for (let i = 0; i < rows.length; i++) squares[i % channels] += (rows[i] - sum[i % channels] / count) ** 2
  const scale = Float32Array.from(squares, (square) => (square / count > 1e-10 ? 1 / Math.sqrt(square / count) : 0))
  return { mean: Float32Array.from(sum, (total) => total / count), scale }
}

/** ZᵀZ/rows of rows Z [rows,D]. */
async function covariance(rows: Float32Array, D: number): Promise<Float64Array> {
  const z = input("z", [CHUNK, D])
  const session = await Session.compile({ outputs: { product: matmul(z, z, { transposeA: true }) } })
  const total = new Float64Array(D * D)
  try {
    for (let i = 0; i < rows.length; i += CHUNK * D) {
      const chunk = new Float32Array(CHUNK * D)
      chunk.set(rows.subarray(i, i + CHUNK * D))
      const { product } = await session.run({ z: chunk })
      for (let j = 0; j < total.length; j++) total[j] += (Number(product[j]) * D) / rows.length
    }
  } finally {
    await session.release()
  }
  return total
}

/** The leading eigenvectors [D,width], each with its largest element positive, divided by the root mean eigenvalue. */
function principalComponents(matrix: Float64Array, D: number, width: number): Float32Array {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(Matrix.from1DArray(D, D, matrix), {
    assumeSymmetric: true,
  })
  const leading = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b] - realEigenvalues[a]).slice(0, width)
  const spread = Math.sqrt(leading.reduce((sum, i) => sum + realEigenvalues[i], 0) / width)
  const projection = new Float32Array(D * width)
  for (const [column, i] of leading.entries()) {
    const vector = eigenvectorMatrix.getColumn(i)
    const sign = Math.sign(vector.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0))
    for (let d = 0; d < D; d++) projection[d * width + column] = (sign * vector[d]) / spread
  }
  return projection
}
