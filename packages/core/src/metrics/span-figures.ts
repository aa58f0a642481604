/** How well the actions of long videos were found: every figure of spans, with intervals over the videos. */

import { type BootstrapOptions, bootstrap, type Interval } from "./intervals.ts"
import {
  ACTIVITYNET_OVERLAPS,
  type FrameLabels,
  falseAlarmsAnHour,
  labelFrames,
  type ScoredSpan,
  type Span,
  segmentalScores,
  spanPrecision,
} from "./spans.ts"

/** A video, what happens in it and what was found. */
export interface JudgedVideo {
  videoId: string
  /** Seconds. */
  duration: number
  truths: readonly Omit<Span, "videoId">[]
  found: readonly Omit<ScoredSpan, "videoId">[]
}

/** All but `falseAlarms` (an hour) and `delay` (seconds) are shares, 0 to 1. */
export interface SpanFigures {
  videos: number
  /** Hours of video, true spans and found ones. */
  hours: number
  truths: number
  found: number
  /** Mean average precision at tIoU 0.3, 0.5, 0.7, and over 0.5 to 0.95. */
  map30: Interval
  map50: Interval
  map70: Interval
  mapActivityNet: Interval
  /** Segmental F1 at an overlap of 10, 25 and 50 %. */
  f10: Interval
  f25: Interval
  f50: Interval
  edit: Interval
  /** Share of moments with the right label, none included. */
  accuracy: Interval
  falseAlarms: Interval
  /** Mean seconds from the start of a true span to that of the first found one of its label that touches it, 0 where that is earlier. */
  delay: Interval
}

/** Moments of a second at which labels are compared. */
const MOMENTS = 10

/**
 * Figures of spans, with 95 % intervals over the videos.
 * @throws FourtierError where no span is true, or a time is none
 *
 * @example
 * ```ts
 * import { spanFigures } from "@fourtier/core/metrics"
 *
 * const truth = { label: "jump", start: 2, end: 4 }
 * const video = { videoId: "a", duration: 60, truths: [truth], found: [{ ...truth, end: 3.5, score: 0.9 }] }
 * spanFigures([video]).map50.value // 1
 * ```
 */
export function spanFigures(videos: readonly JudgedVideo[], options: BootstrapOptions = {}): SpanFigures {
  const labels = videos.map(labelsOf)
  const sum = (of: (video: JudgedVideo) => number) => videos.reduce((total, video) => total + of(video), 0)
  // the statistics of a resample are asked for one after the other: all come from one pass
  let pass: { key: string; values: Record<Measured, number> } | null = null
  const valuesOf = (weights: Float64Array) => {
    const key = weights.join()
    if (pass?.key !== key) pass = { key, values: measure(videos, labels, repeated(weights)) }
    return pass.values
  }
  const statistics = MEASURED.map((name) => (weights: Float64Array) => valuesOf(weights)[name])
  const observations = videos.map(({ videoId }) => ({ clipId: videoId }))
  const intervals = bootstrap(observations, statistics, { resamples: 1000, ...options })
  const interval = (name: Measured) => intervals[MEASURED.indexOf(name)]
  return {
    videos: videos.length,
    hours: sum(({ duration }) => duration) / 3600,
    truths: sum(({ truths }) => truths.length),
    found: sum(({ found }) => found.length),
    map30: interval("map30"),
    map50: interval("map50"),
    map70: interval("map70"),
    mapActivityNet: interval("mapActivityNet"),
    f10: interval("f10"),
    f25: interval("f25"),
    f50: interval("f50"),
    edit: interval("edit"),
    accuracy: interval("accuracy"),
    falseAlarms: interval("falseAlarms"),
    delay: interval("delay"),
  }
}

const MEASURED = [
  ...(["map30", "map50", "map70", "mapActivityNet"] as const),
  ...(["f10", "f25", "f50", "edit", "accuracy", "falseAlarms", "delay"] as const),
] as const

type Measured = (typeof MEASURED)[number]

/** @param drawn numbers of videos, some more than once */
function measure(
  videos: readonly JudgedVideo[],
  labels: readonly FrameLabels[],
  drawn: readonly number[],
): Record<Measured, number> {
  const [map30, map50, map70, ...others] = precisions(videos, drawn, [0.3, 0.5, 0.7, ...ACTIVITYNET_OVERLAPS])
  const { f1, edit, accuracy } = segmentalScores(drawn.map((i) => labels[i]))
  return {
    ...{ map30, map50, map70, mapActivityNet: others.reduce((total, value) => total + value, 0) / others.length },
    ...{ f10: f1[0], f25: f1[1], f50: f1[2], edit, accuracy },
    falseAlarms: alarms(videos, drawn),
    delay: delayOf(drawn.map((i) => videos[i])),
  }
}

/** Numbers of the videos of a resample, each as often as it was drawn. */
function repeated(weights: Float64Array): number[] {
  return [...weights].flatMap((weight, i) => new Array<number>(weight).fill(i))
}

function labelsOf({ duration, truths, found }: JudgedVideo): FrameLabels {
  const times = Float64Array.from(
    { length: Math.max(1, Math.round(duration * MOMENTS)) },
    (_, i) => (i + 0.5) / MOMENTS,
  )
  return { truth: labelFrames(truths, times), found: labelFrames(found, times) }
}

/** Spans of drawn videos; a video that was drawn twice is two. */
function spansOf<T extends object>(
  drawn: readonly number[],
  of: (i: number) => readonly T[],
): (T & { videoId: string })[] {
  return drawn.flatMap((i, draw) => of(i).map((span) => ({ ...span, videoId: String(draw) })))
}

/** Mean average precision at each threshold; 0 where no span of the drawn videos is true. */
function precisions(videos: readonly JudgedVideo[], drawn: readonly number[], overlaps: readonly number[]): number[] {
  const truths = spansOf(drawn, (i) => videos[i].truths)
  if (truths.length === 0 && videos.some((video) => video.truths.length > 0)) return overlaps.map(() => 0)
  return spanPrecision(
    truths,
    spansOf(drawn, (i) => videos[i].found),
    overlaps,
  ).atOverlap
}

function alarms(videos: readonly JudgedVideo[], drawn: readonly number[]): number {
  const seconds = drawn.reduce((sum, i) => sum + videos[i].duration, 0)
  const truths = spansOf(drawn, (i) => videos[i].truths)
  return falseAlarmsAnHour(
    truths,
    spansOf(drawn, (i) => videos[i].found),
    seconds,
  )
}

/** NaN where no true span was found. */
function delayOf(videos: readonly JudgedVideo[]): number {
  const delays = videos.flatMap(({ truths, found }) =>
    truths.flatMap(({ label, start, end }) => {
      const hits = found.filter((span) => span.label === label && span.start < end && span.end > start)
      return hits.length > 0 ? [Math.max(0, Math.min(...hits.map((span) => span.start)) - start)] : []
    }),
  )
  return delays.reduce((sum, delay) => sum + delay, 0) / delays.length
}
