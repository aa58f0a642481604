/**
 * Frame-level mean average precision of spatio-temporal action detection, by the rules of AVA v2.2's official
 * evaluation (PASCAL VOC 2010 style, IoU 0.5, 60 classes).
 *
 *     detections ── listed classes and frames ── best 50 of a frame ── match within frame and class ──┐
 *     truth      ── listed classes and frames ────────────────────────────────────────────────────────┤
 *                                       per class: precision envelope over all frames, area ── mean ──┘
 *
 * - A box counts as found by a detection of its class whose largest overlap is with it, at IoU >= 0.5. The first such
 *   detection in order of score is right, every further one is wrong.
 * - Detections in frames that count but hold no truth are wrong. A class without truth is left out of the mean; a class with truth and
 *   without detections scores 0.
 * - Boxes are continuous coordinates: area is width times height. Detections of no area are dropped.
 * - Equal scores: within a frame the official program's order (`ava-order.ts`), over all frames the later detection first,
 *   as the official program has it where its sort is stable.
 *
 * Every figure is also a function of one weight per video, so that `bootstrap` gives its interval over videos.
 */

import { FourtierError } from "@fourtier/tensor"
import { distinct, groupBy } from "../util/group.ts"
import { officialOrder } from "./ava-order.ts"
import { area, type Detection, type FrameBox, frameKey, matchFrame } from "./boxes.ts"
import type { Observation, Statistic } from "./intervals.ts"

export interface DetectionOptions {
  /** Class ids that count; boxes of other classes are ignored (AVA v2.2: 60 of 80). */
  classes: readonly number[]
  /** Frames that count, as `frameKey`; all when not given. Newer AVA files list them, also those without a box. */
  frames?: ReadonlySet<string>
  /** Frames that do not count, as `frameKey`: AVA's excluded timestamps. */
  excluded?: ReadonlySet<string>
  iou?: number
  /** Detections kept per frame, best score first. */
  capacity?: number
}

export interface ClassScore {
  /** null without truth */
  averagePrecision: number | null
  /** Boxes of the class in frames that count. */
  truths: number
  /** Detections of the class that count, and how many of them are right. */
  detections: number
  right: number
}

export interface DetectionResult {
  meanAveragePrecision: number
  /** By class id. */
  classes: Map<number, ClassScore>
}

/**
 * Mean average precision over the listed classes, and each class's own.
 * @throws FourtierError when no listed class has a true box, or a box or score is not a number.
 *
 * @example
 * ```ts
 * import { type Detection, evaluateDetections } from "@fourtier/core/metrics"
 *
 * const truth = { videoId: "a", timestamp: 902, box: [0, 0, 0.5, 1], classId: 12 } as const
 * const found: Detection[] = [{ ...truth, box: [0, 0, 0.5, 0.9], score: 0.8 }]
 * evaluateDetections([truth], found, { classes: [12] }).meanAveragePrecision // 1
 * ```
 */
export function evaluateDetections(
  truths: readonly FrameBox[],
  detections: readonly Detection[],
  options: DetectionOptions,
): DetectionResult {
  const { classes, videos } = rankDetections(truths, detections, options)
  const weights = new Float64Array(videos.length).fill(1)
  const results = new Map(
    classes.map((ranked): [number, ClassScore] => {
      const score = {
        averagePrecision: weightedAveragePrecision(ranked, weights),
        truths: ranked.truths.reduce((sum, count) => sum + count, 0),
        detections: ranked.right.length,
        right: ranked.right.filter(Boolean).length,
      }
      return [ranked.classId, score]
    }),
  )
  return { meanAveragePrecision: meanOver(classes, weights), classes: results }
}

/** One class's detections of all frames in order of score, best first. */
export interface RankedClass {
  classId: number
  /** Of each detection, whether it found a box, and the number of its video. */
  right: boolean[]
  video: number[]
  /** `[videos]`: true boxes of each. */
  truths: Float64Array
}

export interface RankedDetections {
  /** Videos that hold truth or detections that count. */
  videos: string[]
  classes: RankedClass[]
}

/**
 * Matches detections with truth, once for all figures.
 * @throws FourtierError when no listed class has a true box, or a box or score is not a number.
 *
 * @example
 * ```ts
 * import { type Detection, rankDetections } from "@fourtier/core/metrics"
 *
 * const truth = { videoId: "a", timestamp: 902, box: [0, 0, 0.5, 1], classId: 12 } as const
 * const found: Detection[] = [{ ...truth, score: 0.8 }]
 * rankDetections([truth], found, { classes: [12] }).classes[0].right // [true]
 * ```
 */
