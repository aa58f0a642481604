/** What somebody looks like, as far as it tells two people apart who stood close together: two colours. */

import type { Box } from "@fourtier/core/metrics"
import type { Picture } from "../video/draw.ts"

/** Middle of the upper and of the lower body, in shares of the box. */
const PARTS: readonly Box[] = [
  [0.25, 0.2, 0.75, 0.5],
  [0.25, 0.55, 0.75, 0.9],
]

/**
 * Mean colours of the upper and the lower body in a picture.
 * @param box shares of the picture
 * @returns red, green and blue of both, 0 to 255: [6]
 *
 * @example
 * ```ts
 * import { lookOf } from "fourtier/people"
 *
 * lookOf({ data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 }, [0.1, 0.2, 0.3, 0.9]) // [0, 0, 0, 0, 0, 0]
 * ```
 */
export function lookOf({ data, width, height }: Picture, [x1, y1, x2, y2]: Box): number[] {
  return PARTS.flatMap(([left, top, right, bottom]) => {
    const pixel = (share: number, size: number) => Math.min(size - 1, Math.max(0, Math.floor(share * size)))
    const [first, last] = [left, right].map((share) => pixel(x1 + share * (x2 - x1), width))
    const [upper, lower] = [top, bottom].map((share) => pixel(y1 + share * (y2 - y1), height))
    const sums = [0, 0, 0]
    for (let y = upper; y <= lower; y++) {
      for (let x = first; x <= last; x++) {
        for (const channel of sums.keys()) sums[channel] += data[(y * width + x) * 3 + channel]
      }
    }
    const count = (last - first + 1) * (lower - upper + 1)
    return sums.map((sum) => Math.round(sum / count))
  })
}

/** How different two looks are, 0 to 1. */
export function differenceOfLooks(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / (255 * a.length)
}
