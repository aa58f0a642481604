/** Protects that a model says how sure it is: a temperature changes no order, and is found from what was right. */

import { withTemperature } from "@fourtier/core"
import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import {
  argmax,
  calibrationError,
  calibrationErrorByChance,
  fitTemperature,
  type Prediction,
  softmax,
  topK,
} from "../../src/metrics/index.ts"

/** Clips whose labels are drawn from their own probabilities, then told at another temperature. */
function clipsAt(temperature: number, count: number): Prediction[] {
  return Array.from({ length: count }, (_, i) => {
    const rng = Rng.fork("calibration", i)
    const logits = Array.from({ length: 5 }, () => 2 * rng.normal())
    let left = rng.next()
    const label = softmax(logits).findIndex((p) => {
      left -= p
      return left < 0
    })
    const told = softmax(logits.map((logit) => logit * temperature))
    return { clipId: `clip ${i}`, label: Math.max(0, label), probabilities: told }
  })
}

describe("a temperature", () => {
  it("divides the logits", () => {
    const logits = [2, -1, 0.5, 0]
    for (const temperature of [0.3, 1, 2.5]) {
      const expected = softmax(logits.map((logit) => logit / temperature))
      for (const [c, p] of withTemperature(softmax(logits), temperature).entries())
        expect(p).toBeCloseTo(expected[c], 6)
    }
    expect([...withTemperature([1, 0], 0.05)]).toEqual([1, 0])
  })

  it("is found again, makes the calibration error small, and changes no class", () => {
    for (const temperature of [0.4, 1, 3]) {
      const clips = clipsAt(temperature, 2000)
      const found = fitTemperature(clips)
      expect(found / temperature).toBeGreaterThan(0.85)
      expect(found / temperature).toBeLessThan(1.15)
      const calibrated = clips.map((clip) => ({ ...clip, probabilities: withTemperature(clip.probabilities, found) }))
      expect(calibrationError(calibrated)).toBeLessThan(0.045)
      expect(topK(calibrated, 1)).toBe(topK(clips, 1))
      expect(topK(calibrated, 3)).toBe(topK(clips, 3))
    }
  })

  it("is told beside what chance alone gives: the mean over all ways to be right and wrong", () => {
    const sure = [0.95, 0.9, 0.93, 0.6, 0.62, 0.5, 0.99]
    const clips = (right: (i: number) => boolean) =>
      sure.map((p, i) => ({ clipId: String(i), label: right(i) ? 0 : 1, probabilities: [p, 1 - p] }))
    let mean = 0
    for (let ways = 0; ways < 2 ** sure.length; ways++) {
      const isRight = (i: number) => ((ways >> i) & 1) === 1
      const chance = sure.reduce((product, p, i) => product * (isRight(i) ? p : 1 - p), 1)
      mean += chance * calibrationError(clips(isRight), 5)
    }
    expect(
      calibrationErrorByChance(
        clips(() => true),
        5,
      ),
    ).toBeCloseTo(mean, 12)
    // with many clips little is left to chance
    expect(calibrationErrorByChance(clipsAt(1, 5000))).toBeLessThan(0.03)
    expect(calibrationErrorByChance(clipsAt(1, 60))).toBeGreaterThan(0.05)
  })

  it("makes nobody certain who was never wrong, and goes not far from 1 with few clips", () => {
    const right = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ clipId: String(i), label: 0, probabilities: [0.6, 0.3, 0.1] }))
    const sure = (count: number) => {
      const row = withTemperature(right(count)[0].probabilities, fitTemperature(right(count)))
      return row[argmax(row)]
    }
    expect(sure(38)).toBeLessThan(39 / 40)
    expect(sure(38)).toBeGreaterThan(0.85)
    expect(sure(2000)).toBeGreaterThan(0.98)
    expect(sure(5)).toBeLessThan(0.8)
  })

  it("stays finite where all are wrong, or all probabilities alike", () => {
    const wrong = Array.from({ length: 30 }, (_, i) => ({ clipId: String(i), label: 1, probabilities: [0.9, 0.1] }))
    const alike = wrong.map((clip) => ({ ...clip, probabilities: [0.5, 0.5] }))
    for (const clips of [wrong, alike]) expect(Number.isFinite(fitTemperature(clips))).toBe(true)
  })
})
