/**
 * Figures of actions found in long video: spans of time with a label.
 *
 * - mean average precision at thresholds of temporal IoU, by the rules of ActivityNet's evaluation, which THUMOS is scored by as well:
 *   a span is right where it overlaps a true span of its class enough that no surer one has taken; precision is interpolated.
 * - segmental F1, edit score and frame accuracy of action segmentation (Lea et al. 2017): of labels frame by frame.
 * - false alarms an hour.
 */

import { FourtierError } from "@fourtier/tensor"
import { groupBy } from "../util/group.ts"

/** A stretch of a video, in seconds. */
export interface Span {
  videoId: string
  label: string
  start: number
  end: number
}

export interface ScoredSpan extends Span {
  /** Higher is surer. */
  score: number
}

/** Thresholds of temporal IoU that ActivityNet is scored at: 0.5 to 0.95. */
export const ACTIVITYNET_OVERLAPS: readonly number[] = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i)

/** Thresholds of temporal IoU that THUMOS'14 is scored at: 0.3 to 0.7. */
export const THUMOS_OVERLAPS: readonly number[] = [0.3, 0.4, 0.5, 0.6, 0.7]

export interface SpanPrecision {
  /** Over classes and thresholds. */
  mean: number
  /** Mean over the classes at each threshold. */
  atOverlap: number[]
  /** Average precision of each class that has a true span, at each threshold. */
  classes: Map<string, number[]>
}

/**
 * Mean average precision of spans, by ActivityNet's rules. Classes without a true span do not count; of equal scores the later one
 * comes first, as in the official program where its sort is stable.
 * @throws FourtierError where no span is true, or a time or score is not a number
 *
 * @example
 * ```ts
 * import { spanPrecision, THUMOS_OVERLAPS } from "@fourtier/core/metrics"
 *
 * const truth = { videoId: "a", label: "jump", start: 2, end: 4 }
 * spanPrecision([truth], [{ ...truth, end: 3.5, score: 0.9 }], THUMOS_OVERLAPS).mean // 1
 * ```
 */
export function spanPrecision(
  truths: readonly Span[],
  found: readonly ScoredSpan[],
  overlaps: readonly number[] = ACTIVITYNET_OVERLAPS,
): SpanPrecision {
  if (truths.length === 0)
    throw new FourtierError({ where: "spans", what: "no span is true", expected: "one at least" })
  for (const span of [...truths, ...found]) checkSpan(span)
  const byLabel = groupBy(found, ({ label }) => label)
  const classes = new Map(
    [...groupBy(truths, ({ label }) => label)].map(([label, own]) => {
      return [label, classPrecision(own, byLabel.get(label) ?? [], overlaps)] as const
    }),
  )
  const atOverlap = overlaps.map((_, o) => mean([...classes.values()].map((one) => one[o])))
  return { mean: mean(atOverlap), atOverlap, classes }
}

function checkSpan(span: Span | ScoredSpan): void {
  const { videoId, label, start, end } = span
  const score = "score" in span ? span.score : 0
  if (Number.isFinite(start) && Number.isFinite(end) && end > start && !Number.isNaN(score)) return
  throw new FourtierError({
    where: `span of ${label} in ${videoId}`,
    what: "cannot be scored",
    expected: "an end after its start, and a score",
    found: `${start} to ${end} s, score ${score}`,
  })
}

/** Average precision at each threshold. */
function classPrecision(truths: readonly Span[], found: readonly ScoredSpan[], overlaps: readonly number[]): number[] {
  const videos = groupBy(truths.keys(), (i) => truths[i].videoId)
  const taken = overlaps.map(() => new Set<number>())
  const right = overlaps.map((): boolean[] => [])
  const order = found.map((_, i) => i).sort((a, b) => found[b].score - found[a].score || b - a)
  for (const i of order) {
    const near = (videos.get(found[i].videoId) ?? []).map((truth) => ({ truth, iou: overlap(found[i], truths[truth]) }))
    near.sort((a, b) => b.iou - a.iou || b.truth - a.truth)
    for (const [o, least] of overlaps.entries()) {
      const match = near.find(({ truth, iou }) => iou >= least && !taken[o].has(truth))
      if (match) taken[o].add(match.truth)
      right[o].push(match !== undefined)
    }
  }
  return right.map((hits) => interpolatedPrecision(hits, truths.length))
}

/** Temporal intersection over union. */
function overlap(a: Span, b: Span): number {
  const shared = Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start))
  return shared / (b.end - b.start + (a.end - a.start) - shared)
}

/** Area under the precision–recall curve whose precision never rises with recall (PASCAL VOC 2010). */
function interpolatedPrecision(hits: readonly boolean[], positives: number): number {
  let count = 0
  const precision = hits.map((hit, i) => {
    count += Number(hit)
    return count / (i + 1)
  })
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i], precision[i + 1])
  return hits.reduce((area, hit, i) => area + (hit ? precision[i] / positives : 0), 0)
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Labels of a video's frames: what was found, and what is true. */
export interface FrameLabels {
  found: readonly string[]
  truth: readonly string[]
}

export interface SegmentalScores {
  /** Share of frames, background included. */
  accuracy: number
  /** Mean over videos of 1 less the edit distance of the orders of segments, over the longer one's length. */
  edit: number
  /** At each threshold of overlap, over the segments of all videos. */
  f1: number[]
}

