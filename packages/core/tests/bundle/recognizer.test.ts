/** Protects that a bundle's answer is the mean over the views, as sure as its calibration says. */

import { expect, it } from "vitest"
import { answerOf, believed } from "../../src/bundle/index.ts"

it("averages views, then applies the temperature: the order of the mean stays", () => {
  const labels = ["jump", "wave", "walk"]
  const views = [Float32Array.of(0.9, 0.1, 0), Float32Array.of(0.1, 0.5, 0.4)]
  const plain = answerOf({ labels, calibration: null, unknown: null }, views, 3, 0)
  expect(plain.top.map(({ label }) => label)).toEqual(["jump", "wave", "walk"])
  expect(plain.probabilities[0]).toBeCloseTo(0.5, 6)
  const calibration = { temperature: 0.5, clips: 100, from: "cross-fitting" }
  const sure = answerOf({ labels, calibration, unknown: null }, views, 3, 0)
  expect(sure.top.map(({ label }) => label)).toEqual(["jump", "wave", "walk"])
  const [a, b, c] = [0.5, 0.3, 0.2].map((p) => p ** 2)
  expect(sure.probabilities[0]).toBeCloseTo(a / (a + b + c), 6)
})

it("is unknown where the best class is not more probable than the threshold, after calibration", () => {
  const labels = ["jump", "wave"]
  const unknown = { threshold: 0.8, falseAlarmRate: 0.05, clips: 40, learned: false }
  const answer = (p: number, temperature: number) => {
    const calibration = { temperature, clips: 100, from: "cross-fitting" }
    return answerOf({ labels, calibration, unknown }, [Float32Array.of(1 - p, p)], 1, 0)
  }
  expect(answer(0.75, 1)).toMatchObject({ unknown: true, top: [{ label: "wave" }] })
  expect(answer(0.85, 1)).toMatchObject({ unknown: false })
  expect(answer(0.75, 0.5)).toMatchObject({ unknown: false })
  expect(answerOf({ labels, calibration: null, unknown: null }, [Float32Array.of(0.5, 0.5)], 1, 0).unknown).toBe(false)
})

it("a learned background is no guess: the classes share what it leaves, and unknown counts it as an alternative", () => {
  const labels = ["jump", "wave"]
  const unknown = { threshold: 0.5, falseAlarmRate: 0.05, clips: 40, learned: true }
  const calibration = { temperature: 0.5, clips: 100, from: "cross-fitting" }
  const answer = (...row: number[]) => answerOf({ labels, calibration, unknown }, [Float32Array.from(row)], 5, 0)
  const some = answer(0.2, 0.6, 0.2)
  // 1 : 3 among the classes, at half the temperature 1 : 9
  expect(some.top.map(({ label, probability }) => [label, Number(probability.toFixed(6))])).toEqual([
    ["wave", 0.9],
    ["jump", 0.1],
  ])
  expect(some.background).toBeCloseTo(0.2, 6)
  expect([some.unknown, answer(0.05, 0.15, 0.8).unknown]).toEqual([false, true])
  expect([...believed(some)].map((p) => Number(p.toFixed(6)))).toEqual([0.08, 0.72])
  expect([...answer(0, 0, 1).probabilities]).toEqual([0.5, 0.5])
})
