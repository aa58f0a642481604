/** Ridge regression from vectors to classes, in closed form. */

import { CholeskyDecomposition, Matrix } from "ml-matrix"
import type { Target } from "../objective/classification.ts"

/** λ as a multiple of the mean squared norm. */
const PENALTY = 0.1

/**
 * A [Dt,C] of the scores z·A: (ZᵀZ + λI)⁻¹ Zᵀ(onehot − 1/C), solved for the smaller of clips and channels.
 * @param rows z [Dt] of each clip
 * @param targets the clips' classes, or class probabilities
 *
 * @example
 * ```ts
 * import { ridgeClassifier } from "@fourtier/core/train"
 *
 * ridgeClassifier([Float32Array.of(1, 0), Float32Array.of(0, 1)], [0, 1], 2).to2DArray() // [[0.45, −0.45], [−0.45, 0.45]]
 * ```
 */
export function ridgeClassifier(rows: readonly Float32Array[], targets: readonly Target[], classes: number): Matrix {
  const Z = new Matrix(rows.map((row) => [...row]))
  const Y = new Matrix(targets.map((target) => oneHot(target, classes).map((share) => share - 1 / classes)))
  const transposed = Z.transpose()
  const wide = rows.length < Z.columns
  const gram = wide ? Z.mmul(transposed) : transposed.mmul(Z)
  const ridge = (PENALTY * gram.trace()) / rows.length
  for (let i = 0; i < gram.rows; i++) gram.set(i, i, gram.get(i, i) + ridge)
  const inverse = new CholeskyDecomposition(gram)
  return wide ? transposed.mmul(inverse.solve(Y)) : inverse.solve(transposed.mmul(Y))
}

/**
 * A class number, or probabilities as they are, as a row [C].
 *
 * @example
 * ```ts
 * import { oneHot } from "@fourtier/core/train"
 *
 * oneHot(1, 3) // [0, 1, 0]
 * ```
 */
export function oneHot(target: Target, classes: number): number[] {
  return typeof target === "number" ? Array.from({ length: classes }, (_, c) => (c === target ? 1 : 0)) : [...target]
}
