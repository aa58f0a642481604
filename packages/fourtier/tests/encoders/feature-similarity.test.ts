/** Protects the similarity of features that `fourtier bench encoder` prints. */

import { expect, it } from "vitest"
import { featureSimilarity, meanRow } from "../../src/encoders/bench/feature-similarity.ts"

it("averages the cosines of rows, with and without what all rows share", () => {
  const [map, other] = [Float32Array.of(3, 4, 5, 0), Float32Array.of(4, 3, 5, 0)]
  const mean = meanRow([map, Float32Array.of(1, -4)], 2)
  expect(mean[0]).toBeCloseTo(3, 12)
  expect(mean[1]).toBe(0)
  const { cosine, centred } = featureSimilarity(map, other, mean)
  expect(cosine).toBeCloseTo((24 / 25 + 1) / 2, 12)
  // (0,4) beside (1,3), (2,0) beside (2,0)
  expect(centred).toBeCloseTo((3 / Math.sqrt(10) + 1) / 2, 12)
})

it("rows of zeros equal each other and no others", () => {
  const mean = new Float64Array(2)
  expect(featureSimilarity(Float32Array.of(0, 0, 0, 0), Float32Array.of(0, 0, 1, 0), mean).cosine).toBe(0.5)
})
