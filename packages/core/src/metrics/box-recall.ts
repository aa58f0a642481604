/** How many true boxes a person detector finds, whatever the people do: the limit of any figure with detected boxes. */

import { distinct, groupBy } from "../util/group.ts"
import { type Box, frameKey, overlap } from "./boxes.ts"
import type { Observation, Statistic } from "./intervals.ts"

/** A box of a frame, whatever is done in it. */
export interface PlainBox {
  videoId: string
  /** Seconds. */
  timestamp: number
  box: Box
  /** Of the detector; decides which of two boxes may take the one true box that both overlap. */
  score?: number
}

export interface BoxRecall {
  recall: number
  /** Different true boxes, and how many were found. */
  truths: number
  found: number
  /** Detected boxes of frames with truth, per true box: how much the recall costs. */
  boxesPerTruth: number
  /** One observation per video, and the recall as a statistic of them, for `bootstrap`. */
  observations: Observation[]
  statistic: Statistic
}

/**
 * Share of true boxes that a detected box overlaps at `iou` or more. One detected box finds one true box: best score
 * first, each takes the free true box that it overlaps most. Boxes that a file repeats for each class count once.
 *
 * @example
 * ```ts
 * import { boxRecall } from "@fourtier/core/metrics"
 *
 * const at = { videoId: "a", timestamp: 902 }
 * const truths = [{ ...at, box: [0, 0, 0.5, 1] as const }, { ...at, box: [0.5, 0, 1, 1] as const }]
 * boxRecall(truths, [{ ...at, box: [0, 0, 0.5, 0.9], score: 0.8 }]).recall // 0.5
 * ```
 */
export function boxRecall(truths: readonly PlainBox[], boxes: readonly PlainBox[], iou = 0.5): BoxRecall {
  const found = new Map<string, { truths: number; found: number }>()
  const detected = groupBy(boxes, frameKey)
  let seen = 0
  for (const [frame, ofFrame] of groupBy(truths, frameKey)) {
    const open = [...groupBy(ofFrame, ({ box }) => box.join()).values()].map(([{ box }]) => box)
    const { videoId } = ofFrame[0]
    const count = found.get(videoId) ?? { truths: 0, found: 0 }
    const candidates = (detected.get(frame) ?? []).toSorted((a, b) => (b.score ?? 1) - (a.score ?? 1))
    found.set(videoId, { truths: count.truths + open.length, found: count.found + taken(candidates, open, iou) })
    seen += candidates.length
  }
  const videos = distinct(found.keys())
  const counts = videos.map((video) => found.get(video) ?? { truths: 0, found: 0 })
  const sum = (of: (count: { truths: number; found: number }) => number, weights: Float64Array) =>
    counts.reduce((total, count, i) => total + of(count) * weights[i], 0)
  const statistic: Statistic = (weights) => sum((count) => count.found, weights) / sum((count) => count.truths, weights)
  const ones = new Float64Array(videos.length).fill(1)
  const total = sum((count) => count.truths, ones)
  return {
    recall: statistic(ones),
    truths: total,
    found: sum((count) => count.found, ones),
    boxesPerTruth: seen / total,
    observations: videos.map((clipId) => ({ clipId })),
    statistic,
  }
}

/** How many of `open` are found; those are removed from it. */
function taken(candidates: readonly PlainBox[], open: Box[], iou: number): number {
  const before = open.length
  for (const { box } of candidates) {
    const overlaps = open.map((truth) => overlap(box, truth))
    const most = Math.max(...overlaps)
    if (open.length > 0 && most >= iou) open.splice(overlaps.indexOf(most), 1)
  }
  return before - open.length
}
