/**
 * Methods of action detection side by side, on the same features of a data set's key frames.
 *
 * ```
 *                                            ┌─ answers ─ stage 1 ─ processors of `full`, and of its control
 * key frames ─ clips ─ frozen encoder ─ m ─┬─┴─ train: people with their classes ─ each method, each seed ─ weights
 *                                         └─ other parts: true boxes, detected boxes ─ scores ─ mean average precision
 * ```
 */

import type { Reporter } from "@fourtier/core"
import { type BoxRecall, type Difference, frameKey, type PlainBox } from "@fourtier/core/metrics"
import { type MapSize, type RegionMethod, type RegionSpec, regionMethod } from "@fourtier/core/model"
import type { ContrastiveConfig, DetectionConfig, ModelConfig, ScheduleConfig, Step } from "@fourtier/core/schemas"
import {
  detectionTask,
  type FeatureSource,
  fitStandardize,
  RegionGraphs,
  regionProbabilities,
  train,
} from "@fourtier/core/train"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import type { ExpectedPeople } from "../deploy/export-detector.ts"
import type { ClippedPart, FramedClip } from "./clips.ts"
import type { ActionClass } from "./data.ts"
import { labelledClips } from "./labelled.ts"
import { classShares, differenceOf, type Figures, figuresOf, type Run, scored, type Test, testsOf } from "./tested.ts"
import { alignWords, type DetectionWords, modelFor, type StageOne } from "./words.ts"

/** The methods of a comparison: `full-shuffled` is `full` with the answers about others, which tells what the words add. */
export const DETECTORS = ["linear-probe", "attentive-probe", "baseline", "full", "full-shuffled"] as const
export type Detector = (typeof DETECTORS)[number]

const NETWORKS: Record<Detector, RegionMethod> = {
  "linear-probe": "linear-probe",
  "attentive-probe": "attentive-probe",
  baseline: "baseline",
  full: "full",
  "full-shuffled": "full",
}

/** Whether a method learns from words. */
export const learnsWords = (method: Detector): boolean => NETWORKS[method] === "full"

/** What is known without looking: every box gets the share of training people of each class. */
export const CLASS_SHARES = "class shares"

export interface ComparisonSettings {
  classes: readonly ActionClass[]
  parts: readonly ClippedPart[]
  /** The map of every clip, by its hash; one view each. */
  features: FeatureSource
  size: MapSize
  /** From a clip's pictures to what the encoder sees. */
  steps: readonly Step[]
  methods: readonly Detector[]
  seeds: readonly number[]
  /** Tracks of each class whose labels are used; null: all. Stage 1 learns from the answers about all. */
  labelsPerClass: number | null
  /** Answers about the training clips or the people in them, for the methods that learn from them. */
  words: DetectionWords | null
  model: ModelConfig
  align: ContrastiveConfig & ScheduleConfig
  training: Record<RegionMethod, ScheduleConfig & { dropout: number }>
  detection: DetectionConfig
  /** Boxes of people from a detector, which count where they lie in a key frame of a tested part; null: none. */
  detected: readonly PlainBox[] | null
  runtime: SessionOptions
  reporter: Reporter
  signal?: AbortSignal
}

export interface MethodScore extends Figures {
  method: Detector | typeof CLASS_SHARES
  part: string
  boxes: "true" | "detected"
}

/** `full` less another method, on the same boxes. */
export interface MethodDifference {
  second: Detector
  part: string
  boxes: "true" | "detected"
  difference: Difference
}

/** A method as it was trained with the first seed. */
export interface TrainedDetector {
  network: Omit<RegionSpec, "size" | "classes">
  weights: Weights
  seed: number
  /** What it says of true boxes of the first tested part: a bundle of it must say the same. */
  expected: readonly ExpectedPeople[]
}

export interface Comparison {
  /** People and key frames to learn from, with the first seed. */
  trained: { clips: number; people: number }
  scores: MethodScore[]
  differences: MethodDifference[]
  /** Of the detected boxes, by part. */
  recall: ReadonlyMap<string, BoxRecall>
  /** Of the people's own answers; null where no method learns from words. */
  stage1: Omit<StageOne, "weights"> | null
  models: ReadonlyMap<Detector, TrainedDetector>
}

