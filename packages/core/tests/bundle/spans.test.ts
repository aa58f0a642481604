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
    const [jump, wave] = found(windows)
    expect(jump).toMatchObject({ label: "jump", start: 1.5, end: 4.5 })
    expect(jump.score).toBeCloseTo((0.9 + 0.95 + 0.9) / 3, 9)
    expect(wave).toMatchObject({ label: "wave", start: 5.5, end: 7.5 })
  })

  it("bridge a moment of doubt, and end where the probability falls, not where it is no longer highest", () => {
    const windows = windowsOf([0.1, 0.98, 0.98, 0.6, 0.98, 0.98, 0.1, 0.1, 0.1, 0.1], Array(10).fill(0))
    expect(found(windows)).toMatchObject([{ label: "jump", start: 0.5, end: 5.5 }])
    const hill = windowsOf([0, 0, 0.55, 0.85, 0.95, 0.85, 0.55, 0, 0, 0], Array(10).fill(0))
    expect(found(hill)).toMatchObject([{ start: 1.5, end: 6.5 }])
  })

  it("are two where the probability falls far between two actions of a kind", () => {
    const windows = windowsOf([0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1], Array(10).fill(0))
    expect(found(windows)).toMatchObject([
      { start: 1.5, end: 3.5 },
      { start: 5.5, end: 7.5 },
    ])
  })

  it("are all of the video where an action fills it", () => {
    expect(found(windowsOf(Array(5).fill(0.9), Array(5).fill(0.1)))).toMatchObject([{ start: -0.5, end: 4.5 }])
  })

  it("leave out what is less probable than the threshold, does not stand out, or is too short", () => {
    const windows = windowsOf([0.6, 0.6, 0.6, 0.6, 0.1, 0.99, 0.1], [0.4, 0.4, 0.4, 0.4, 0.4, 0.01, 0.4])
    expect(found(windows).map(({ start }) => start)).toEqual([4.5])
    expect(found(windows, { contrast: 0.9 })).toEqual([])
    expect(found(windows, { least: 1.5 })).toEqual([])
    expect(found([])).toEqual([])
  })

  it("never overlap, and no stretch that was left out stands out more than all that it overlaps", () => {
    const contrastOf = (row: readonly number[], from: number, to: number) => {
      const margin = Math.max(1, Math.round((to - from) / 2))
      const mean = (values: readonly number[]) =>
        values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : 0
      const around = [...row.slice(Math.max(0, from - margin), from), ...row.slice(to, to + margin)]
      return mean(row.slice(from, to)) - mean(around)
    }
    for (let round = 0; round < 20; round++) {
      const rng = Rng.fork("spans", round)
      const jump = Array.from({ length: 40 }, () => rng.next())
      const wave = jump.map((p) => (1 - p) * rng.next())
      const spans = found(windowsOf(jump, wave), { threshold: 0.5, contrast: 0.2 }).map((span) => ({
        ...span,
        row: span.label === "jump" ? jump : wave,
        from: span.start + 0.5,
        to: span.end + 0.5,
      }))
      for (const [i, span] of spans.entries()) if (i > 0) expect(span.from).toBeGreaterThanOrEqual(spans[i - 1].to)
      for (const { row, from, to, score } of spans) {
        expect(score).toBeGreaterThanOrEqual(0.5)
        expect(contrastOf(row, from, to)).toBeGreaterThanOrEqual(0.2 - 1e-12)
      }
      // every window above 0.9 is a stretch of its own level or within one: something at least as salient covers it
      for (const row of [jump, wave]) {
        for (let from = 0; from < row.length; from++) {
          const before = from > 0 && row[from - 1] >= 0.9
          if (row[from] < 0.9 || before) continue
          let to = from + 1
          while (to < row.length && row[to] >= 0.9) to++
          const own = contrastOf(row, from, to)
          const over = spans.filter((span) => span.from < to && span.to > from)
          expect(Math.max(...over.map((span) => contrastOf(span.row, span.from, span.to)))).toBeGreaterThanOrEqual(
            own - 1e-9,
          )
        }
      }
    }
  })
})
