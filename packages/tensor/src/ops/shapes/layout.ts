/** Shape rules of ops that move elements without changing them. */

import { FourtierError } from "../../errors.ts"
import {
  broadcastShapes,
  normalizeAxis,
  sameShape,
  shapeError,
  showShape,
  sizeOf,
  type TensorType,
} from "../../shape.ts"
import type { LayoutOps } from "../attributes.ts"
import { checkCounts, commonDtype, FLOAT, type ShapeRules } from "./rule.ts"

export const layout: ShapeRules<LayoutOps> = {
  reshape: ([x], { shape }) => {
    checkCounts("reshape", "lengths", shape, 0)
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw shapeError("reshape", [x.shape, shape], "as many elements after as before")
    }
    return { shape, dtype: x.dtype }
  },

  transpose: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b)
    if (!sameShape(sorted, [...x.shape.keys()])) {
      throw new FourtierError({
        where: "tensor op transpose",
        what: "not a permutation of the axes",
        expected: `each of 0..${x.shape.length - 1} once`,
        found: showShape(permutation),
      })
    }
    return { shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype }
  },

  expand: ([x], { shape }) => {
    if (!sameShape(broadcastShapes("expand", x.shape, shape), shape)) {
      throw shapeError("expand", [x.shape, shape], "a shape that the first broadcasts to")
    }
    return { shape, dtype: x.dtype }
  },

  slice: ([x], { starts, ends, steps }) => {
    const rank = x.shape.length
    if (starts.length !== rank || ends.length !== rank || steps.length !== rank) {
      throw shapeError("slice", [x.shape, starts, ends, steps], "a start, end and step for every axis")
    }
    checkCounts("slice", "starts and ends", [...starts, ...ends], 0)
    const inside = starts.every((start, axis) => start >= 0 && ends[axis] >= start && ends[axis] <= x.shape[axis])
    if (!inside || steps.some((step) => step < 1)) {
      throw shapeError("slice", [x.shape, starts, ends], "0 <= start <= end <= length and step >= 1 on every axis")
    }
    const shape = starts.map((start, axis) => Math.max(0, Math.ceil((ends[axis] - start) / steps[axis])))
    return { shape, dtype: x.dtype }
  },

  pad: ([x], { pads, value }) => {
    if (value !== 0) commonDtype("pad", [x], FLOAT)
    const rank = x.shape.length
    if (pads.length !== rank || pads.flat().some((count) => count < 0)) {
      throw shapeError("pad", [x.shape], `${rank} pairs [before, after] of counts from 0`)
    }
    return { shape: x.shape.map((length, axis) => length + pads[axis][0] + pads[axis][1]), dtype: x.dtype }
  },

  concat: (inputs, { axis }) => {
    const [first, ...rest] = inputs
    if (first === undefined) throw shapeError("concat", [], "at least one tensor")
    const at = normalizeAxis("concat", axis, first.shape.length)
    const fits = ({ shape, dtype }: TensorType) =>
      shape.length === first.shape.length &&
      dtype === first.dtype &&
      shape.every((length, a) => a === at || length === first.shape[a])
    if (!rest.every(fits)) {
      const shapes = inputs.map(({ shape }) => shape)
      throw shapeError("concat", shapes, `equal dtypes, and equal lengths on all axes but ${at}`)
    }
    const length = inputs.reduce((sum, { shape }) => sum + shape[at], 0)
    return { shape: first.shape.map((l, a) => (a === at ? length : l)), dtype: first.dtype }
  },
}