/**
 * Trains every method with every seed on the part `train` and scores all other parts.
 * @throws FourtierError where there is nobody to learn from, no part to test, or no answers for a method that learns from them
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
  const { classes, features, parts, seeds, words } = settings
  const numberOf = new Map(classes.map(({ id }, number) => [id, number]))
  const learned = trainingClips(parts)
  const everybody = labelledClips(learned, settings.steps, numberOf, null, 0)
  const tested = parts.filter(({ name, clips }) => name !== "train" && clips.length > 0)
  if (everybody.length === 0 || tested.length === 0) {
    throw new FourtierError({
      where: "parts of the data",
      what: everybody.length === 0 ? "nobody to learn from" : "nothing to test on",
      expected: "key frames with people in the part train, and in at least one other part, such as val",
      found: parts.map(({ name, clips }) => `${name}: ${clips.length} key frames`).join(", "),
    })
  }
  const standardize = await fitStandardize({ source: features, examples: everybody }, settings.model.width)
  const boxesPerClip = Math.min(8, Math.max(...everybody.map((clip) => clip.people.length)))
  const taught = new Map(
    seeds.map(
      (seed) => [seed, labelledClips(learned, settings.steps, numberOf, settings.labelsPerClass, seed)] as const,
    ),
  )
  const fewest = Math.min(...[...taught.values()].map(({ length }) => length))
  const tests = tested.flatMap((part) => testsOf(part, settings.detected, settings.steps))
  const runs = new Map(tests.map((test) => [test, new Map<MethodScore["method"], Run[]>()]))
  const shares = classShares(everybody, classes.length)
  for (const test of tests) runs.get(test)?.set(CLASS_SHARES, [{ detections: scored(test, classes, () => shares) }])

  const aligned = alignments(settings, learned, standardize)
  const models = new Map<Detector, TrainedDetector>()
  for (const method of settings.methods) {
    const schedule = settings.training[NETWORKS[method]]
    const network = networkOf(method, settings)
    const spec = { ...network, size: settings.size, classes: classes.length }
    const batch = Math.min(schedule.microBatch ?? schedule.batch, fewest)
    const graphs = await RegionGraphs.compile(spec, batch, boxesPerClip, schedule.dropout, settings.runtime)
    try {
      for (const seed of seeds) {
        const frozen = learnsWords(method) ? (await aligned(method, seed)).weights : standardize
        const examples = taught.get(seed) ?? []
        const data = { train: { source: features, examples }, val: { source: features, examples: [] } }
        const task = detectionTask(method, graphs, settings.detection, data, frozen)
        const { runtime, reporter, signal } = settings
        const { weights: own } = await train(task, { schedule, seed, runtime, reporter, signal })
        const weights: Weights = new Map([...frozen, ...own])
        for (const test of tests) {
          const set = { source: features, examples: test.examples }
          const rows = await regionProbabilities(graphs, set, test.onView, weights)
          const detections = scored(test, classes, (clip, box) => rows[clip][box])
          const before = runs.get(test)
          before?.set(method, [...(before.get(method) ?? []), { detections, seed }])
          if (test === tests[0] && seed === seeds[0])
            models.set(method, { network, weights, seed, expected: expectedOf(test, rows) })
        }
      }
    } finally {
      await graphs.release()
    }
  }
  const all = tests.flatMap((test) => [...(runs.get(test) ?? [])].map(([method, of]) => ({ test, method, of })))
  const scores = all.map(({ test, method, of }) => {
    return { method, part: test.part, boxes: test.boxes, ...figuresOf(test, of, classes) }
  })
  const recall = new Map(tests.flatMap(({ part, recall }) => (recall ? [[part, recall] as const] : [])))
  const [first = []] = taught.values()
  const trained = { clips: first.length, people: first.reduce((sum, { people }) => sum + people.length, 0) }
  const { retrieval, described } = models.has("full")
    ? await aligned("full", seeds[0])
    : { retrieval: null, described: 0 }
  const stage1 = words && retrieval ? { retrieval, described } : null
  return { trained, scores, differences: differencesOf(all, classes), recall, stage1, models }
}

/** The key frames to learn from. */
export function trainingClips(parts: readonly ClippedPart[]): FramedClip[] {
  return parts
    .filter(({ name }) => name === "train")
    .flatMap(({ clips, excluded }) => clips.filter(({ keyFrame }) => !excluded.has(frameKey(keyFrame))))
}

function networkOf(method: Detector, { words, model }: ComparisonSettings): TrainedDetector["network"] {
  const own = learnsWords(method) && words ? modelFor(words.subject, model) : model
  const context = { prompts: words?.prompts ?? [], model: own, textWidth: words?.text.width ?? 0 }
  return { width: model.width, pool: model.pool, build: regionMethod(NETWORKS[method], context) }
}

/** Stage 1 for a method and a seed, computed when it is first asked for; people's own answers serve all seeds where nothing is drawn. */
function alignments(settings: ComparisonSettings, clips: readonly FramedClip[], standardize: Weights) {
  const { words } = settings
  const known = new Map<string, Promise<StageOne>>()
  return (method: Detector, seed: number): Promise<StageOne> => {
    if (!words) {
      throw new FourtierError({
        where: "methods",
        what: `${method} learns from words, and there are no answers`,
        fix: "give answers about the training clips or the people in them, or leave the method out",
      })
    }
    const shuffled = method === "full-shuffled"
    const key = shuffled ? `shuffled ${seed}` : "own"
    const found = known.get(key) ?? alignWords(words, clips, standardize, settings, shuffled ? seed : null)
    known.set(key, found)
    return found
  }
}

/** Key frames that a bundle is proven with, at most. */
const PROVEN = 100

function expectedOf({ framed, inPicture }: Test, rows: readonly (readonly Float32Array[])[]): ExpectedPeople[] {
  const step = Math.max(1, framed.length / PROVEN)
  return Array.from({ length: Math.min(PROVEN, framed.length) }, (_, i) => {
    const at = Math.floor(i * step)
    const { clip, seconds } = framed[at]
    return { path: clip.path, seconds, boxes: inPicture[at].map(({ box }) => box), probabilities: rows[at] }
  })
}

/** What `full` adds to each other method. */
function differencesOf(
  all: readonly { test: Test; method: MethodScore["method"]; of: readonly Run[] }[],
  classes: readonly ActionClass[],
): MethodDifference[] {
  return all.flatMap(({ test, method: second, of }) => {
    const full = all.find((one) => one.test === test && one.method === "full")
    if (!full || second === "full" || second === CLASS_SHARES) return []
    const { part, boxes } = test
    return [{ second, part, boxes, difference: differenceOf(test, full.of, of, classes) }]
  })
}
