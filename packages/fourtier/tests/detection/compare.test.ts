/**
 * The comparison learns from the part train alone, tests all others with true and with detected boxes, and leaves excluded
 * frames out of both. Its figures are those of AVA's evaluation on the detections that it returns.
 */

import { silent } from "@fourtier/core"
import { type Box, evaluateDetections, type PlainBox } from "@fourtier/core/metrics"
import { contrastiveSchema, detectionSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import { MemoryFeatures } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import type { ClippedPart, FramedClip } from "../../src/detection/clips.ts"
import {
  CLASS_SHARES,
  type ComparisonSettings,
  compareDetectors,
  type DetectionWords,
  labelledClips,
  peopleClips,
  type Subject,
} from "../../src/detection/index.ts"
import type { Clip } from "../../src/video/manifest.ts"

const SIZE = { T: 2, H: 4, W: 4, D: 12 }
const STEPS = [{ step: "letterbox" as const, size: 64, fill: [0, 0, 0] as [number, number, number] }]
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
    return { box, classIds: [CLASSES[label].id], track: `${half}` }
  })
  const clip = clipOf(`${videoId}@${timestamp}`)
  features.add({ clip: clip.hash, view: 0 }, m)
  return { keyFrame: { videoId, timestamp, people }, seconds: timestamp, clip }
}

const part = (name: string, videos: number, excluded: string[] = []): ClippedPart => ({
  name,
  excluded: new Set(excluded),
  clips: Array.from({ length: videos }, (_, v) => [1, 2].map((t) => framed(`${name}-${v}`, t))).flat(),
})

const alignSchema = z.strictObject({ ...contrastiveSchema.shape, ...scheduleSchema.shape })
const schedule = { ...scheduleSchema.parse({ epochs: 12, batch: 8, learningRate: 2e-2, warmupEpochs: 1 }), dropout: 0 }

