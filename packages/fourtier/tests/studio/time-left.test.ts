/** Protects the time that the studio says a training still takes: nothing is told before something tells, and nothing is forgotten. */

import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { TimeLeft } from "../../src/studio/time-left.ts"

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }))
afterEach(() => void vi.useRealTimers())

const pass = (seconds: number) => void vi.advanceTimersByTime(1000 * seconds)

it("is told by the rate of the first training, by the mean of those that are over, and holds the folds of the calibration", () => {
  const left = new TimeLeft(3, 4)
  left.begin("extract", 200, "views")
  pass(5)
  left.tick(100)
  // how long the trainings take is not known yet
  expect(left.seconds()).toBeNull()
  left.end()
  left.begin("baseline", 100, "updates")
  expect(left.seconds()).toBeNull()
  pass(2)
  left.tick(20)
  // 8 s of this one; two more, and four folds, of 10 s each
  expect(left.seconds()).toBeCloseTo(8 + 60)
  pass(8)
  left.end()
  expect(left.seconds()).toBeCloseTo(60)
  left.begin("linear-probe", 100, "updates")
  expect(left.seconds()).toBeCloseTo(60)
  pass(4)
  left.tick(40)
  expect(left.seconds()).toBeCloseTo(6 + 50)
  pass(6)
  left.end()
  left.begin("row-probe", 100, "updates")
  pass(10)
  left.end()
  left.begin("hold out clips", 4, "folds")
  pass(10)
  left.tick(1)
  expect(left.seconds()).toBeCloseTo(30)
})

it("counts every fold of the data as a trial", () => {
  const left = new TimeLeft(2, 0)
  left.trials(5)
  left.begin("baseline", 10, "updates")
  pass(4)
  left.end()
  expect(left.seconds()).toBeCloseTo(9 * 4)
})
