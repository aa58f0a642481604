/**
 * The solution of ridge regression's equations. Where clips are few, each is solved for by itself, so that all prompts that the same
 * clips have answers to share the work; where there are more of them than dimensions of all answers, the answers are.
 */

import { CholeskyDecomposition, Matrix } from "ml-matrix"
import type { Sums } from "./ridge-equations.ts"

/** Right-hand sides solved for at a time. */
const COLUMNS = 32

/** Equations with one penalty, solved. */
export interface Solved {
  /** Of the features, over all views: [F] */
  mean: Float64Array
  /** W [F][Dt] of a prompt, by its place. @param prior W₀ [F,Dt] that the solution is drawn to; null: 0 */
  weights: (prompt: number, prior: Matrix | null) => Promise<Float64Array[]>
}

/** What is solved: sums, and by prompt the unit text embeddings of their clips in order, where answers were not summed. */
export interface Unsolved {
  sums: Sums
  targets: readonly (readonly Float32Array[])[]
  /** Dt */
  width: number
  /** Awaited within long loops. */
  breathe: () => Promise<void>
}

export async function solve({ sums, targets, width, breathe }: Unsolved, penalty: number): Promise<Solved> {
  const { answers } = sums
  const { mean, lambda, equations } = factored(sums, penalty)
  const columns = answers
    ? await solvedFor(answers.y.length, (f, k) => answers.xy[f * answers.y.length + k] - mean[f] * answers.y[k])
    : await solvedFor(sums.means.length, (f, clip) => sums.weights[clip] * (sums.means[clip][f] - mean[f]))
  return { mean, weights }

  /** (XᵀX + λI)⁻¹ of right-hand sides: [F,count] */
  async function solvedFor(count: number, value: (f: number, column: number) => number): Promise<Matrix> {
    const all = new Matrix(mean.length, count)
    for (let start = 0; start < count; start += COLUMNS) {
      await breathe()
      const part = new Matrix(mean.length, Math.min(COLUMNS, count - start))
      for (let i = 0; i < part.columns; i++) {
        for (let f = 0; f < mean.length; f++) part.set(f, i, value(f, start + i))
      }
      all.setSubMatrix(equations.solve(part), 0, start)
    }
    return all
  }

  async function weights(prompt: number, prior: Matrix | null): Promise<Float64Array[]> {
    const left = prior && equations.solve(Matrix.mul(prior, lambda))
    const rowOf = answers
      ? (f: number) => Float64Array.from({ length: width }, (_, d) => columns.get(f, prompt * width + d))
      : ofClips(columns, sums, targets[prompt], width)
    const rows: Float64Array[] = []
    for (let f = 0; f < columns.rows; f++) {
      await breathe()
      const row = rowOf(f)
      if (left) for (let d = 0; d < width; d++) row[d] += left.get(f, d)
      rows.push(row)
    }
    return rows
  }
}

/** The clips' columns, weighted by what each clip should give. */
function ofClips(
  columns: Matrix,
  { mass, weights }: Sums,
  targets: readonly Float32Array[],
  width: number,
): (f: number) => Float64Array {
  const center = new Float64Array(width)
  for (const [clip, target] of targets.entries()) {
    const share = weights[clip] / mass
    for (let d = 0; d < width; d++) center[d] += share * target[d]
  }
  return (f) => {
    const row = new Float64Array(width)
    for (const [clip, target] of targets.entries()) {
      const share = columns.get(f, clip)
      for (let d = 0; d < width; d++) row[d] += share * (target[d] - center[d])
    }
    return row
  }
}

interface Factored {
  mean: Float64Array
  lambda: number
  /** XᵀX + λI, X centred */
  equations: CholeskyDecomposition
}

function factored({ mass, x, gram }: Sums, penalty: number): Factored {
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
  return { mean, lambda, equations: new CholeskyDecomposition(matrix) }
}
