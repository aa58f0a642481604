/** Ridge regression from vectors to classes, in closed form. */

import { CholeskyDecomposition, Matrix } from "ml-matrix"
import type { Target } from "../objective/classification.ts"
import { centred, dot } from "./vectors.ts"

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
  if (rows.length >= Z.columns) return ridgeOfSums(transposed.mmul(Z), transposed.mmul(Y), rows.length)
  return transposed.mmul(ridgeOfSums(Z.mmul(transposed), Y, rows.length))
}

/**
 * (G + λI)⁻¹ M, the ridge classifier by its sums.
 * @param gram G = ZᵀZ [Dt,Dt]; it is changed
 * @param moment M = Zᵀ(onehot − 1/C) [Dt,C]
 * @param count number of rows of Z
 *
 * @example
 * ```ts
 * import { ridgeOfSums } from "@fourtier/core/train"
 * import { Matrix } from "ml-matrix"
 *
 * ridgeOfSums(Matrix.eye(2), new Matrix([[0.5, -0.5], [-0.5, 0.5]]), 2).get(0, 0) // 0.45
 * ```
 */
export function ridgeOfSums(gram: Matrix, moment: Matrix, count: number): Matrix {
  const ridge = (PENALTY * gram.trace()) / count
  for (let i = 0; i < gram.rows; i++) gram.set(i, i, gram.get(i, i) + ridge)
  return new CholeskyDecomposition(gram).solve(moment)
}

/**
 * The scores [rows,C] that each row would get from `ridgeClassifier` on all other rows, with λ as it is for all: y − (y − ŷ)/(1 − h), h the
 * row's leverage.
 * @param rows z [Dt] of each clip
 * @param labels class numbers
 *
 * @example
 * ```ts
 * import { leaveOneOutScores } from "@fourtier/core/train"
 *
 * const [a, b] = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * leaveOneOutScores([a, a, b, b], [0, 0, 1, 1], 2).get(0, 0) // 0.45: from the other a
 * ```
 */
export function leaveOneOutScores(rows: readonly Float32Array[], labels: readonly number[], classes: number): Matrix {
  const Z = new Matrix(rows.map((row) => [...row]))
  const Y = new Matrix(labels.map((label) => oneHot(label, classes).map((share) => share - 1 / classes)))
  const gram = Z.mmul(Z.transpose())
  const ridge = (PENALTY * gram.trace()) / rows.length
  const regular = gram.clone()
  for (let i = 0; i < regular.rows; i++) regular.set(i, i, regular.get(i, i) + ridge)
  const hat = new CholeskyDecomposition(regular).solve(gram)
  const fitted = hat.transpose().mmul(Y)
  const scores = Y.clone()
  for (let i = 0; i < rows.length; i++) {
    const known = 1 - hat.get(i, i)
    for (let c = 0; c < classes; c++) scores.set(i, c, Y.get(i, c) - (Y.get(i, c) - fitted.get(i, c)) / known)
  }
  return scores
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

/**
 * The share of each class [C] that a linear model sees in each row, fitted on the rows of the other folds: what one may believe of
 * a row's label without having seen it. Ridge regression by dot products of rows, which are centred first.
 * @param rows [F] each
 * @param labels class numbers
 * @param folds fold of each row
 *
 * @example
 * ```ts
 * import { outOfFoldScores } from "@fourtier/core/train"
 *
 * const rows = [[1, 0], [0.9, 0], [0, 1], [0, 0.9]].map((row) => Float32Array.from(row))
 * outOfFoldScores(rows, [0, 0, 1, 1], 2, [0, 1, 0, 1])[0] // [0.95, 0.05], or nearly
 * ```
 */
export function outOfFoldScores(
  rows: readonly Float32Array[],
  labels: readonly number[],
  classes: number,
  folds: readonly number[],
): number[][] {
  const own = centred(rows)
  const products = own.map((a, i) => Float64Array.from({ length: i + 1 }, (_, j) => dot(a, own[j])))
  const product = (i: number, j: number) => (i >= j ? products[i][j] : products[j][i])
  const scores = rows.map(() => Array<number>(classes).fill(1 / classes))
  for (const fold of new Set(folds)) {
    const [held, fitted] = [true, false].map((inside) => [...rows.keys()].filter((i) => (folds[i] === fold) === inside))
    if (fitted.length === 0) continue
    const gram = new Matrix(fitted.map((i) => fitted.map((j) => product(i, j))))
    const ridge = (PENALTY * gram.trace()) / fitted.length || 1
    for (let i = 0; i < gram.rows; i++) gram.set(i, i, gram.get(i, i) + ridge)
    const target = new Matrix(fitted.map((i) => oneHot(labels[i], classes).map((share) => share - 1 / classes)))
    const found = new Matrix(held.map((i) => fitted.map((j) => product(i, j)))).mmul(
      new CholeskyDecomposition(gram).solve(target),
    )
    for (const [row, i] of held.entries()) scores[i] = scores[i].map((share, c) => share + found.get(row, c))
  }
  return scores
}