export function rankDetections(
  truths: readonly FrameBox[],
  detections: readonly Detection[],
  { classes, frames, excluded = new Set(), iou = 0.5, capacity = 50 }: DetectionOptions,
): RankedDetections {
  const listed = new Set(classes)
  const counts = (item: FrameBox) => {
    const key = frameKey(item)
    return listed.has(item.classId) && !excluded.has(key) && (frames === undefined || frames.has(key))
  }
  for (const item of truths) checkBox(item, undefined)
  for (const item of detections) checkBox(item, item.score)
  const trueBoxes = truths.filter(counts)
  if (trueBoxes.length === 0) {
    throw new FourtierError({
      where: "detection truth",
      what: "no box of the listed classes in a frame that counts",
      found: `${truths.length} boxes in all`,
    })
  }
  const counted = detections.filter(counts)
  const videos = distinct([...trueBoxes, ...counted].map(({ videoId }) => videoId))
  const numberOf = new Map(videos.map((video, i) => [video, i]))
  const truthFrames = groupBy(trueBoxes, frameKey)
  const found = new Map(
    distinct(classes).map((id) => [id, { scores: [] as number[], right: [] as boolean[], video: [] as number[] }]),
  )
  for (const [frame, all] of groupBy(counted, frameKey)) {
    const kept = groupBy(
      officialOrder(all, capacity).filter(({ box }) => area(box) > 0),
      ({ classId }) => classId,
    )
    const boxes = groupBy(
      officialOrder((truthFrames.get(frame) ?? []).map((truth) => ({ ...truth, score: 1 }))),
      ({ classId }) => classId,
    )
    for (const [classId, ofClass] of kept) {
      const target = found.get(classId)
      const right = matchFrame(
        ofClass.map(({ box }) => box),
        (boxes.get(classId) ?? []).map(({ box }) => box),
        iou,
      )
      target?.scores.push(...ofClass.map(({ score }) => score))
      target?.video.push(...ofClass.map(({ videoId }) => numberOf.get(videoId) ?? -1))
      target?.right.push(...right)
    }
  }
  const ofClass = groupBy(trueBoxes, ({ classId }) => classId)
  const ranked = [...found].map(([classId, { scores, right, video }]): RankedClass => {
    const order = fallingOrder(scores)
    const perVideo = new Float64Array(videos.length)
    for (const { videoId } of ofClass.get(classId) ?? []) perVideo[numberOf.get(videoId) ?? -1]++
    return { classId, right: order.map((i) => right[i]), video: order.map((i) => video[i]), truths: perVideo }
  })
  return { videos, classes: ranked }
}

/** Indices by falling score; of equal scores the later first. */
function fallingOrder(scores: readonly number[]): number[] {
  return scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || b - a)
}

/**
 * Average precision of a class where each video counts `weights` times; null where that leaves no truth.
 * @param weights one for each video
 *
 * @example
 * ```ts
 * import { weightedAveragePrecision } from "@fourtier/core/metrics"
 *
 * const ranked = { classId: 12, right: [true, false, true], video: [0, 1, 1], truths: Float64Array.of(1, 1) }
 * weightedAveragePrecision(ranked, Float64Array.of(1, 1)) // 1/2 + 1/2 * 2/3
 * weightedAveragePrecision(ranked, Float64Array.of(1, 0)) // 1
 * ```
 */
export function weightedAveragePrecision({ right, video, truths }: RankedClass, weights: Float64Array): number | null {
  const total = truths.reduce((sum, count, i) => sum + count * weights[i], 0)
  if (total === 0) return null
  let hits = 0
  let seen = 0
  const precision = right.map((isRight, rank) => {
    const weight = weights[video[rank]]
    seen += weight
    if (isRight) hits += weight
    return seen === 0 ? 0 : hits / seen
  })
  let sum = 0
  let highest = 0
  for (let rank = right.length - 1; rank >= 0; rank--) {
    highest = Math.max(highest, precision[rank])
    if (right[rank]) sum += (highest * weights[video[rank]]) / total
  }
  return sum
}

