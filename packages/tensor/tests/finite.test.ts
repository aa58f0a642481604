/** Protects how values that are no finite numbers are found and named. */

import { expect, it } from "vitest"
import { nonFinite } from "../src/finite.ts"

it("counts them and names the first one's value and place, row by row", () => {
  const values = Float32Array.from({ length: 24 }, (_, i) => i)
  expect(nonFinite(values, [2, 3, 4])).toBeNull()
  values[17] = Number.NEGATIVE_INFINITY
  values[20] = Number.NaN
  expect(nonFinite(values, [2, 3, 4])).toBe("2 of 24 values, the first -Infinity at [1,1,1]")
})

it("takes the largest magnitude of another type, and knows scalars", () => {
  expect(nonFinite([-65504, 65504], [2], 65504)).toBeNull()
  expect(nonFinite([-65505, 65504], [2], 65504)).toBe("1 of 2 values, the first -65505 at [0]")
  expect(nonFinite([Number.NaN], [])).toBe("1 of 1 values, the first NaN at []")
})
