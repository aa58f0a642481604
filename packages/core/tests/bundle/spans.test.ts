/** Protects spans: they follow what windows show, do not flicker, and leave out what is not believed. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { findSpans } from "../../src/bundle/index.ts"

const labels = ["jump", "wave"]
const windowsOf = (jump: readonly number[], wave: readonly number[]) =>
  jump.map((p, i) => ({ time: i, probabilities: [p, wave[i]] }))
const found = (windows: ReturnType<typeof windowsOf>, more: object = {}) =>
  findSpans(windows, { labels, step: 1, threshold: 0.7, ...more })

describe("spans", () => {
  it("hold the windows of an action, half a step to each side, with their mean probability", () => {
    const windows = windowsOf([0.1, 0.1, 0.9, 0.95, 0.9, 0.1, 0.1, 0.1], [0.2, 0.2, 0.1, 0.05, 0.1, 0.2, 0.97, 0.97])
    const [jump, wave] = found(windows, { switching: 1 })
    expect(jump).toMatchObject({ label: "jump", start: 1.5, end: 4.5 })
    expect(jump.score).toBeCloseTo((0.9 + 0.95 + 0.9) / 3, 9)
    expect(wave).toMatchObject({ label: "wave", start: 5.5, end: 7.5 })
  })

  it("bridge a moment of doubt where changes cost, and leave a single window out", () => {
    const windows = windowsOf([0.98, 0.98, 0.4, 0.98, 0.98, 0.1, 0.1], [0.01, 0.01, 0.5, 0.01, 0.01, 0.1, 0.8])
    expect(found(windows, { switching: 0 }).map(({ label }) => label)).toEqual(["jump", "jump", "wave"])
    expect(found(windows)).toMatchObject([{ label: "jump", start: -0.5, end: 4.5 }])
  })

  it("leave out what is not more probable than the threshold, or too short", () => {
    const windows = windowsOf([0.6, 0.6, 0.6, 0.6, 0.1, 0.99, 0.1], [0.4, 0.4, 0.4, 0.4, 0.4, 0.01, 0.4])
    expect(found(windows, { switching: 0 }).map(({ start }) => start)).toEqual([4.5])
    expect(found(windows, { switching: 0, least: 1.5 })).toEqual([])
    expect(found([])).toEqual([])
  })

  it("are the best course there is", () => {
    const cost = (p: number) =>
      -Math.log(Math.min(0.999, Math.max(0.001, p)) / (1 - Math.min(0.999, Math.max(0.001, p))))
    for (let round = 0; round < 20; round++) {
      const rng = Rng.fork("course", round)
      const jump = Array.from({ length: 6 }, () => rng.next())
      const windows = windowsOf(
        jump,
        jump.map((p) => (1 - p) * rng.next()),
      )
      let best = Number.POSITIVE_INFINITY
      for (let code = 0; code < 3 ** 6; code++) {
        const course = Array.from({ length: 6 }, (_, i) => Math.floor(code / 3 ** i) % 3)
        best = Math.min(best, priceOf(course))
      }
      const own = windows.map(({ time }) => {
        const span = found(windows, { switching: 1.5 }).find(({ start, end }) => time >= start && time < end)
        return span ? labels.indexOf(span.label) : 2
      })
      expect(priceOf(own)).toBeCloseTo(best, 9)
      function priceOf(course: readonly number[]): number {
        return course.reduce((sum, state, i) => {
          const change = i > 0 && course[i - 1] !== state ? 1.5 : 0
          return sum + change + cost(state === 2 ? 0.7 : windows[i].probabilities[state])
        }, 0)
      }
    }
  })
})
