/** Boxes of people on pictures and on what a network sees of them. */

import { FourtierError } from "@fourtier/tensor"
import type { Step } from "../schemas/transform.ts"

/** Left, top, right and bottom, as shares of a picture: 0 and 1 are its edges. */
export type Corners = readonly [x1: number, y1: number, x2: number, y2: number]

/**
 * The part of a box that lies in the picture.
 * @param where names the box, for errors
 * @throws FourtierError for a box with a NaN, swapped corners, no area, or wholly outside the picture
 *
 * @example
 * ```ts
 * import { heldBox } from "@fourtier/core/frames"
 *
 * heldBox([-0.1, 0.2, 0.5, 1.3], "box 1") // [0, 0.2, 0.5, 1]
 * ```
 */
export function heldBox([x1, y1, x2, y2]: Corners, where: string): Corners {
  const held: Corners = [Math.max(0, x1), Math.max(0, y1), Math.min(1, x2), Math.min(1, y2)]
  if (held[0] < held[2] && held[1] < held[3]) return held
  throw new FourtierError({
    where,
    what: "a box that holds nothing of the picture",
    expected: "x1 < x2 and y1 < y2 in shares of the picture, part of it between 0 and 1",
    found: [x1, y1, x2, y2].join(", "),
    fix: "leave such boxes out; swap corners that are swapped",
  })
}

/**
 * What a letterbox fills, in pixels.
 *
 * @example
 * ```ts
 * import { frameOf } from "@fourtier/core/frames"
 *
 * frameOf({ size: 256, height: 192 }) // { width: 256, height: 192 }
 * ```
 */
export function frameOf({ size, height = size }: { size: number; height?: number }): { width: number; height: number } {
  return { width: size, height }
}

/**
 * A box on the frame that `letterbox` makes of a picture: the picture is as large as it may be, in the middle. Parts outside the picture
 * are cut off.
 * @param box shares of the picture
 * @param frame its sides, or what is in proportion to them; default: a square
 *
 * @example
 * ```ts
 * import { letterboxed } from "@fourtier/core/frames"
 *
 * letterboxed([0, 0, 0.5, 1], { width: 320, height: 240 }) // [0, 0.125, 0.5, 0.875]
 * ```
 */
export function letterboxed(
  [x1, y1, x2, y2]: Corners,
  { width, height }: { width: number; height: number },
  frame = { width: 1, height: 1 },
): Corners {
  const [wide, tall] = [width * frame.height, height * frame.width]
  const [across, down] = [Math.min(1, wide / tall), Math.min(1, tall / wide)]
  const x = (share: number) => 0.5 + (share - 0.5) * across
  const y = (share: number) => 0.5 + (share - 0.5) * down
  // outside the picture there is nothing but the letterbox's bars
  const held = (share: number) => Math.min(1, Math.max(0, share))
  return [x(held(x1)), y(held(y1)), x(held(x2)), y(held(y2))]
}

/**
 * A box on the view that a transform makes of a picture.
 * @param box shares of the picture
 * @throws FourtierError where the steps cut, mirror or draw at random: then there is no one place
 *
 * @example
 * ```ts
 * import { boxOnView } from "@fourtier/core/frames"
 *
 * const wide = { width: 320, height: 240 }
 * boxOnView([0, 0, 0.5, 1], wide, [{ step: "letterbox", size: 192, fill: [0, 0, 0] }]) // [0, 0.125, 0.5, 0.875]
 * ```
 */
export function boxOnView(box: Corners, size: { width: number; height: number }, steps: readonly Step[]): Corners {
  const [first, ...others] = steps
  if (first?.step === "letterbox" && others.length === 0) return letterboxed(box, size, frameOf(first))
  throw new FourtierError({
    where: "steps",
    what: "views on which a box has no one place",
    expected: "one letterbox",
    found: steps.map(({ step }) => step).join(", ") || "none",
  })
}
