/** Fits what brings the frozen map to a common scale, and to fewer channels where asked for, on training clips alone. */

import { FourtierError, halfToFloat, input, matmul, Session } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { EigenvalueDecomposition, Matrix } from "ml-matrix"
import type { RecordSize } from "../model/pooling.ts"
import type { Example, FeatureSet } from "./features.ts"

/** Rows in memory at once, about. */
const CHUNK = 1024

/** Of the largest eigenvalue: what is below is rounding. */
const SMALLEST = 1e-9

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
  const components =
    (await componentsOfFewRows(set, statistics, width)) ?? (await componentsOfCovariance(set, statistics, width))
  weights.set("standardize.projection", projectionOf(components, D))
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

/** An eigenvector [D] of the covariance, of length 1, and its eigenvalue. */
interface Component {
  value: number
  vector: Float64Array
}

/** The leading eigenvectors of a symmetric matrix [n,n], the largest eigenvalue first. */
function leadingEigenvectors(matrix: Matrix, count: number): Component[] {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true })
  const leading = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b] - realEigenvalues[a]).slice(0, count)
  return leading.map((i) => ({
    value: realEigenvalues[i],
    vector: Float64Array.from(eigenvectorMatrix.getColumn(i)),
  }))
}

async function componentsOfCovariance(
  set: FeatureSet<Example>,
  statistics: ChannelStatistics,
  width: number,
): Promise<Component[]> {
  const { D } = set.source.size
  return leadingEigenvectors(Matrix.from1DArray(D, D, await covariance(set, statistics)), width)
}

/**
 * The same from ZZᵀ/rows [rows,rows], which has the eigenvalues of ZᵀZ/rows and is decomposed sooner where rows are fewer than
 * channels: of its eigenvector u, Zᵀu is the direction of the component.
 * @returns null where rows are not fewer, or leave a wanted component undetermined
 */
async function componentsOfFewRows(
  set: FeatureSet<Example>,
  { mean, scale }: ChannelStatistics,
  width: number,
): Promise<Component[] | null> {
  const { T, N, D } = set.source.size
  const rows = set.examples.reduce((sum, { views }) => sum + views.length * (T + N), 0)
  if (rows >= D || rows <= width) return null
  const z = new Float64Array(rows * D)
  let end = 0
  for await (const some of pooledRows(set)) {
    for (let i = 0; i < some.length; i++) z[end + i] = (some[i] - mean[i % D]) * scale[i % D]
    end += some.length
  }
  const ofRows = Matrix.from1DArray(rows, D, z)
  const ofChannels = ofRows.transpose()
  const found = leadingEigenvectors(ofRows.mmul(ofChannels).div(rows), width)
  if (found[width - 1].value < SMALLEST * found[0].value) return null
  return found.map(({ value, vector }) => {
    const direction = ofChannels.mmul(Matrix.columnVector(vector)).div(Math.sqrt(rows * value))
    return { value, vector: Float64Array.from(direction.to1DArray()) }
  })
}

/** The components as columns [D,width], each with its largest element positive, divided by the root mean eigenvalue. */
function projectionOf(components: readonly Component[], D: number): Float32Array {
  const width = components.length
  const spread = Math.sqrt(components.reduce((sum, { value }) => sum + value, 0) / width)
  const projection = new Float32Array(D * width)
  for (const [column, { vector }] of components.entries()) {
    const sign = Math.sign(vector.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0))
    for (let d = 0; d < D; d++) projection[d * width + column] = (sign * vector[d]) / spread
  }
  return projection
}
