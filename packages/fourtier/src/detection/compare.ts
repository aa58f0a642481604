/**
 * Methods of action detection side by side, on the same features of a data set's key frames.
 *
 * ```
 * key frames ─ clips ─ frozen encoder ─ m ─┬─ train: people with their classes ─ each method, each seed ─ weights
 *                                         └─ other parts: true boxes, detected boxes ─ scores ─ mean average precision
 * ```
 */

import type { Reporter } from "@fourtier/core"
import {
  type BoxRecall,
  bootstrap,
  boxRecall,
  type ClassScore,
  type Detection,
  detectionStatistics,
  evaluateDetections,
  type FrameBox,
  frameKey,
  type Interval,
  type PlainBox,
} from "@fourtier/core/metrics"
import { type MapSize, type RegionMethod, regionMethod } from "@fourtier/core/model"
import type { DetectionConfig, ModelConfig, ScheduleConfig } from "@fourtier/core/schemas"
import {
  detectionTask,
  type FeatureSource,
  fitStandardize,
  type Populated,
  RegionGraphs,
  regionProbabilities,
  train,
} from "@fourtier/core/train"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { type ClippedPart, type FramedClip, letterboxed } from "./clips.ts"
import type { ActionClass } from "./data.ts"

/** Methods that learn from labels alone. */
export const DETECTORS = ["linear-probe", "attentive-probe", "baseline"] as const satisfies readonly RegionMethod[]
export type Detector = (typeof DETECTORS)[number]

/** What is known without looking: every box gets the share of training people of each class. */
export const CLASS_SHARES = "class shares"

export interface ComparisonSettings {
  classes: readonly ActionClass[]
  parts: readonly ClippedPart[]
  /** The map of every clip, by its hash; one view each. */
  features: FeatureSource
  size: MapSize
  methods: readonly Detector[]
  seeds: readonly number[]
  model: ModelConfig
  training: Record<Detector, ScheduleConfig & { dropout: number }>
  detection: DetectionConfig
  /** Boxes of people from a detector, which count where they lie in a key frame of a tested part; null: none. */
  detected: readonly PlainBox[] | null
  runtime: SessionOptions
  reporter: Reporter
  signal?: AbortSignal
}

export interface MethodScore {
  method: Detector | typeof CLASS_SHARES
  part: string
  boxes: "true" | "detected"
  /** Mean over seeds, with the interval over videos and seeds. */
  meanAveragePrecision: Interval
  /** Of the first seed. */
  classes: ReadonlyMap<number, ClassScore>
  /** Of the first seed. */
  detections: readonly Detection[]
}

export interface Comparison {
  /** People and key frames to learn from. */
  trained: { clips: number; people: number }
  scores: MethodScore[]
  /** Of the detected boxes, by part. */
  recall: ReadonlyMap<string, BoxRecall>
}

/**
 * Trains every method with every seed on the part `train` and scores all other parts.
 * @throws FourtierError where there is nobody to learn from, or no part to test
 *
 * @example
 * ```ts
 * import { compareDetectors, type ComparisonSettings } from "fourtier/detection"
 *
 * async function printScores(settings: ComparisonSettings) {
 *   for (const { method, part, boxes, meanAveragePrecision } of (await compareDetectors(settings)).scores) {
 *     console.log(method, part, boxes, meanAveragePrecision.value)
 *   }
 * }
 * ```
 */
export async function compareDetectors(settings: ComparisonSettings): Promise<Comparison> {
  const { classes, features, parts } = settings
  const numberOf = new Map(classes.map(({ id }, number) => [id, number]))
  const learned = parts
    .filter(({ name }) => name === "train")
    .flatMap(({ clips, excluded }) => clips.filter(({ keyFrame }) => !excluded.has(frameKey(keyFrame))))
  const populated = learned.map((framed) => populate(framed, numberOf)).filter(({ people }) => people.length > 0)
  const tested = parts.filter(({ name, clips }) => name !== "train" && clips.length > 0)
  const people = populated.reduce((sum, clip) => sum + clip.people.length, 0)
  if (people === 0 || tested.length === 0) {
    throw new FourtierError({
      where: "parts of the data",
      what: people === 0 ? "nobody to learn from" : "nothing to test on",
      expected: "key frames with people in the part train, and in at least one other part, such as val",
      found: parts.map(({ name, clips }) => `${name}: ${clips.length} key frames`).join(", "),
    })
  }
  const trainSet = { source: features, examples: populated }
  const standardize = await fitStandardize(trainSet, settings.model.width)
  const boxesPerClip = Math.min(8, Math.max(...populated.map((clip) => clip.people.length)))
  const tests = tested.flatMap((part) => testsOf(part, settings.detected))
  const runs = new Map(tests.map((test) => [test, new Map<MethodScore["method"], Run[]>()]))
  const shares = classShares(populated, classes.length)
  for (const test of tests) runs.get(test)?.set(CLASS_SHARES, [{ detections: scored(test, classes, () => shares) }])

  for (const method of settings.methods) {
    const schedule = settings.training[method]
    const build = regionMethod(method, { prompts: [], model: settings.model, textWidth: 0 })
    const spec = {
      size: settings.size,
      classes: classes.length,
      width: settings.model.width,
      pool: settings.model.pool,
      build,
    }
    const batch = Math.min(schedule.microBatch ?? schedule.batch, populated.length)
    const graphs = await RegionGraphs.compile(spec, batch, boxesPerClip, schedule.dropout, settings.runtime)
    try {
      for (const seed of settings.seeds) {
        const data = { train: trainSet, val: { source: features, examples: [] } }
        const task = detectionTask(method, graphs, settings.detection, data, standardize)
        const { weights } = await train(task, {
          schedule,
          seed,
          reporter: settings.reporter,
          runtime: settings.runtime,
          signal: settings.signal,
        })
        const all: Weights = new Map([...standardize, ...weights])
        for (const test of tests) {
          const rows = await regionProbabilities(
            graphs,
            { source: features, examples: test.examples },
            test.onSquare,
            all,
          )
          const detections = scored(test, classes, (clip, box) => rows[clip][box])
          const own = runs.get(test)
          own?.set(method, [...(own.get(method) ?? []), { detections, seed }])
        }
      }
    } finally {
      await graphs.release()
    }
  }
  const scores = tests.flatMap((test) =>
    [...(runs.get(test) ?? [])].map(([method, of]) => score(method, test, of, classes)),
  )
  const recall = new Map(tests.flatMap(({ part, recall }) => (recall ? [[part, recall] as const] : [])))
  return { trained: { clips: populated.length, people }, scores, recall }
}

