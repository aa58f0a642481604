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
 */

import { FourtierError } from "@fourtier/tensor"
import { groupBy } from "../util/group.ts"

/** `[x1, y1, x2, y2]`, any unit (AVA: fractions of the frame). */
export type Box = readonly [number, number, number, number]

export interface FrameBox {
  videoId: string
  /** Seconds of the annotated key frame. */
  timestamp: number
  box: Box
  classId: number
}

export interface Detection extends FrameBox {
  score: number
}

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

export interface DetectionResult {
  meanAveragePrecision: number
  /** By class id; null without truth. */
  classes: Map<number, { averagePrecision: number | null; truths: number; detections: number }>
}

/**
 * Identity of a key frame: "videoId,902"; timestamps are told apart to a microsecond.
 *
 * @example
 * ```ts
 * import { frameKey } from "@fourtier/core/metrics"
 *
 * frameKey({ videoId: "5BDj0ow5hnA", timestamp: 902 }) // "5BDj0ow5hnA,902"
 * ```
 */
export function frameKey({ videoId, timestamp }: { videoId: string; timestamp: number }): string {
  return `${videoId},${Number(timestamp.toFixed(6))}`
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
  { classes, frames, excluded = new Set(), iou = 0.5, capacity = 50 }: DetectionOptions,
): DetectionResult {
  const listed = new Set(classes)
  const counts = (item: FrameBox) => {
    const key = frameKey(item)
    return listed.has(item.classId) && !excluded.has(key) && (frames === undefined || frames.has(key))
  }
  for (const item of truths) checkBox(item, undefined)
  for (const item of detections) checkBox(item, item.score)
  const truthFrames = groupBy(truths.filter(counts), frameKey)
  const detectionFrames = groupBy(detections.filter(counts), frameKey)

  const found = new Map(classes.map((id) => [id, { scores: [] as number[], right: [] as boolean[] }]))
  for (const [frame, all] of detectionFrames) {
    const kept = groupBy(
      best(all, capacity).filter(({ box }) => area(box) > 0),
      ({ classId }) => classId,
    )
    const boxes = groupBy(truthFrames.get(frame) ?? [], ({ classId }) => classId)
    for (const [classId, ofClass] of kept) {
      const target = found.get(classId)
      const right = matchFrame(
        ofClass.map(({ box }) => box),
        (boxes.get(classId) ?? []).map(({ box }) => box),
        iou,
      )
      target?.scores.push(...ofClass.map(({ score }) => score))
      target?.right.push(...right)
    }
  }

  const totals = groupBy([...truthFrames.values()].flat(), ({ classId }) => classId)
  const results = new Map(
    [...found].map(([id, { scores, right }]) => {
      const total = totals.get(id)?.length ?? 0
      const averagePrecision = total === 0 ? null : envelopeArea(scores, right, total)
      return [id, { averagePrecision, truths: total, detections: scores.length }] as const
    }),
  )
  const known = [...results.values()].flatMap(({ averagePrecision }) =>
    averagePrecision === null ? [] : [averagePrecision],
  )
  if (known.length === 0) {
    throw new FourtierError({
      where: "detection truth",
      what: "no box of the listed classes",
      found: `${truths.length} boxes in all`,
    })
  }
  return { meanAveragePrecision: known.reduce((sum, value) => sum + value, 0) / known.length, classes: results }
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

/** The `capacity` highest scores in falling order; equal scores by class id, then as given. */
function best(detections: readonly Detection[], capacity: number): Detection[] {
  return detections.toSorted((a, b) => b.score - a.score || b.classId - a.classId).slice(0, capacity)
}

/**
 * Whether each detection (in falling order of score) finds a true box that none before it found.
 *
 * @example
 * ```ts
 * import { matchFrame } from "@fourtier/core/metrics"
 *
 * const box = [0, 0, 1, 1] as const
 * matchFrame([box, box], [box], 0.5) // [true, false]: the second finds nothing new
 * ```
 */
export function matchFrame(detections: readonly Box[], truths: readonly Box[], threshold: number): boolean[] {
  const taken = new Set<number>()
  return detections.map((detection) => {
    const overlaps = truths.map((truth) => overlap(detection, truth))
    const nearest = overlaps.indexOf(Math.max(...overlaps))
    if (nearest < 0 || overlaps[nearest] < threshold || taken.has(nearest)) return false
    taken.add(nearest)
    return true
  })
}

/**
 * Intersection over union of two boxes.
 *
 * @example
 * ```ts
 * import { overlap } from "@fourtier/core/metrics"
 *
 * overlap([0, 0, 2, 1], [1, 0, 3, 1]) // 1/3
 * ```
 */
export function overlap(a: Box, b: Box): number {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]))
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]))
  const shared = width * height
  const union = area(a) + area(b) - shared
  return union > 0 ? shared / union : 0
}

function area([x1, y1, x2, y2]: Box): number {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1)
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
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a])
  let hits = 0
  const precision = order.map((i, rank) => {
    if (right[i]) hits++
    return hits / (rank + 1)
  })
  let area = 0
  let highest = 0
  for (let rank = order.length - 1; rank >= 0; rank--) {
    highest = Math.max(highest, precision[rank])
    if (right[order[rank]]) area += highest / total
  }
  return area
}

export interface AvaFile {
  boxes: Detection[]
  /** All frames that the file names, as `frameKey`. */
  frames: Set<string>
}

/**
 * Parses AVA's CSV: `video_id, timestamp, x1, y1, x2, y2, class_id[, score or person id]`, or `video_id, timestamp` for
 * a frame without boxes (or an excluded one). The score is 1 where there is none.
 *
 * @example
 * ```ts
 * import { parseAvaCsv } from "@fourtier/core/metrics"
 *
 * parseAvaCsv("5BDj0ow5hnA,0902,0.1,0.1,0.5,0.9,12,0.8\n", "detections.csv").boxes[0].score // 0.8
 * ```
 */
export function parseAvaCsv(text: string, where: string): AvaFile {
  const boxes: Detection[] = []
  const frames = new Set<string>()
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    const cells = line.split(",")
    const numbers = cells.slice(1).map((cell) => (cell.trim() === "" ? Number.NaN : Number(cell)))
    if (![2, 7, 8].includes(cells.length) || numbers.some(Number.isNaN)) {
      throw new FourtierError({
        where: `${where}:${i + 1}`,
        what: "not a row of an AVA file",
        expected: "video_id, timestamp[, x1, y1, x2, y2, class_id[, score]]",
        found: line.slice(0, 120),
      })
    }
    const [timestamp, x1, y1, x2, y2, classId, score = 1] = numbers
    const frame = { videoId: cells[0], timestamp }
    frames.add(frameKey(frame))
    if (cells.length > 2) boxes.push({ ...frame, box: [x1, y1, x2, y2], classId, score })
  }
  return { boxes, frames }
}
