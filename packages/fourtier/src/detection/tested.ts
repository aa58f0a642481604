/** What is tested: boxes of a part that every method scores, and the figures of what they say. */

import { boxOnView } from "@fourtier/core/frames"
import {
  type BoxRecall,
  bootstrap,
  boxRecall,
  type ClassScore,
  type Detection,
  type Difference,
  detectionStatistics,
  evaluateDetections,
  type FrameBox,
  frameKey,
  type Interval,
  type PlainBox,
  pairedBootstrap,
} from "@fourtier/core/metrics"
import type { Step } from "@fourtier/core/schemas"
import type { Populated } from "@fourtier/core/train"
import type { ClippedPart, FramedClip } from "./clips.ts"
import type { ActionClass } from "./data.ts"

/** Resamples of the intervals: each sorts all detections anew. */
const RESAMPLES = 1000

/** Detections of one trained model. */
export interface Run {
  detections: Detection[]
  seed?: number
}

/** Boxes of a part that every method scores. */
export interface Test {
  part: string
  /** The key frames, in the order of `examples`. */
  framed: readonly FramedClip[]
  boxes: "true" | "detected"
  truths: FrameBox[]
  frames: Set<string>
  videos: string[]
  examples: Populated[]
  /** Boxes of each example: as shares of the picture, and of what the encoder sees. */
  inPicture: PlainBox[][]
  onView: PlainBox["box"][][]
  recall: BoxRecall | null
}

/** The tests of a part: with true boxes, and with detected ones where there are any. */
export function testsOf(
  { name, clips, excluded }: ClippedPart,
  detected: readonly PlainBox[] | null,
  steps: readonly Step[],
): Test[] {
  const counted = clips.filter(({ keyFrame }) => !excluded.has(frameKey(keyFrame)))
  const truths = counted.flatMap(({ keyFrame: { videoId, timestamp, people } }) =>
    people.flatMap(({ box, classIds }) => classIds.map((classId) => ({ videoId, timestamp, box, classId }))),
  )
  if (truths.length === 0) return []
  const common = {
    part: name,
    framed: counted,
    truths,
    frames: new Set(counted.map(({ keyFrame }) => frameKey(keyFrame))),
    videos: [...new Set(counted.map(({ keyFrame }) => keyFrame.videoId))],
    examples: counted.map(({ clip: { id, hash } }) => ({ id, hash, views: [0], people: [] })),
  }
  const withBoxes = (boxes: Test["boxes"], inPicture: PlainBox[][], recall: BoxRecall | null): Test => ({
    ...common,
    boxes,
    inPicture,
    onView: inPicture.map((own, i) => own.map(({ box }) => boxOnView(box, counted[i].clip, steps))),
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
export function scored(
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

/** The share of people of each class: what is known without looking. */
export function classShares(people: readonly Populated[], classes: number): Float32Array {
  const all = people.flatMap((clip) => clip.people)
  const counts = new Float32Array(classes)
  for (const { labels } of all) for (const label of labels) counts[label] += 1 / all.length
  return counts
}

export interface Figures {
  /** Mean over seeds, with the interval over videos and seeds. */
  meanAveragePrecision: Interval
  /** Of the first seed. */
  classes: ReadonlyMap<number, ClassScore>
  /** Of the first seed. */
  detections: readonly Detection[]
}

/** The figures of a method's runs on a test. */
export function figuresOf(test: Test, runs: readonly Run[], classes: readonly ActionClass[]): Figures {
  const options = optionsOf(test, classes)
  const { observations, mean } = detectionStatistics(test.truths, runs, options, test.videos)
  const [{ detections }] = runs
  return {
    meanAveragePrecision: bootstrap(observations, [mean], { resamples: RESAMPLES })[0],
    classes: evaluateDetections(test.truths, detections, options).classes,
    detections,
  }
}

/** The difference of two methods' mean average precision on a test, over the same videos and seeds. */
export function differenceOf(
  test: Test,
  first: readonly Run[],
  second: readonly Run[],
  classes: readonly ActionClass[],
): Difference {
  const [a, b] = [first, second].map((runs) => {
    const { observations, mean } = detectionStatistics(test.truths, runs, optionsOf(test, classes), test.videos)
    return { observations, statistics: [mean] }
  })
  return pairedBootstrap(a, b, { resamples: RESAMPLES })[0]
}

const optionsOf = ({ frames }: Test, classes: readonly ActionClass[]) => ({
  classes: classes.map(({ id }) => id),
  frames,
})
