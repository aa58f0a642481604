/** Detection figures as statistics of videos, the recall of person boxes, and AVA's label map. */

import { describe, expect, it } from "vitest"
import {
  type Box,
  bootstrap,
  boxRecall,
  type Detection,
  detectionStatistics,
  evaluateDetections,
  type FrameBox,
  officialOrder,
  pairedBootstrap,
  parseAvaLabelMap,
  rankDetections,
  weightedAveragePrecision,
} from "../../src/metrics/index.ts"

const square: Box = [0, 0, 1, 1]
const far: Box = [5, 5, 6, 6]
const at = (videoId: string, box: Box, classId = 1, timestamp = 1): FrameBox => ({ videoId, timestamp, box, classId })
const found = (videoId: string, box: Box, score: number, classId = 1): Detection => ({
  ...at(videoId, box, classId),
  score,
})

const truths = [at("a", square), at("b", square), at("b", far, 2), at("c", square)]
const detections = [
  found("a", square, 0.4),
  found("a", far, 0.9),
  found("b", square, 0.7),
  found("b", far, 0.6, 2),
  found("c", far, 0.5),
]

describe("figures over videos", () => {
  it("counts a video of weight 2 as if it were there twice", () => {
    const { videos, classes } = rankDetections(truths, detections, { classes: [1, 2] })
    const twice = ["a", "b"]
    const copied = <T extends FrameBox>(items: readonly T[]) => [
      ...items,
      ...items
        .filter(({ videoId }) => twice.includes(videoId))
        .map((item) => ({ ...item, videoId: `${item.videoId}'` })),
    ]
    const expected = evaluateDetections(copied(truths), copied(detections), { classes: [1, 2] })
    const weights = Float64Array.from(videos, (video) => (twice.includes(video) ? 2 : 1))
    for (const ranked of classes) {
      const { averagePrecision } = expected.classes.get(ranked.classId) ?? {}
      expect(weightedAveragePrecision(ranked, weights)).toBeCloseTo(averagePrecision ?? Number.NaN, 12)
    }
  })

  it("averages runs of several seeds, and gives intervals that hold the figure", () => {
    const better = truths.map((truth): Detection => ({ ...truth, score: 1 }))
    const runs = [
      { detections, seed: 0 },
      { detections: better, seed: 1 },
    ]
    const { observations, mean, classes } = detectionStatistics(truths, runs, { classes: [1, 2] })
    expect(observations.length).toBe(6)
    const single = evaluateDetections(truths, detections, { classes: [1, 2] }).meanAveragePrecision
    const [interval, ofTwo] = bootstrap(observations, [mean, classes.get(2) ?? mean], { resamples: 200 })
    expect(interval.value).toBeCloseTo((single + 1) / 2, 12)
    expect(interval.low).toBeLessThan(interval.value)
    expect(interval.high).toBe(1)
    // class 2 is in one video alone: resamples without it leave it out
    expect(ofTwo).toEqual({ value: 1, low: 1, high: 1 })
  })

  it("pairs two methods on the same videos, also where one found nothing in a video", () => {
    const videos = ["a", "b", "c"]
    const [first, second] = [truths.map((truth): Detection => ({ ...truth, score: 1 })), detections.slice(0, 1)].map(
      (of) => {
        const { observations, mean } = detectionStatistics(truths, [{ detections: of }], { classes: [1, 2] }, videos)
        return { observations, statistics: [mean] }
      },
    )
    const [difference] = pairedBootstrap(first, second, { resamples: 100 })
    expect(difference.value).toBeCloseTo(1 - (1 / 3 + 0) / 2, 12)
  })

  it("names truth that is left after no frame counts", () => {
    expect(() => evaluateDetections(truths, [], { classes: [1], frames: new Set() })).toThrow(/in a frame that counts/)
  })
})

describe("the official order of a frame's boxes", () => {
  it("keeps the earlier of equal scores when there is no room", () => {
    const boxes = [0.1, 0.2, 0.3, 0.4].map((x): Box => [x, 0, 1, 1])
    const kept = officialOrder(
      boxes.map((box) => found("a", box, 0.5)),
      2,
    )
    expect(kept.map(({ box }) => box[0]).sort()).toEqual([0.1, 0.2])
    expect(officialOrder([found("a", square, 1)], 0)).toEqual([])
  })

  it("keeps the highest scores of many", () => {
    const scores = Array.from({ length: 200 }, (_, i) => ((i * 67) % 200) / 200)
    const kept = officialOrder(
      scores.map((score) => found("a", square, score)),
      50,
    )
    expect(kept.map(({ score }) => score)).toEqual(scores.toSorted((a, b) => b - a).slice(0, 50))
  })
})

describe("recall of person boxes", () => {
  it("counts boxes that are repeated for each class once, and lets one box find one person", () => {
    const people = [at("a", square, 1), at("a", square, 2), at("a", [0, 0, 1, 0.9], 1), at("b", far, 1)]
    const boxes = [found("a", square, 0.9), found("b", [5, 5, 6, 5.4], 0.9), found("z", far, 0.9)]
    const recall = boxRecall(people, boxes)
    expect(recall).toMatchObject({ truths: 3, found: 1, recall: 1 / 3, boxesPerTruth: 2 / 3 })
    expect(bootstrap(recall.observations, [recall.statistic], { resamples: 50 })[0].low).toBe(0)
    expect(boxRecall(people, [found("a", square, 0.1), found("a", square, 0.9)]).found).toBe(2)
    expect(boxRecall(people, boxes, 0.3).found).toBe(2)
  })
})

describe("label maps", () => {
  it("reads both forms, in order of ids", () => {
    const official = 'label {\n  name: "stand"\n  label_id: 12\n  label_type: PERSON_MOVEMENT\n}\n'
    const item = 'item {\n  name: "bend/bow (at the waist)"\n  id: 1\n}\n'
    expect(parseAvaLabelMap(`${official}${item}`, "map.pbtxt")).toEqual([
      { id: 1, name: "bend/bow (at the waist)" },
      { id: 12, name: "stand" },
    ])
  })

  it.each([
    "",
    "names: none",
    'item { name: "a" }',
    "item { id: 3 }",
    'item { name: "a" id: 1 } item { name: "b" id: 1 }',
  ])("names what is wrong with: %s", (text) => {
    expect(() => parseAvaLabelMap(text, "map.pbtxt")).toThrow(/map\.pbtxt/)
  })
})
