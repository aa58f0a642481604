/** Boxes of a frame: what they are, how much two of them overlap, which detection finds which. */

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

/**
 * Width times height; 0 where corners are swapped.
 *
 * @example
 * ```ts
 * import { area } from "@fourtier/core/metrics"
 *
 * area([0, 0, 2, 3]) // 6
 * ```
 */
export function area([x1, y1, x2, y2]: Box): number {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1)
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