function settings(parts: ClippedPart[], more: Partial<ComparisonSettings> = {}): ComparisonSettings {
  return {
    ...{ classes: CLASSES, parts, features, size: SIZE, methods: ["linear-probe"], seeds: [0], detected: null },
    ...{ words: null, labelsPerClass: null, steps: STEPS },
    model: modelSchema.parse({ headWidth: 4, blocks: 1, processors: "text", processorWeights: "positional" }),
    align: alignSchema.parse({ start: "ridge", epochs: 0, batch: 8, learningRate: 1e-3 }),
    training: { "linear-probe": schedule, "attentive-probe": schedule, baseline: schedule, full: schedule },
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

/** Two prompts; whoever does the same is described alike, up to noise. An answer about a clip says what both people do. */
function wordsOf({ clips }: ClippedPart, subject: Subject): DetectionWords {
  const people = peopleClips(clips, { tracks: new Map() }, 2)
  const vectorOf = (classIds: readonly number[], id: string) => {
    const rng = Rng.fork("words", id)
    return Float32Array.from(
      { length: 6 },
      (_, d) => (classIds.includes(CLASSES[d % 3].id) ? 1 : 0) + 0.1 * rng.normal(),
    )
  }
  const about =
    subject === "person"
      ? people.map(({ clip, person }) => [clip.id, person.classIds] as const)
      : clips.map(({ clip, keyFrame }) => [clip.id, keyFrame.people.flatMap(({ classIds }) => classIds)] as const)
  const table = new Map(
    ["A", "B"].map((prompt) => [prompt, new Map(about.map(([id, ids]) => [id, vectorOf(ids, `${prompt} ${id}`)]))]),
  )
  const text = { table, names: [], width: 6, center: true, encoder: "made up", id: subject }
  return { subject, prompts: ["A", "B"], text, people: subject === "person" ? people : [] }
}

describe("full", () => {
  const full = (subject: Subject, more: Partial<ComparisonSettings> = {}) =>
    compareDetectors(
      settings([train, val], {
        methods: ["baseline", "full", "full-shuffled"],
        words: wordsOf(train, subject),
        ...more,
      }),
    )

  it.each(["clip", "person"] as const)("learns from answers about a %s; its control does not", async (subject) => {
    const { scores, differences, stage1, models } = await full(subject)
    expect(scores.map(({ method }) => method)).toEqual([CLASS_SHARES, "baseline", "full", "full-shuffled"])
    expect(scores[2].meanAveragePrecision.value).toBeGreaterThan(0.9)
    expect(stage1?.described).toBe(subject === "clip" ? 24 : 48)
    // a person's region tells what that person does; the whole picture, what two do
    for (const prompt of ["A", "B"]) expect(stage1?.retrieval.get(prompt)?.skill).toBeGreaterThan(0.5)
    expect(differences.map(({ second, part }) => [second, part])).toEqual([
      ["baseline", "val"],
      ["full-shuffled", "val"],
    ])
    const [{ difference }] = differences
    const [, baseline, own] = scores.map(({ meanAveragePrecision: { value } }) => value)
    expect(difference.value).toBeCloseTo(own - baseline, 9)
    const [a, b] = ["full", "full-shuffled"].map(
      (name) => models.get(name === "full" ? "full" : "full-shuffled")?.weights,
    )
    const kind = subject === "clip" ? "processor.A.weight" : "processor.A.spatial.weight"
    expect(a?.get(kind)).toBeDefined()
    expect(a?.get(kind)).not.toEqual(b?.get(kind))
  })

  it("learns words about everybody, also where one track of each class is labelled", async () => {
    const one = await full("person", { labelsPerClass: 1, methods: ["full"] })
    expect(one.trained.people).toBeLessThanOrEqual(6)
    expect(one.stage1?.described).toBe(48)
  })

  it("says whose answers are missing", async () => {
    await expect(compareDetectors(settings([train, val], { methods: ["full"] }))).rejects.toThrow(
      /there are no answers/,
    )
    const words = { ...wordsOf(train, "clip"), subject: "person" as const, people: wordsOf(train, "person").people }
    await expect(full("person", { words })).rejects.toThrow(/none is about a person[\s\S]*video@second#track/)
  })
})

describe("few labels", () => {
  const numberOf = new Map(CLASSES.map(({ id }, c) => [id, c]))

  it("draw whole tracks, of every class as many as asked for, by the seed", () => {
    const drawn = labelledClips(train.clips, STEPS, numberOf, 2, 5)
    const tracks = new Map<string, Set<number>>()
    for (const { id, people } of drawn) {
      for (const { box, labels } of people) {
        const track = `${id.split("@")[0]} ${box[0] < 0.4 ? 0 : 1}`
        tracks.set(track, new Set([...(tracks.get(track) ?? []), ...labels]))
      }
    }
    const counts = [0, 1, 2].map((label) => [...tracks.values()].filter((labels) => labels.has(label)).length)
    for (const count of counts) expect(count).toBeGreaterThanOrEqual(2)
    expect(tracks.size).toBeLessThanOrEqual(6)
    expect(labelledClips(train.clips, STEPS, numberOf, 2, 5)).toEqual(drawn)
    expect(labelledClips(train.clips, STEPS, numberOf, 2, 6)).not.toEqual(drawn)
    expect(labelledClips(train.clips, STEPS, numberOf, null, 0).flatMap(({ people }) => people)).toHaveLength(48)
  })
})

describe("people as clips", () => {
  it("have ids of their own, and a region that holds their track within the window, with a margin", () => {
    const [framedClip] = train.clips
    const person = { box: [0.4, 0.4, 0.6, 0.8] as Box, classIds: [3], track: "a" }
    const one = {
      ...framedClip,
      keyFrame: { videoId: "v", timestamp: 5, people: [person, { ...person, track: null }] },
    }
    const path = [
      { timestamp: 3.5, box: [0, 0, 1, 1] as Box },
      { timestamp: 4, box: [0.2, 0.4, 0.4, 0.8] as Box },
      { timestamp: 5, box: person.box },
      { timestamp: 6, box: [0.7, 0.4, 0.95, 0.8] as Box },
    ]
    const [walker, other] = peopleClips([one], { tracks: new Map([["v", new Map([["a", path]])]]) }, 2)
    expect([walker.clip.id, other.clip.id]).toEqual([`${framedClip.clip.id}#a`, `${framedClip.clip.id}#-2`])
    expect(walker.region).toEqual([0.088, 0.34, 1, 0.86])
    expect(other.region).toEqual([0.37, 0.34, 0.63, 0.86])
    expect(new Set([framedClip.clip.hash, walker.clip.hash, other.clip.hash]).size).toBe(3)
  })
})
