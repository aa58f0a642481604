/** Shape rules of pooling boxes of a map. */

import { FourtierError } from "../../errors.ts"
import { shapeError, type TensorType } from "../../shape.ts"
import type { RegionOps, RoiAttrs } from "../attributes.ts"
import { checkCounts, commonDtype, FLOAT, type ShapeRules } from "./rule.ts"

/** Checks the boxes and the index of each one's map; returns how many there are. */
function checkBoxes(op: keyof RegionOps, boxes: TensorType, maps: TensorType, { size, samples }: RoiAttrs): number {
  const [count, corners] = boxes.shape
  if (boxes.shape.length !== 2 || corners !== 4 || maps.shape.length !== 1 || maps.shape[0] !== count) {
    throw shapeError(op, [boxes.shape, maps.shape], "boxes [R,4] and the map of each box [R]")
  }
  if (maps.dtype !== "i64") {
    throw new FourtierError({
      where: `tensor op ${op}`,
      what: "the maps of boxes are not integers",
      expected: "i64",
      found: maps.dtype,
    })
  }
  checkCounts(op, "rows and columns", size, 1)
  checkCounts(op, "samples", [samples], 0)
  return count
}

export const regions: ShapeRules<RegionOps> = {
  roiAlign: ([x, boxes, maps], attrs) => {
    const count = checkBoxes("roiAlign", boxes, maps, attrs)
    if (x.shape.length !== 4) throw shapeError("roiAlign", [x.shape], "x [B,C,H,W]")
    return { shape: [count, x.shape[1], ...attrs.size], dtype: commonDtype("roiAlign", [x, boxes], FLOAT) }
  },

  roiScatter: ([updates, boxes, maps], attrs) => {
    const count = checkBoxes("roiScatter", boxes, maps, attrs)
    const [rows, columns] = attrs.size
    const [boxCount, channels, ...cells] = updates.shape
    if (cells.length !== 2 || boxCount !== count || cells[0] !== rows || cells[1] !== columns) {
      throw shapeError("roiScatter", [updates.shape, boxes.shape], `updates [R,C,${rows},${columns}] and boxes [R,4]`)
    }
    checkCounts("roiScatter", "maps, height and width", attrs.shape, 1)
    const [B, H, W] = attrs.shape
    return { shape: [B, channels, H, W], dtype: commonDtype("roiScatter", [updates, boxes], FLOAT) }
  },
}
