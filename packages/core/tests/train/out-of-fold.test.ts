/** Judging labels without having seen them: planted wrong labels stand out, and a label never votes for itself. */

import { Rng } from "@fourtier/tensor"
import { expect, it } from "vitest"
import { outOfFoldScores } from "../../src/train/ridge-classifier.ts"

const rng = Rng.fork("out of fold")
const rows = Array.from({ length: 60 }, (_, i) =>
  Float32Array.from({ length: 12 }, (_, d) => (d % 3 === i % 3 ? 2 : 0) + 0.5 * rng.normal()),
)
const folds = rows.map((_, i) => Math.floor(i / 3) % 5)
const truth = rows.map((_, i) => i % 3)
const best = (scores: readonly number[]) => scores.indexOf(Math.max(...scores))

it("finds the class of rows whose label is wrong", () => {
  const planted = [4, 17, 33]
  const labels = truth.map((label, i) => (planted.includes(i) ? (label + 1) % 3 : label))
  const scores = outOfFoldScores(rows, labels, 3, folds)
  expect(rows.flatMap((_, i) => (best(scores[i]) === labels[i] ? [] : [i]))).toEqual(planted)
  for (const row of scores) expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6)
})

it("a row's own label changes nothing of its scores", () => {
  const before = outOfFoldScores(rows, truth, 3, folds)[7]
  const other = truth.map((label, i) => (i === 7 ? (label + 1) % 3 : label))
  const after = outOfFoldScores(rows, other, 3, folds)[7]
  for (const [c, share] of after.entries()) expect(share).toBeCloseTo(before[c], 9)
})
