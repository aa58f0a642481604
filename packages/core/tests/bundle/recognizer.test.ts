/** Protects that a bundle's answer is the mean over the views, as sure as its calibration says. */

import { expect, it } from "vitest"
import { averageViews } from "../../src/bundle/index.ts"

it("averages views, then applies the temperature: the order of the mean stays", () => {
  const labels = ["jump", "wave", "walk"]
  const views = [Float32Array.of(0.9, 0.1, 0), Float32Array.of(0.1, 0.5, 0.4)]
  const plain = averageViews({ labels, calibration: null }, views, 3, 0)
  expect(plain.top.map(({ label }) => label)).toEqual(["jump", "wave", "walk"])
  expect(plain.probabilities[0]).toBeCloseTo(0.5, 6)
  const calibration = { temperature: 0.5, clips: 100, from: "cross-fitting" }
  const sure = averageViews({ labels, calibration }, views, 3, 0)
  expect(sure.top.map(({ label }) => label)).toEqual(["jump", "wave", "walk"])
  const [a, b, c] = [0.5, 0.3, 0.2].map((p) => p ** 2)
  expect(sure.probabilities[0]).toBeCloseTo(a / (a + b + c), 6)
})
