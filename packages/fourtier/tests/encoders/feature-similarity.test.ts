/** Protects the figures that say how alike features are. */

import { expect, it } from "vitest"
import { likeness, meanRow } from "../../src/encoders/bench/feature-similarity.ts"

it("averages the cosines of rows, with and without what all rows share", () => {
  const [map, other] = [Float32Array.of(3, 4, 5, 0), Float32Array.of(4, 3, 5, 0)]
  const mean = meanRow([map, Float32Array.of(1, -4)], 2)
  expect(mean[0]).toBeCloseTo(3, 12)
  expect(mean[1]).toBe(0)
  const { cosine, centred } = likeness(map, other, mean)
  expect(cosine).toBeCloseTo((24 / 25 + 1) / 2, 12)
  // (0,4) beside (1,3), (2,0) beside (2,0)
  expect(centred).toBeCloseTo((3 / Math.sqrt(10) + 1) / 2, 12)
})

it("rows of zeros are alike, and like no others", () => {
  const mean = new Float64Array(2)
  expect(likeness(Float32Array.of(0, 0, 0, 0), Float32Array.of(0, 0, 1, 0), mean).cosine).toBe(0.5)
})
