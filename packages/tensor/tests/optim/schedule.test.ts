/** The learning rate rises linearly, falls as a cosine, and is a pure function of the step. */

import { expect, test } from "vitest"
import { cosineWithWarmup } from "../../src/optim/index.ts"

test("warm-up reaches the peak, the middle is half way, the end is final", () => {
  const schedule = { peak: 1, warmup: 10, steps: 110, final: 0.2 }
  expect(cosineWithWarmup(0, schedule)).toBeCloseTo(0.1, 12)
  expect(cosineWithWarmup(9, schedule)).toBe(1)
  expect(cosineWithWarmup(10, schedule)).toBe(1)
  expect(cosineWithWarmup(60, schedule)).toBeCloseTo(0.6, 12)
  expect(cosineWithWarmup(110, schedule)).toBeCloseTo(0.2, 12)
  expect(cosineWithWarmup(500, schedule)).toBeCloseTo(0.2, 12)
})

test("without warm-up it starts at the peak; a warm-up longer than the run is an error", () => {
  expect(cosineWithWarmup(0, { peak: 3, steps: 5 })).toBe(3)
  expect(() => cosineWithWarmup(0, { peak: 1, warmup: 6, steps: 5 })).toThrow(/warm-up/)
})
