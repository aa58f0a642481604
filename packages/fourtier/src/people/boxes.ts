/** Boxes of people in a picture, and which of several about the same person stays. */

import { area, type Box, overlap } from "@fourtier/core/metrics"

/** Where a person is: corners in shares of the picture, within it. */
export interface PersonBox {
  box: Box
  /** How sure the detector is, 0 to 1. */
  score: number
  /** Mean colours of the upper and the lower body, 0 to 255: [6]. */
  look?: readonly number[]
}

/**
 * The part of a box that lies in the picture; null where there is none, or a corner is no number.
 *
 * @example
 * ```ts
 * import { withinPicture } from "fourtier/people"
 *
 * withinPicture([-0.2, 0.1, 0.3, 0.9]) // [0, 0.1, 0.3, 0.9]
 * ```
 */
export function withinPicture(box: Box): Box | null {
  if (!box.every(Number.isFinite)) return null
  const [x1, y1, x2, y2] = box.map((share) => Math.min(1, Math.max(0, share)))
  const inside: Box = [x1, y1, x2, y2]
  return area(inside) > 0 ? inside : null
}

/**
 * Non-maximum suppression: best score first, each box stays that overlaps none before it by more than `limit`.
 * @param limit largest intersection over union of two boxes that both stay
 *
 * @example
 * ```ts
 * import { suppress } from "fourtier/people"
 *
 * const boxes = [{ box: [0, 0, 1, 1] as const, score: 0.9 }, { box: [0, 0, 1, 0.9] as const, score: 0.8 }]
 * suppress(boxes, 0.6) // the first
 * ```
 */
export function suppress<B extends PersonBox>(boxes: readonly B[], limit: number): B[] {
  const kept: B[] = []
  for (const candidate of boxes.toSorted((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => overlap(box, candidate.box) <= limit)) kept.push(candidate)
  }
  return kept
}
