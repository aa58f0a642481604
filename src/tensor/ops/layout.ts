/** Ops that move elements without changing them. */

import { FourtierError } from "../../util/errors.ts"
import { broadcastShapes, normalizeAxis, sameShape, shapeError, showShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { checkCounts, commonDtype, FLOAT } from "./check.ts"
import { pad, reshape, slice, transpose, unbroadcast } from "./functions.ts"
import type { OpRule } from "./rule.ts"

type LayoutName = "reshape" | "transpose" | "expand" | "slice" | "pad" | "concat"

/** Number of elements that a slice takes from one axis. */
export function sliceLength(start: number, end: number, step: number): number {
  return Math.max(0, Math.ceil((end - start) / step))
}

export const layout: { [K in LayoutName]: OpRule<K> } = {
  reshape: {
    infer: ([x], { shape }) => {
      checkCounts("reshape", "lengths", shape, 0)
      if (sizeOf(shape) !== x.size) {
        throw shapeError("reshape", [x.shape, shape], "as many elements after as before")
      }
      return { shape, dtype: x.dtype }
    },
    grad: (dy, y) => [reshape(dy, y.inputs[0].shape)],
    onnx: (emit, [x], y) => emit.node("Reshape", [x, emit.ints(y.attrs.shape)], { allowzero: 1 }),
  },

  transpose: {
    infer: ([x], { permutation }) => {
      if (
        !sameShape(
          [...permutation].sort((a, b) => a - b),
          [...x.shape.keys()],
        )
      ) {
        throw new FourtierError({
          where: "tensor op transpose",
          what: "not a permutation of the axes",
          expected: `each of 0..${x.rank - 1} once`,
          found: showShape(permutation),
        })
      }
      return { shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype }
    },
    grad: (dy, y) => {
      const inverse = new Array<number>(y.rank)
      for (const [to, from] of y.attrs.permutation.entries()) inverse[from] = to
      return [transpose(dy, inverse)]
    },
    onnx: (emit, [x], y) => emit.node("Transpose", [x], { perm: y.attrs.permutation }),
  },

  expand: {
    infer: ([x], { shape }) => {
      if (!sameShape(broadcastShapes("expand", x.shape, shape), shape)) {
        throw shapeError("expand", [x.shape, shape], "a shape that the first broadcasts to")
      }
      return { shape, dtype: x.dtype }
    },
    grad: (dy, y) => [unbroadcast(dy, y.inputs[0].shape)],
    onnx: (emit, [x], y) => emit.node("Expand", [x, emit.ints(y.attrs.shape)]),
  },

  slice: {
    infer: ([x], { starts, ends, steps }) => {
      if (starts.length !== x.rank || ends.length !== x.rank || steps.length !== x.rank) {
        throw shapeError("slice", [x.shape, starts, ends, steps], "a start, end and step for every axis")
      }
      checkCounts("slice", "starts and ends", [...starts, ...ends], 0)
      const inside = starts.every((start, axis) => start >= 0 && ends[axis] >= start && ends[axis] <= x.shape[axis])
      if (!inside || steps.some((step) => step < 1)) {
        throw shapeError("slice", [x.shape, starts, ends], "0 <= start <= end <= length and step >= 1 on every axis")
      }
      return { shape: starts.map((start, axis) => sliceLength(start, ends[axis], steps[axis])), dtype: x.dtype }
    },
    grad: (dy, y) => {
      const { starts, steps } = y.attrs
      const from = y.inputs[0].shape
      const spread = steps.every((step) => step === 1) ? dy : dilate(dy, steps)
      const pads = from.map((length, axis): [number, number] => [
        starts[axis],
        length - starts[axis] - spread.shape[axis],
      ])
      return [pad(spread, pads)]
    },
    onnx: (emit, [x], y) => {
      const { starts, ends, steps } = y.attrs
      const from = y.inputs[0].shape
      const axes = [...from.keys()].filter((a) => starts[a] !== 0 || ends[a] !== from[a] || steps[a] !== 1)
      if (axes.length === 0) return emit.node("Identity", [x])
      const pick = (values: readonly number[]) => emit.ints(axes.map((axis) => values[axis]))
      return emit.node("Slice", [x, pick(starts), pick(ends), emit.ints(axes), pick(steps)])
    },
  },

  pad: {
    infer: ([x], { pads, value }) => {
      if (value !== 0) commonDtype("pad", [x], FLOAT)
      if (pads.length !== x.rank || pads.flat().some((count) => count < 0)) {
        throw shapeError("pad", [x.shape], `${x.rank} pairs [before, after] of counts from 0`)
      }
      return { shape: x.shape.map((length, axis) => length + pads[axis][0] + pads[axis][1]), dtype: x.dtype }
    },
    grad: (dy, y) => {
      const { pads } = y.attrs
      const { shape } = y.inputs[0]
      return [
        slice(
          dy,
          pads.map(([before]) => before),
          pads.map(([before], axis) => before + shape[axis]),
        ),
      ]
    },
    onnx: (emit, [x], y) => {
      const { pads, value } = y.attrs
      const counts = [...pads.map(([before]) => before), ...pads.map(([, after]) => after)]
      return emit.node("Pad", value === 0 ? [x, emit.ints(counts)] : [x, emit.ints(counts), emit.floats([value], [])])
    },
  },

  concat: {
    infer: (inputs, { axis }) => {
      const [first, ...rest] = inputs
      if (first === undefined) throw shapeError("concat", [], "at least one tensor")
      const at = normalizeAxis("concat", axis, first.rank)
      const fits = (t: Tensor) =>
        t.rank === first.rank &&
        t.dtype === first.dtype &&
        t.shape.every((length, a) => a === at || length === first.shape[a])
      if (!rest.every(fits)) {
        throw shapeError(
          "concat",
          inputs.map((t) => t.shape),
          `equal dtypes, and lengths but on axis ${at}`,
        )
      }
      const length = inputs.reduce((sum, t) => sum + t.shape[at], 0)
      return { shape: first.shape.map((l, a) => (a === at ? length : l)), dtype: first.dtype }
    },
    grad: (dy, y) => {
      const { axis } = y.attrs
      let offset = 0
      return y.inputs.map((x) => {
        const starts = dy.shape.map((_, a) => (a === axis ? offset : 0))
        const ends = dy.shape.map((length, a) => (a === axis ? offset + x.shape[axis] : length))
        offset += x.shape[axis]
        return slice(dy, starts, ends)
      })
    },
    onnx: (emit, inputs, y) => emit.node("Concat", inputs, { axis: y.attrs.axis }),
  },
}

/** Puts `step - 1` zeros between neighbours on every axis. */
function dilate(x: Tensor, steps: readonly number[]): Tensor {
  let result = x
  for (const [axis, step] of steps.entries()) {
    if (step === 1) continue
    // [.., n, ..] -> [.., n, 1, ..] -> [.., n, step, ..] -> [.., n·step, ..] -> without the last zeros
    const { shape } = result
    const open = reshape(result, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)])
    const wide = pad(
      open,
      open.shape.map((_, a) => (a === axis + 1 ? [0, step - 1] : [0, 0])),
    )
    const joined = reshape(wide, [...shape.slice(0, axis), shape[axis] * step, ...shape.slice(axis + 1)])
    const ends = joined.shape.map((length, a) => (a === axis ? Math.max(0, length - step + 1) : length))
    result = slice(
      joined,
      ends.map(() => 0),
      ends,
    )
  }
  return result
}
