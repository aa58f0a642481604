/** Pooling boxes of a map. */

import { apply, type Tensor } from "../../tensor.ts"
import type { RoiAttrs } from "../attributes.ts"

/**
 * RoIAlign (He et al. 2017, Mask R-CNN) with half-pixel places, torchvision's `aligned=True`: each box is cut into
 * `size` cells, a cell is the average of bilinear samples on a regular grid. Samples more than one place outside the map
 * are 0, so a box outside gives zeros; so does one of no area with `samples: 0`, and one with a NaN. With `samples: 0`
 * swapped corners give zeros, otherwise the cells in reversed order. Corners further than eight lengths outside
 * the map are moved there. The gradient reaches x alone.
 *
 * @param x maps [B,C,H,W]
 * @param boxes [R,4] x1, y1, x2, y2 in places of the map: 0 and W are its left and right edge
 * @param maps i64 [R], the map of each box
 * @returns [R,C,rows,columns]
 * @throws FourtierError where shapes or types do not fit
 *
 * @example
 * ```ts
 * import { constant, input, roiAlign } from "@fourtier/tensor"
 *
 * const boxes = constant(Float32Array.of(0, 0, 7, 14), [1, 4]) // the left half
 * const maps = constant(BigInt64Array.of(1n), [1], "i64") // of the second map
 * roiAlign(input("x", [2, 64, 14, 14]), boxes, maps).shape // [1, 64, 7, 7]
 * ```
 */
export function roiAlign(x: Tensor, boxes: Tensor, maps: Tensor, options: Partial<RoiAttrs> = {}): Tensor {
  return apply("roiAlign", [x, boxes, maps], { size: options.size ?? [7, 7], samples: options.samples ?? 0 })
}
