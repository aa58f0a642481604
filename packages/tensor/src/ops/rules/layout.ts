/** Gradients and ONNX forms of ops that move elements without changing them. */

import type { Tensor } from "../../tensor.ts"
import type { LayoutOps } from "../attributes.ts"
import { narrow, pad, reshape, slice, transpose } from "../functions.ts"
import type { OpRules } from "../rule.ts"
import { unbroadcast } from "./adjoint.ts"

export const layout: OpRules<LayoutOps> = {
  reshape: {
    grad: (dy, y) => [reshape(dy, y.inputs[0].shape)],
    onnx: (emit, [x], y) => emit.node("Reshape", [x, emit.ints(y.attrs.shape)], { allowzero: 1 }),
  },

  transpose: {
    grad: (dy, y) => {
      const inverse = new Array<number>(y.rank)
      for (const [to, from] of y.attrs.permutation.entries()) inverse[from] = to
      return [transpose(dy, inverse)]
    },
    onnx: (emit, [x], y) => emit.node("Transpose", [x], { perm: y.attrs.permutation }),
  },

  expand: {
    grad: (dy, y) => [unbroadcast(dy, y.inputs[0].shape)],
    onnx: (emit, [x], y) => emit.node("Expand", [x, emit.ints(y.attrs.shape)]),
  },

  slice: {
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
    grad: (dy, y) => {
      const { pads } = y.attrs
      const { shape } = y.inputs[0]
      const starts = pads.map(([before]) => before)
      const ends = starts.map((start, axis) => start + shape[axis])
      return [slice(dy, starts, ends)]
    },
    onnx: (emit, [x], y) => {
      const { pads, value } = y.attrs
      const counts = [...pads.map(([before]) => before), ...pads.map(([, after]) => after)]
      return emit.node("Pad", value === 0 ? [x, emit.ints(counts)] : [x, emit.ints(counts), emit.floats([value], [])])
    },
  },

  concat: {
    grad: (dy, y) => {
      const { axis } = y.attrs
      let offset = 0
      return y.inputs.map((x) => {
        const start = offset
        offset += x.shape[axis]
        return narrow(dy, axis, start, offset)
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
    result = narrow(joined, axis, 0, Math.max(0, joined.shape[axis] - step + 1))
  }
  return result
}
