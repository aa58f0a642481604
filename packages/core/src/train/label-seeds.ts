/**
 * What pseudo-labels begin with (`pseudo-labels.ts`): sums of the labelled clips and names, and a ridge classifier of them, for each
 * prompt. Where labels come in one by one, the classifier follows by recursive least squares:
 *
 * ```
 * g = K z / (1 + zᵀ K z)     A ← A + g (onehot − 1/C − Aᵀ z)ᵀ     K ← K − g (K z)ᵀ     K = (ZᵀZ + λI)⁻¹
 * ```
 */

import { Matrix } from "ml-matrix"
import type { ClipTexts } from "./clip-texts.ts"
import { ridgeClassifier, ridgeOfSums } from "./ridge-classifier.ts"
import { dot, unit } from "./vectors.ts"

/** What does not change from round to round, of each prompt. */
export interface Seed {
  /** Σ of the class's name and the unit embeddings of its labelled clips [C,Dt]. */
  sums: Float64Array
  /** Ridge classifier of labelled clips and names [C,Dt], times the prompt's share of all weights. */
  anchor: Float32Array
}

export async function seedsOf(
  texts: ClipTexts,
  known: Int32Array,
  names: readonly Float32Array[],
  weights: readonly number[],
): Promise<Seed[]> {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const seeds: Seed[] = []
  for (const p of texts.prompts.keys()) {
    const { sums, classifier } = await seedOf(texts, p, known, names)
    seeds.push({ sums, anchor: Float32Array.from(columnsOf(classifier), (value) => (weights[p] / total) * value) })
  }
  return seeds
}

/** Sums of labelled clips and names, and their ridge classifier [Dt,C]. */
async function seedOf(texts: ClipTexts, prompt: number, known: Int32Array, names: readonly Float32Array[]) {
  const { width } = texts
  const labelled = [...known.keys()].filter((clip) => known[clip] >= 0)
  if (labelled.length + names.length >= width) {
    const { sums, gram, count } = await sumsOf(texts, prompt, known, names)
    return { sums, classifier: ridgeOfSums(square(gram, width), momentOf(sums, width), count) }
  }
  const rows: Float32Array[] = []
  for (const clip of labelled) rows.push(await unitRow(texts, prompt, clip))
  rows.push(...names)
  const labels = [...labelled.map((clip) => known[clip]), ...names.keys()]
  const sums = new Float64Array(names.length * width)
  for (const [i, row] of rows.entries()) addTo(sums, row, labels[i])
  return { sums, classifier: ridgeClassifier(rows, labels, names.length) }
}

/** Sums [C,Dt] of labelled clips and names, and Σ row·rowᵀ [Dt,Dt] (the lower triangle), without keeping the rows. */
async function sumsOf(texts: ClipTexts, prompt: number, known: Int32Array, names: readonly Float32Array[]) {
  const { width } = texts
  const sums = new Float64Array(names.length * width)
  const gram = new Float64Array(width * width)
  let count = 0
  const add = (row: Float32Array, label: number) => {
    addTo(sums, row, label)
    addProducts(gram, row)
    count++
  }
  for (const [clip, label] of known.entries()) if (label >= 0) add(await unitRow(texts, prompt, clip), label)
  for (const [label, name] of names.entries()) add(name, label)
  return { sums, gram, count }
}

function addTo(sums: Float64Array, row: Float32Array, label: number): void {
  for (let d = 0; d < row.length; d++) sums[label * row.length + d] += row[d]
}

/** Adds row·rowᵀ, the lower triangle. */
function addProducts(gram: Float64Array, row: Float32Array): void {
  for (let i = 0; i < row.length; i++) {
    for (let j = 0; j <= i; j++) gram[i * row.length + j] += row[i] * row[j]
  }
}

function square(lower: Float64Array, width: number): Matrix {
  const all = Matrix.zeros(width, width)
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      all.set(i, j, lower[i * width + j])
      all.set(j, i, lower[i * width + j])
    }
  }
  return all
}

/** Zᵀ(onehot − 1/C) [Dt,C] from each class's sum [C,Dt]. */
function momentOf(sums: Float64Array, width: number): Matrix {
  const classes = sums.length / width
  const moment = Matrix.zeros(width, classes)
  for (let d = 0; d < width; d++) {
    let all = 0
    for (let c = 0; c < classes; c++) all += sums[c * width + d]
    for (let c = 0; c < classes; c++) moment.set(d, c, sums[c * width + d] - all / classes)
  }
  return moment
}

async function unitRow(texts: ClipTexts, prompt: number, clip: number): Promise<Float32Array> {
  const row = new Float32Array(texts.width)
  await texts.read(prompt, clip, 1, row)
  return unit(row)
}

/** A matrix [Dt,C] as its columns one after another [C,Dt]. */
function columnsOf(matrix: Matrix): Float64Array {
  const columns = new Float64Array(matrix.rows * matrix.columns)
  for (let c = 0; c < matrix.columns; c++) {
    for (let d = 0; d < matrix.rows; d++) columns[c * matrix.rows + d] = matrix.get(d, c)
  }
  return columns
}

/** Of one prompt. */
interface Grown {
  sums: Float64Array
  /** A [C,Dt] */
  classifier: Float64Array
  /** K [Dt,Dt] */
  inverse: Float64Array
  /** The prompt's share of all weights. */
  share: number
}

/** Seeds of labels that come in one by one. */
export class GrowingSeeds {
  readonly #texts: ClipTexts
  readonly #prompts: readonly Grown[]

  private constructor(texts: ClipTexts, prompts: readonly Grown[]) {
    this.#texts = texts
    this.#prompts = prompts
  }

  static async of(
    texts: ClipTexts,
    known: Int32Array,
    names: readonly Float32Array[],
    weights: readonly number[],
  ): Promise<GrowingSeeds> {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const prompts: Grown[] = []
    for (const p of texts.prompts.keys()) {
      const { sums, gram, count } = await sumsOf(texts, p, known, names)
      const inverse = ridgeOfSums(square(gram, texts.width), Matrix.eye(texts.width), count)
      const classifier = columnsOf(inverse.mmul(momentOf(sums, texts.width)))
      prompts.push({ sums, classifier, inverse: columnsOf(inverse), share: weights[p] / total })
    }
    return new GrowingSeeds(texts, prompts)
  }

  get seeds(): Seed[] {
    return this.#prompts.map(({ sums, classifier, share }) => ({
      sums,
      anchor: Float32Array.from(classifier, (value) => share * value),
    }))
  }

  /** Adds the label of a clip, by its number among the texts. */
  async add(clip: number, label: number): Promise<void> {
    const { width } = this.#texts
    for (const [p, { sums, classifier, inverse }] of this.#prompts.entries()) {
      const row = await unitRow(this.#texts, p, clip)
      for (let d = 0; d < width; d++) sums[label * width + d] += row[d]
      const seen = Float64Array.from(row, (_, d) => dot(row, inverse.subarray(d * width, (d + 1) * width)))
      const gain = seen.map((value) => value / (1 + dot(row, seen)))
      const classes = classifier.length / width
      for (let c = 0; c < classes; c++) {
        const own = classifier.subarray(c * width, (c + 1) * width)
        const error = Number(c === label) - 1 / classes - dot(row, own)
        for (let d = 0; d < width; d++) own[d] += gain[d] * error
      }
      for (let d = 0; d < width; d++) {
        for (let e = 0; e < width; e++) inverse[d * width + e] -= gain[d] * seen[e]
      }
    }
  }
}