/** Over the classes that have truth; NaN where none has. */
function meanOver(classes: readonly RankedClass[], weights: Float64Array): number {
  const known = classes.flatMap((ranked) => weightedAveragePrecision(ranked, weights) ?? [])
  return known.reduce((sum, value) => sum + value, 0) / known.length
}

/** What one trained model found; runs of several seeds are averaged. */
export interface DetectionRun {
  detections: readonly Detection[]
  seed?: number
}

/**
 * Mean average precision, and of each class, for `bootstrap` and `pairedBootstrap`: one observation for each video and run.
 * A class that a resample leaves without truth is not in its mean.
 * @param videos all tested videos; default: those with truth or a detection in any run
 * @throws FourtierError as `rankDetections` does
 *
 * @example
 * ```ts
 * import { bootstrap, type Detection, detectionStatistics } from "@fourtier/core/metrics"
 *
 * const truths = ["a", "b"].map((videoId) => ({ videoId, timestamp: 1, box: [0, 0, 1, 1] as const, classId: 3 }))
 * const detections: Detection[] = truths.map((truth) => ({ ...truth, score: 0.5 }))
 * const { observations, mean } = detectionStatistics(truths, [{ detections }], { classes: [3] })
 * bootstrap(observations, [mean]) // [{ value: 1, low: 1, high: 1 }]
 * ```
 */
export function detectionStatistics(
  truths: readonly FrameBox[],
  runs: readonly DetectionRun[],
  options: DetectionOptions,
  videos?: readonly string[],
): { observations: Observation[]; mean: Statistic; classes: Map<number, Statistic> } {
  const ranked = runs.map(({ detections }) => rankDetections(truths, detections, options))
  const all = videos ?? distinct(ranked.flatMap((run) => run.videos))
  const numberOf = new Map(all.map((video, i) => [video, i]))
  const observations = runs.flatMap(({ seed }) =>
    all.map((clipId) => ({ clipId, ...(seed === undefined ? {} : { seed }) })),
  )
  const overRuns =
    (figure: (classes: readonly RankedClass[], weights: Float64Array) => number | null): Statistic =>
    (weights) => {
      let sum = 0
      let total = 0
      for (const [r, run] of ranked.entries()) {
        const own = weights.subarray(r * all.length, (r + 1) * all.length)
        const share = own.reduce((a, b) => a + b, 0)
        if (share === 0) continue
        const value = figure(
          run.classes,
          Float64Array.from(run.videos, (video) => own[numberOf.get(video) ?? -1] ?? 0),
        )
        if (value === null || Number.isNaN(value)) continue
        sum += share * value
        total += share
      }
      return sum / total
    }
  const ofClass = (id: number) =>
    overRuns((classes, weights) => {
      const found = classes.find(({ classId }) => classId === id)
      return found ? weightedAveragePrecision(found, weights) : null
    })
  return {
    observations,
    mean: overRuns(meanOver),
    classes: new Map(distinct(options.classes).map((id) => [id, ofClass(id)])),
  }
}

/** @param score undefined for a true box, whose corners must be in order */
function checkBox(item: FrameBox, score: number | undefined): void {
  const [x1, y1, x2, y2] = item.box
  const ordered = score !== undefined || (x2 >= x1 && y2 >= y1)
  if (item.box.every(Number.isFinite) && ordered && !Number.isNaN(score)) return
  throw new FourtierError({
    where: `${score === undefined ? "true box" : "detection"} at ${frameKey(item)}`,
    what: "not a box",
    expected: "x1 <= x2, y1 <= y2 and a score",
    found: `${item.box.join(", ")}${score === undefined ? "" : `, score ${score}`}`,
  })
}

/**
 * Area under precision made non-increasing in recall.
 * @param total number of true boxes
 *
 * @example
 * ```ts
 * import { envelopeArea } from "@fourtier/core/metrics"
 *
 * envelopeArea([0.9, 0.8, 0.7], [true, false, true], 2) // 1/2 + 1/2 * 2/3
 * ```
 */
export function envelopeArea(scores: readonly number[], right: readonly boolean[], total: number): number {
  const order = fallingOrder(scores)
  const ranked = { classId: 0, right: order.map((i) => right[i]), video: order.map(() => 0) }
  return weightedAveragePrecision({ ...ranked, truths: Float64Array.of(total) }, Float64Array.of(1)) ?? 0
}
