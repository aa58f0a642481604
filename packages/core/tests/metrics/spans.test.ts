/**
 * Protects that spans are scored as by the official programs. `spans.json` holds random spans and labels, and what
 * `eval_detection.py` of github.com/activitynet/ActivityNet and `eval.py` of github.com/yabufarha/ms-tcn say of them.
 */

import { describe, expect, it } from "vitest"
import {
  ACTIVITYNET_OVERLAPS,
  falseAlarmsAnHour,
  labelFrames,
  type ScoredSpan,
  segmentalScores,
  spanPrecision,
  THUMOS_OVERLAPS,
} from "../../src/metrics/index.ts"
import official from "./spans.json" with { type: "json" }

type Row = (string | number)[]
const spanOf = ([video, label, start, end, score = 1]: Row): ScoredSpan => ({
  videoId: String(video),
  label: String(label),
  start: Number(start),
  end: Number(end),
  score: Number(score),
})

describe("spans", () => {
  it.each(official.spans.map((set, i) => [i, set] as const))(
    "set %i: precision of every class and overlap is the official one",
    (_, set) => {
      for (const [overlaps, expected] of [
        [ACTIVITYNET_OVERLAPS, set.precision.activitynet],
        [THUMOS_OVERLAPS, set.precision.thumos],
      ] as const) {
        const { classes, mean, atOverlap } = spanPrecision(set.truth.map(spanOf), set.found.map(spanOf), overlaps)
        expect([...classes.keys()].sort()).toEqual(Object.keys(expected).sort())
        const all: number[] = []
        for (const [label, values] of Object.entries(expected)) {
          for (const [o, value] of values.entries()) {
            expect(Math.abs((classes.get(label)?.[o] ?? -1) - value)).toBeLessThan(1e-9)
            all.push(value)
          }
        }
        expect(mean).toBeCloseTo(all.reduce((sum, value) => sum + value, 0) / all.length, 9)
        expect(atOverlap).toHaveLength(overlaps.length)
      }
    },
  )

  it("scores labels frame by frame as action segmentation does", () => {
    const { videos, accuracy, edit, f1 } = official.segments
    const labels = (digits: string) => Array.from(digits, (digit) => (digit === "0" ? "background" : `c${digit}`))
    const found = segmentalScores(videos.map((video) => ({ found: labels(video.found), truth: labels(video.truth) })))
    expect(Math.abs(found.accuracy - accuracy)).toBeLessThan(1e-9)
    expect(Math.abs(found.edit - edit)).toBeLessThan(1e-9)
    for (const [o, value] of f1.entries()) expect(Math.abs(found.f1[o] - value)).toBeLessThan(1e-9)
  })

  it("counts as false alarms what touches no true span of its label, an hour", () => {
    const truth = [{ videoId: "a", label: "jump", start: 10, end: 12 }]
    const at = (videoId: string, label: string, start: number) => ({ videoId, label, start, end: start + 2 })
    const found = [at("a", "jump", 11), at("a", "wave", 11), at("a", "jump", 12), at("b", "jump", 11)]
    expect(falseAlarmsAnHour(truth, found, 7200)).toBe(1.5)
  })

  it("has an answer for nothing found and nothing true, and names what cannot be scored", () => {
    const truth = { videoId: "a", label: "jump", start: 1, end: 2 }
    expect(spanPrecision([truth], []).mean).toBe(0)
    expect(segmentalScores([{ truth: ["background"], found: ["background"] }])).toEqual({
      accuracy: 1,
      edit: 1,
      f1: [0, 0, 0],
    })
    expect(segmentalScores([{ truth: ["background"], found: ["jump"] }]).f1).toEqual([0, 0, 0])
    expect(() => spanPrecision([], [])).toThrow(/no span is true/)
    expect(() => spanPrecision([{ ...truth, end: 1 }], [])).toThrow(/1 to 1 s/)
    expect(() => segmentalScores([{ truth: ["a"], found: [] }])).toThrow(/not as many labels/)
    expect(labelFrames([{ label: "jump", start: 0.5, end: 1 }], [0, 0.5, 1])).toEqual([
      "background",
      "jump",
      "background",
    ])
  })
})
