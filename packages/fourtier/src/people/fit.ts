/** How a picture is brought to the size that a detector takes, and how boxes find their way back. */

import { resize } from "@fourtier/core/frames"
import type { Box } from "@fourtier/core/metrics"
import type { Picture } from "../video/draw.ts"

/** Kinds of fitting. */
export const FITS = ["letterbox", "stretch", "free"] as const
/**
 * `letterbox`: the whole picture in the middle of the detector's, its shape kept; `stretch`: filling it; `free`: the detector takes any
 * size, and gets the picture as it is, made smaller where its long side is longer than the detector's.
 */
export type Fit = (typeof FITS)[number]

export interface FittedPicture extends Picture {
  /** Where the picture lies in it, pixels. */
  area: { x: number; y: number; width: number; height: number }
}

/**
 * A picture as a detector takes it. The bars of a letterbox are split evenly, the odd pixel after the picture.
 * @param fill 0 to 255, of the bars
 *
 * @example
 * ```ts
 * import { fitPicture } from "fourtier/people"
 *
 * const picture = { data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 }
 * fitPicture(picture, "letterbox", { width: 640, height: 640 }, 114).area // { x: 0, y: 80, width: 640, height: 480 }
 * ```
 */
export function fitPicture(
  picture: Picture,
  fit: Fit,
  to: { width: number; height: number },
  fill: number,
): FittedPicture {
  const size = fittedSize(picture, fit, to)
  const { data } = resize({ ...picture, count: 1 }, size.width, size.height)
  if (fit !== "letterbox" || (size.width === to.width && size.height === to.height)) {
    return { data, ...size, area: { x: 0, y: 0, ...size } }
  }
  const [x, y] = [(to.width - size.width) >> 1, (to.height - size.height) >> 1]
  const boxed = new Uint8Array(to.width * to.height * 3).fill(fill)
  const row = size.width * 3
  for (let line = 0; line < size.height; line++) {
    boxed.set(data.subarray(line * row, (line + 1) * row), ((y + line) * to.width + x) * 3)
  }
  return { data: boxed, ...to, area: { x, y, ...size } }
}

/**
 * The size to which a picture is scaled for a detector; decoding may do that already.
 *
 * @example
 * ```ts
 * import { fittedSize } from "fourtier/people"
 *
 * fittedSize({ width: 320, height: 240 }, "letterbox", { width: 640, height: 640 }) // { width: 640, height: 480 }
 * ```
 */
export function fittedSize(
  { width, height }: { width: number; height: number },
  fit: Fit,
  to: { width: number; height: number },
): { width: number; height: number } {
  if (fit === "stretch") return { width: to.width, height: to.height }
  const scale = Math.min(to.width / width, to.height / height)
  if (fit === "free" && scale >= 1) return { width, height }
  const side = (length: number, most: number) => Math.min(most, Math.max(1, Math.round(length * scale)))
  return { width: side(width, to.width), height: side(height, to.height) }
}

/**
 * A box in pixels of the fitted picture, as shares of the picture itself.
 *
 * @example
 * ```ts
 * import { fitPicture, unfitted } from "fourtier/people"
 *
 * const picture = { data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 }
 * unfitted([0, 80, 320, 560], fitPicture(picture, "letterbox", { width: 640, height: 640 }, 114)) // [0, 0, 0.5, 1]
 * ```
 */
export function unfitted([x1, y1, x2, y2]: Box, { area }: Pick<FittedPicture, "area">): Box {
  const across = (x: number) => (x - area.x) / area.width
  const down = (y: number) => (y - area.y) / area.height
  return [across(x1), down(y1), across(x2), down(y2)]
}