/**
 * Scores of action segmentation: frame accuracy, edit score and segmental F1, 0 to 1.
 * @param background labels that are no action: they make no segments
 * @throws FourtierError where a video has no frames, or not as many labels found as true
 *
 * @example
 * ```ts
 * import { segmentalScores } from "@fourtier/core/metrics"
 *
 * const truth = ["background", "jump", "jump", "wave"]
 * segmentalScores([{ truth, found: ["background", "jump", "wave", "wave"] }]) // { accuracy: 0.75, edit: 1, f1: [1, 1, 1] }
 * ```
 */
export function segmentalScores(
  videos: readonly FrameLabels[],
  overlaps: readonly number[] = [0.1, 0.25, 0.5],
  background: readonly string[] = ["background"],
): SegmentalScores {
  const none = new Set(background)
  let [frames, right, edit] = [0, 0, 0]
  const counts = overlaps.map(() => ({ right: 0, wrong: 0, missed: 0 }))
  for (const [video, { found, truth }] of videos.entries()) {
    if (found.length !== truth.length || truth.length === 0) {
      throw new FourtierError({
        where: `video ${video}`,
        what: "not as many labels found as true",
        expected: `${truth.length || "one or more"}`,
        found: `${found.length}`,
      })
    }
    frames += truth.length
    right += truth.filter((label, i) => label === found[i]).length
    const [own, wanted] = [segmentsOf(found, none), segmentsOf(truth, none)]
    edit += editScore(
      own.map(({ label }) => label),
      wanted.map(({ label }) => label),
    )
    for (const [o, least] of overlaps.entries()) countSegments(own, wanted, least, counts[o])
  }
  const f1 = counts.map(({ right: hits, wrong, missed }) => (hits === 0 ? 0 : (2 * hits) / (2 * hits + wrong + missed)))
  return { accuracy: right / frames, edit: edit / videos.length, f1 }
}

interface Segment {
  label: string
  start: number
  end: number
}

function segmentsOf(labels: readonly string[], none: ReadonlySet<string>): Segment[] {
  const segments: Segment[] = []
  for (let start = 0; start < labels.length; ) {
    let end = start + 1
    while (end < labels.length && labels[end] === labels[start]) end++
    if (!none.has(labels[start])) segments.push({ label: labels[start], start, end })
    start = end
  }
  return segments
}

/** 1 less the Levenshtein distance over the longer length. */
function editScore(found: readonly string[], truth: readonly string[]): number {
  const longer = Math.max(found.length, truth.length)
  if (longer === 0) return 1
  let row = Array.from({ length: truth.length + 1 }, (_, j) => j)
  for (const [i, label] of found.entries()) {
    const next = [i + 1]
    for (const [j, wanted] of truth.entries()) {
      next.push(label === wanted ? row[j] : 1 + Math.min(row[j], row[j + 1], next[j]))
    }
    row = next
  }
  return 1 - row[truth.length] / longer
}

/** A segment is right where the true one of its class that it overlaps most, over their joint extent, is not taken by an earlier one. */
function countSegments(
  found: readonly Segment[],
  truth: readonly Segment[],
  least: number,
  counts: { right: number; wrong: number; missed: number },
): void {
  const taken = new Set<number>()
  for (const { label, start, end } of found) {
    const overlaps = truth.map((one) => {
      if (one.label !== label) return 0
      return (
        (Math.min(end, one.end) - Math.max(start, one.start)) / (Math.max(end, one.end) - Math.min(start, one.start))
      )
    })
    const best = overlaps.indexOf(Math.max(...overlaps))
    if (best >= 0 && overlaps[best] >= least && !taken.has(best)) {
      taken.add(best)
      counts.right++
    } else counts.wrong++
  }
  counts.missed += truth.length - taken.size
}

/**
 * Spans found an hour that touch no true span of their label.
 * @param seconds of video looked through
 *
 * @example
 * ```ts
 * import { falseAlarmsAnHour } from "@fourtier/core/metrics"
 *
 * falseAlarmsAnHour([], [{ videoId: "a", label: "jump", start: 2, end: 4 }], 1800) // 2
 * ```
 */
export function falseAlarmsAnHour(truths: readonly Span[], found: readonly Span[], seconds: number): number {
  const byVideo = groupBy(truths, ({ videoId }) => videoId)
  const alarms = found.filter((span) => {
    const own = (byVideo.get(span.videoId) ?? []).filter(({ label }) => label === span.label)
    return !own.some((truth) => overlap(span, truth) > 0)
  })
  return (alarms.length * 3600) / seconds
}

/**
 * Spans of a video as labels of its frames; where several hold a frame, the last one's.
 *
 * @example
 * ```ts
 * import { labelFrames } from "@fourtier/core/metrics"
 *
 * labelFrames([{ label: "jump", start: 0.5, end: 1 }], [0, 0.5, 1]) // ["background", "jump", "background"]
 * ```
 */
export function labelFrames(
  spans: readonly Pick<Span, "label" | "start" | "end">[],
  times: ArrayLike<number>,
  background = "background",
): string[] {
  return Array.from(
    times,
    (time) => spans.findLast(({ start, end }) => time >= start && time < end)?.label ?? background,
  )
}