/** Detections of one trained model. */
interface Run {
  detections: Detection[]
  seed?: number
}

/** Boxes of a part that every method scores. */
interface Test {
  part: string
  boxes: "true" | "detected"
  truths: FrameBox[]
  frames: Set<string>
  videos: string[]
  examples: Populated[]
  /** Boxes of each example: as shares of the picture, and of the square that the encoder sees. */
  inPicture: PlainBox[][]
  onSquare: PlainBox["box"][][]
  recall: BoxRecall | null
}

function populate({ keyFrame, clip }: FramedClip, numberOf: ReadonlyMap<number, number>): Populated {
  const people = keyFrame.people.flatMap(({ box, classIds }) => {
    const labels = classIds.flatMap((id) => numberOf.get(id) ?? [])
    return labels.length > 0 ? [{ box: letterboxed(box, clip), labels }] : []
  })
  return { id: clip.id, hash: clip.hash, views: [0], people }
}

/** The tests of a part: with true boxes, and with detected ones where there are any. */
function testsOf({ name, clips, excluded }: ClippedPart, detected: readonly PlainBox[] | null): Test[] {
  const counted = clips.filter(({ keyFrame }) => !excluded.has(frameKey(keyFrame)))
  const truths = counted.flatMap(({ keyFrame: { videoId, timestamp, people } }) =>
    people.flatMap(({ box, classIds }) => classIds.map((classId) => ({ videoId, timestamp, box, classId }))),
  )
  if (truths.length === 0) return []
  const common = {
    part: name,
    truths,
    frames: new Set(counted.map(({ keyFrame }) => frameKey(keyFrame))),
    videos: [...new Set(counted.map(({ keyFrame }) => keyFrame.videoId))],
    examples: counted.map(({ clip: { id, hash } }) => ({ id, hash, views: [0], people: [] })),
  }
  const withBoxes = (boxes: Test["boxes"], inPicture: PlainBox[][], recall: BoxRecall | null): Test => ({
    ...common,
    boxes,
    inPicture,
    onSquare: inPicture.map((own, i) => own.map(({ box }) => letterboxed(box, counted[i].clip))),
    recall,
  })
  const people = counted.map(({ keyFrame: { videoId, timestamp, people } }) =>
    people.filter(({ classIds }) => classIds.length > 0).map(({ box }): PlainBox => ({ videoId, timestamp, box })),
  )
  if (detected === null) return [withBoxes("true", people, null)]
  const found = counted.map(({ keyFrame }) => detected.filter((box) => frameKey(box) === frameKey(keyFrame)))
  return [withBoxes("true", people, null), withBoxes("detected", found, boxRecall(people.flat(), found.flat()))]
}

/** One detection of every class for every box. A detector's own score does not count, as in SlowFast's evaluation. */
function scored(
  { inPicture }: Test,
  classes: readonly ActionClass[],
  row: (clip: number, box: number) => ArrayLike<number>,
): Detection[] {
  return inPicture.flatMap((own, clip) =>
    own.flatMap(({ videoId, timestamp, box }, k) => {
      const scores = row(clip, k)
      return classes.map(({ id }, c) => ({ videoId, timestamp, box, classId: id, score: scores[c] }))
    }),
  )
}

function classShares(people: readonly Populated[], classes: number): Float32Array {
  const all = people.flatMap((clip) => clip.people)
  const counts = new Float32Array(classes)
  for (const { labels } of all) for (const label of labels) counts[label] += 1 / all.length
  return counts
}

function score(
  method: MethodScore["method"],
  test: Test,
  runs: readonly Run[],
  classes: readonly ActionClass[],
): MethodScore {
  const options = { classes: classes.map(({ id }) => id), frames: test.frames }
  const { observations, mean } = detectionStatistics(test.truths, runs, options, test.videos)
  const [{ detections }] = runs
  return {
    method,
    part: test.part,
    boxes: test.boxes,
    meanAveragePrecision: bootstrap(observations, [mean], { resamples: 1000 })[0],
    classes: evaluateDetections(test.truths, detections, options).classes,
    detections,
  }
}
