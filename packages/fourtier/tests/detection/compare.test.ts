/**
 * The comparison learns from the part train alone, tests all others with true and with detected boxes, and leaves excluded
 * frames out of both. Its figures are those of AVA's evaluation on the detections that it returns.
 */

import { silent } from "@fourtier/core"
import { type Box, evaluateDetections, type PlainBox } from "@fourtier/core/metrics"
import { detectionSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import { MemoryFeatures } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import type { ClippedPart, FramedClip } from "../../src/detection/clips.ts"
import { CLASS_SHARES, type ComparisonSettings, compareDetectors } from "../../src/detection/index.ts"
import type { Clip } from "../../src/video/manifest.ts"

const SIZE = { T: 2, H: 4, W: 4, D: 12 }
const CLASSES = [3, 7, 9].map((id) => ({ id, name: `class ${id}` }))

const clipOf = (id: string): Clip => ({
  ...{
    id,
    path: id,
    relative: id,
    label: null,
    labels: [],
    split: null,
    fold: null,
    group: null,
    start: null,
    end: null,
  },
  ...{ hash: id, duration: 2, frames: 50, fps: 25, width: 200, height: 100, codec: "h264", rotation: 0, columns: {} },
})

const features = new MemoryFeatures("boxes", { T: SIZE.T, N: SIZE.H * SIZE.W, D: SIZE.D })

/** A picture twice as wide as high: on the square it takes the two middle rows of the map; somebody in its left and right half. */
function framed(videoId: string, timestamp: number): FramedClip {
  const rng = Rng.fork("compare", videoId, timestamp)
  const m = Float32Array.from({ length: SIZE.T * 16 * SIZE.D }, () => 0.3 * rng.normal())
  const people = [0, 1].map((half) => {
    const label = rng.int(3)
    for (let t = 0; t < SIZE.T; t++) {
      for (const row of [1, 2]) {
        for (const column of [0, 1]) {
          const place = (t * 16 + row * 4 + 2 * half + column) * SIZE.D
          for (let d = label; d < SIZE.D; d += 3) m[place + d] += 2
        }
      }
    }
    const box: Box = [half / 2, 0, half / 2 + 0.5, 1]
    return { box, classIds: [CLASSES[label].id] }
  })
  const clip = clipOf(`${videoId}@${timestamp}`)
  features.add({ clip: clip.hash, view: 0 }, m)
  return { keyFrame: { videoId, timestamp, people }, clip }
}

const part = (name: string, videos: number, excluded: string[] = []): ClippedPart => ({
  name,
  excluded: new Set(excluded),
  clips: Array.from({ length: videos }, (_, v) => [1, 2].map((t) => framed(`${name}-${v}`, t))).flat(),
})

const schedule = { ...scheduleSchema.parse({ epochs: 12, batch: 8, learningRate: 2e-2, warmupEpochs: 1 }), dropout: 0 }

function settings(parts: ClippedPart[], more: Partial<ComparisonSettings> = {}): ComparisonSettings {
  return {
    ...{ classes: CLASSES, parts, features, size: SIZE, methods: ["linear-probe"], seeds: [0], detected: null },
    model: modelSchema.parse({ headWidth: 4, blocks: 1 }),
    training: { "linear-probe": schedule, "attentive-probe": schedule, baseline: schedule },
    ...{ detection: detectionSchema.parse({}), runtime: { threads: 1 }, reporter: silent },
    ...more,
  }
}

const boxesOf = ({ clips }: ClippedPart): PlainBox[] =>
  clips.flatMap(({ keyFrame: { videoId, timestamp, people } }) =>
    people.map(({ box }) => ({ videoId, timestamp, box, score: 0.9 })),
  )

const [train, val, shift] = [part("train", 12), part("val", 6), part("shift", 4)]

describe("the comparison", () => {
  it("tells two people of a picture apart by their boxes, far above chance, with several seeds", async () => {
    const { scores, trained } = await compareDetectors(settings([train, val, shift], { seeds: [0, 1] }))
    expect(trained).toEqual({ clips: 24, people: 48 })
    expect(scores.map(({ method, part, boxes }) => `${method} ${part} ${boxes}`)).toEqual([
      `${CLASS_SHARES} val true`,
      "linear-probe val true",
      `${CLASS_SHARES} shift true`,
      "linear-probe shift true",
    ])
    expect(scores[1].meanAveragePrecision.value).toBeGreaterThan(0.95)
    expect(scores[0].meanAveragePrecision.value).toBeLessThan(0.6)
    const truth = val.clips.flatMap(({ keyFrame: { videoId, timestamp, people } }) =>
      people.map(({ box, classIds: [classId] }) => ({ videoId, timestamp, box, classId })),
    )
    const again = evaluateDetections(truth, scores[1].detections, { classes: [3, 7, 9] })
    expect(again.classes).toEqual(scores[1].classes)
    expect([...scores[1].classes.values()].reduce((sum, { truths }) => sum + truths, 0)).toBe(24)
  })

  it("with detected boxes, people that no box finds are lost, boxes on nobody count against it", async () => {
    const all = boxesOf(val)
    const nobody = all.map((box): PlainBox => ({ ...box, box: [0.3, 0.6, 0.45, 0.9] }))
    const found = async (detected: PlainBox[]) => {
      const { scores, recall } = await compareDetectors(settings([train, val], { detected }))
      const score = scores.find(({ method, boxes }) => method === "linear-probe" && boxes === "detected")
      return { map: score?.meanAveragePrecision.value ?? Number.NaN, recall: recall.get("val")?.recall }
    }
    const [every, half, noise, none] = [
      await found(all),
      await found(all.filter((_, i) => i % 2 === 0)),
      await found([...all, ...nobody]),
      await found([]),
    ]
    expect([every.recall, half.recall, noise.recall, none.recall]).toEqual([1, 0.5, 1, 0])
    expect(every.map).toBeGreaterThan(0.95)
    expect(half.map).toBeLessThan(0.7)
    expect(noise.map).toBeLessThan(every.map)
    expect(none.map).toBe(0)
  })

  it("leaves excluded frames out of training and test", async () => {
    const only = [
      { ...train, excluded: new Set(["train-0,1"]) },
      { ...val, excluded: new Set(["val-0,1", "val-1,2"]) },
    ]
    const { scores, trained } = await compareDetectors(settings(only))
    expect(trained.clips).toBe(23)
    expect([...scores[0].classes.values()].reduce((sum, { truths }) => sum + truths, 0)).toBe(20)
  })

  it.each(["attentive-probe", "baseline"] as const)("%s learns as well", async (method) => {
    const { scores } = await compareDetectors(settings([train, val], { methods: [method] }))
    expect(scores[1].meanAveragePrecision.value).toBeGreaterThan(0.9)
  })

  it("says what is missing where there is nobody to learn from, or nothing to test on", async () => {
    await expect(compareDetectors(settings([val]))).rejects.toThrow(/nobody to learn from/)
    await expect(compareDetectors(settings([train]))).rejects.toThrow(/nothing to test on[\s\S]*train: 24 key frames/)
  })
})
