/** Fits what brings the frozen map to a common scale, and to fewer channels where asked for, on training clips alone. */

import { FourtierError, halfToFloat, input, matmul, Session } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { EigenvalueDecomposition, Matrix } from "ml-matrix"
import type { RecordSize } from "../model/pooling.ts"
import type { Example, FeatureSet } from "./features.ts"

/** Rows in memory at once, about. */
const CHUNK = 1024

/**
 * The weights `standardize.mean`, `.scale` and, with a width, `.projection` of `model/standardize.ts`, from the pooled rows s
 * and t of every view of the clips. The principal components are scaled together, to a mean variance of 1.
 *
 * @example
 * ```ts
 * import { fitStandardize, MemoryFeatures } from "@fourtier/core/train"
 * import { Rng } from "@fourtier/tensor"
 *
 * const source = new MemoryFeatures("camera", { T: 2, N: 4, D: 8 })
 * const rng = Rng.fork(0, "noise")
 * source.add({ clip: "5f1c", view: 0 }, Float32Array.from({ length: 64 }, () => rng.normal()))
 * const weights = await fitStandardize({ source, examples: [{ id: "jump/a", hash: "5f1c", views: [0] }] }, 2)
 * weights.get("standardize.projection") // [8, 2]
 * ```
 */
export async function fitStandardize(set: FeatureSet<Example>, width: number | null): Promise<Weights> {
  const { D } = set.source.size
  if (width !== null && width > D) {
    throw new FourtierError({
      where: "model.width",
      what: "more principal components than channels",
      expected: `${D} at most`,
      found: String(width),
    })
  }
  const statistics = await channelStatistics(set)
  const weights: Weights = new Map([
    ["standardize.mean", statistics.mean],
    ["standardize.scale", statistics.scale],
  ])
  if (width === null) return weights
  weights.set("standardize.projection", principalComponents(await covariance(set, statistics), D, width))
  return weights
}

/** Rows of whole records in a chunk. */
const chunkRows = ({ T, N }: RecordSize) => Math.max(1, Math.floor(CHUNK / (T + N))) * (T + N)

/** s [T,D] and t [N,D] of all views of all clips, some records at a time in one buffer that is used again. */
async function* pooledRows({ source, examples }: FeatureSet<Example>): AsyncGenerator<Float32Array> {
  const { T, N, D } = source.size
  const buffer = new Float32Array(chunkRows(source.size) * D)
  let end = 0
  for (const { hash, views } of examples) {
    for (const view of views) {
      for (const [kind, rows] of [
        ["s", T],
        ["t", N],
      ] as const) {
        halfToFloat(await source.read({ clip: hash, view }, kind), buffer.subarray(end, end + rows * D))
        end += rows * D
      }
      if (end < buffer.length) continue
      yield buffer
      end = 0
    }
  }
  if (end > 0) yield buffer.subarray(0, end)
}

interface ChannelStatistics {
  /** [D] */
  mean: Float32Array
  /** [D], the reciprocal of the deviation; 0 for channels that never vary: they say nothing. */
  scale: Float32Array
}

async function channelStatistics(set: FeatureSet<Example>): Promise<ChannelStatistics> {
  const { D } = set.source.size
  const [sum, squares] = [new Float64Array(D), new Float64Array(D)]
  let count = 0
  for await (const rows of pooledRows(set)) {
    for (let i = 0; i < rows.length; i += D) {
      for (let d = 0; d < D; d++) {
        sum[d] += rows[i + d]
        squares[d] += rows[i + d] ** 2
      }
    }
    count += rows.length / D
  }
  const scale = Float32Array.from(squares, (square, d) => {
    const variance = square / count - (sum[d] / count) ** 2
    return variance > 1e-10 ? 1 / Math.sqrt(variance) : 0
  })
  return { mean: Float32Array.from(sum, (total) => total / count), scale }
}

/** ZᵀZ/rows [D,D] of the standardised rows Z [rows,D]. */
async function covariance(set: FeatureSet<Example>, { mean, scale }: ChannelStatistics): Promise<Float64Array> {
  const { size } = set.source
  const { D } = size
  const z = input("z", [chunkRows(size), D])
  const session = await Session.compile({ outputs: { product: matmul(z, z, { transposeA: true }) } })
  const total = new Float64Array(D * D)
  const chunk = new Float32Array(chunkRows(size) * D)
  let count = 0
  try {
    for await (const rows of pooledRows(set)) {
      for (let i = 0; i < rows.length; i++) chunk[i] = (rows[i] - mean[i % D]) * scale[i % D]
      chunk.fill(0, rows.length)
      const { product } = await session.run({ z: chunk })
      for (let j = 0; j < total.length; j++) total[j] += Number(product[j])
      count += rows.length / D
    }
  } finally {
    await session.release()
  }
  return total.map((sum) => sum / count)
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
