/** Protects the figures of long videos: each is that of its own function, with an interval over the videos. */

import { describe, expect, it } from "vitest"
import { type JudgedVideo, spanFigures } from "../../src/metrics/index.ts"

const jump = { label: "jump", start: 2, end: 4 }
const wave = { label: "wave", start: 6, end: 9 }
const right: JudgedVideo = {
  videoId: "a",
  duration: 60,
  truths: [jump, wave],
  found: [
    { ...jump, start: 2.5, score: 0.9 },
    { ...wave, score: 0.8 },
  ],
}
const wrong: JudgedVideo = { videoId: "b", duration: 60, truths: [jump], found: [{ ...wave, score: 0.7 }] }

describe("figures of spans", () => {
  it("are those of what was found, and intervals lie around them", () => {
    const { videos, hours, truths, found, map50, map70, f50, falseAlarms, delay, accuracy } = spanFigures(
      [right, wrong],
      { resamples: 200 },
    )
    expect([videos, hours, truths, found]).toEqual([2, 120 / 3600, 3, 3])
    // jump: one of two found; wave: the right one is surer than the wrong one
    expect(map50.value).toBeCloseTo((0.5 + 1) / 2, 12)
    expect(map70.value).toBeCloseTo((0.5 + 1) / 2, 12)
    expect(f50.value).toBeCloseTo((2 * 2) / (2 * 2 + 1 + 1), 12)
    expect(falseAlarms.value).toBeCloseTo(30, 12)
    expect(delay.value).toBeCloseTo(0.25, 12)
    expect(accuracy.value).toBeCloseTo((120 - 0.5 - 2 - 3) / 120, 2)
    expect([map50.low, map50.high]).toEqual([0, 1])
  })

  it("know no delay where nothing was found", () => {
    const { delay, map50 } = spanFigures([{ ...wrong, found: [] }], { resamples: 10 })
    expect([delay.value, map50.value]).toEqual([Number.NaN, 0])
  })
})
