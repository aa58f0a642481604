import { describe, expect, it } from "vitest"
import {
  type Box,
  type Detection,
  envelopeArea,
  evaluateDetections,
  type FrameBox,
  frameKey,
  matchFrame,
  overlap,
  parseAvaCsv,
} from "../../src/metrics/index.ts"

const square: Box = [0, 0, 1, 1]
/** Overlaps `square` at IoU 1/3. */
const shifted: Box = [0.5, 0, 1.5, 1]
const far: Box = [5, 5, 6, 6]
const truth = (timestamp: number, box: Box, classId = 1): FrameBox => ({ videoId: "v", timestamp, box, classId })
const detection = (timestamp: number, box: Box, score: number, classId = 1): Detection => ({
  ...truth(timestamp, box, classId),
  score,
})
const map = (truths: FrameBox[], detections: Detection[], more = {}) =>
  evaluateDetections(truths, detections, { classes: [1], ...more }).meanAveragePrecision

describe("overlap", () => {
  it("is the shared area over the joint area of continuous boxes", () => {
    expect(overlap(square, shifted)).toBeCloseTo(1 / 3, 12)
    expect(overlap(square, [0, 0, 1, 0.5])).toBe(0.5)
    expect(overlap(square, far)).toBe(0)
    expect(overlap([0, 0, 0, 0], [0, 0, 0, 0])).toBe(0)
  })
})

describe("matching", () => {
  it("accepts IoU of exactly the threshold and rejects less", () => {
    expect(matchFrame([[0, 0, 1, 0.5]], [square], 0.5)).toEqual([true])
    expect(matchFrame([[0, 0, 1, 0.49]], [square], 0.5)).toEqual([false])
  })

  it("counts a second detection of one box as wrong", () => {
    expect(matchFrame([square, square], [square], 0.5)).toEqual([true, false])
  })

  it("looks only at the box of largest overlap: one already found is not swapped for another", () => {
    const near: Box = [0, 0, 1, 0.9]
    expect(matchFrame([square, [0, 0, 1, 0.99]], [square, near], 0.5)).toEqual([true, false])
    expect(matchFrame([square, near], [square, near], 0.5)).toEqual([true, true])
  })
})

describe("area under the curve", () => {
  it("makes precision non-increasing before it sums (PASCAL VOC 2010)", () => {
    // Order: wrong, right, right of 2. Precision 0, 1/2, 2/3; the envelope lifts 1/2 to 2/3.
    expect(envelopeArea([0.9, 0.8, 0.7], [false, true, true], 2)).toBeCloseTo(2 / 3, 12)
    // Right, wrong, wrong, right of 4: 1/4 * 1 + 1/4 * 2/4
    expect(envelopeArea([4, 3, 2, 1], [true, false, false, true], 4)).toBeCloseTo(0.375, 12)
    expect(envelopeArea([], [], 3)).toBe(0)
  })
})

describe("mean average precision", () => {
  it("ranks detections over all frames together", () => {
    const truths = [truth(1, square), truth(2, square)]
    const detections = [detection(1, square, 0.5), detection(2, far, 0.9), detection(2, square, 0.4)]
    // Order: wrong (0.9), right (0.5), right (0.4): envelope 2/3 at both.
    expect(map(truths, detections)).toBeCloseTo(2 / 3, 12)
  })

  it("counts detections in frames without truth as wrong, unless only listed frames count", () => {
    const truths = [truth(1, square)]
    const detections = [detection(1, square, 0.5), detection(9, square, 0.9)]
    expect(map(truths, detections)).toBe(0.5)
    expect(map(truths, detections, { frames: new Set([frameKey({ videoId: "v", timestamp: 1 })]) })).toBe(1)
    expect(map(truths, detections, { excluded: new Set(["v,9"]) })).toBe(1)
  })

  it("leaves excluded truth out", () => {
    expect(map([truth(1, square), truth(2, square)], [detection(1, square, 1)], { excluded: new Set(["v,2"]) })).toBe(1)
  })

  it("averages listed classes with truth; truth without detections is 0; other classes are ignored", () => {
    const result = evaluateDetections(
      [truth(1, square, 1), truth(1, square, 2), truth(1, square, 7)],
      [detection(1, square, 1, 1), detection(1, square, 1, 3)],
      { classes: [1, 2, 3] },
    )
    expect(result.meanAveragePrecision).toBe(0.5)
    expect(result.classes.get(2)).toEqual({ averagePrecision: 0, truths: 1, detections: 0, right: 0 })
    expect(result.classes.get(3)).toEqual({ averagePrecision: null, truths: 0, detections: 1, right: 0 })
    expect(result.classes.has(7)).toBe(false)
  })

  it("does not let a detection of one class find a box of another", () => {
    const result = evaluateDetections([truth(1, square, 1), truth(1, far, 2)], [detection(1, square, 1, 2)], {
      classes: [1, 2],
    })
    expect(result.meanAveragePrecision).toBe(0)
  })

  it("keeps the best detections of a frame up to the capacity, over all listed classes", () => {
    const truths = [truth(1, square)]
    const crowd = Array.from({ length: 50 }, (_, i) => detection(1, far, 0.9 - i / 1000, 2))
    const all = [...crowd, detection(1, square, 0.1, 1)]
    expect(evaluateDetections(truths, all, { classes: [1, 2] }).meanAveragePrecision).toBe(0)
    expect(evaluateDetections(truths, all, { classes: [1, 2], capacity: 51 }).meanAveragePrecision).toBe(1)
    expect(evaluateDetections(truths, all, { classes: [1] }).meanAveragePrecision).toBe(1)
  })

  it("drops detections with corners out of order, but refuses such truth", () => {
    expect(map([truth(1, square)], [detection(1, [1, 1, 0, 0], 0.9), detection(1, square, 0.5)])).toBe(1)
    expect(() => map([truth(1, [1, 1, 0, 0])], [])).toThrow(/true box at v,1/)
    expect(() => map([truth(1, square)], [detection(1, square, Number.NaN)])).toThrow(/detection at v,1/)
    expect(() => map([], [detection(1, square, 1)])).toThrow(/no box of the listed classes/)
  })
})

describe("AVA files", () => {
  it("reads truth, scores, frames without boxes and zero-padded times as one frame", () => {
    const { boxes, frames } = parseAvaCsv(
      "v,0902,0.1,0.2,0.3,0.4,12,0.5\r\nv,902,0.1,0.2,0.3,0.4,13\nw,0903\n\n",
      "x.csv",
    )
    expect(boxes).toEqual([
      { videoId: "v", timestamp: 902, box: [0.1, 0.2, 0.3, 0.4], classId: 12, score: 0.5 },
      { videoId: "v", timestamp: 902, box: [0.1, 0.2, 0.3, 0.4], classId: 13, score: 1 },
    ])
    expect([...frames]).toEqual(["v,902", "w,903"])
  })

  it.each(["v,902,0.1", "v,abc", "v,902,0.1,0.2,x,0.4,12", "v,902,,,,,"])(
    "names the line of a broken row: %s",
    (row) => {
      expect(() => parseAvaCsv(`v,902\n${row}`, "x.csv")).toThrow(/x\.csv:2/)
    },
  )
})
