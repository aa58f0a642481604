/**
 * Convolution, pooling and resizing on channel-first maps, for frozen encoders: forward only, except for resizing, which is
 * linear in its input. Trainable convolutions are built from matrix products (`nn/conv.ts`).
 */

import { constant } from "../../tensor.ts"
import type { ConvolutionOps, Pads } from "../attributes.ts"
import { matmul, moveAxis } from "../functions.ts"
import { CUBIC_COEFFICIENT, interpolationMatrix } from "../interpolation.ts"
import type { OpRules } from "../rule.ts"

/** ONNX's order: what comes before each axis, then what comes after each. */
const flatPads = (pads: Pads) => [...pads.map(([before]) => before), ...pads.map(([, after]) => after)]

export const convolution: OpRules<ConvolutionOps> = {
  conv: {
    grad: "conv is for frozen encoders; train convolutions with nn/conv.ts, whose gradients are matrix products",
    onnx: (emit, inputs, y) => {
      const { strides, pads, dilations, groups } = y.attrs
      return emit.node("Conv", inputs, { strides, pads: flatPads(pads), dilations, group: groups })
    },
  },

  pool: {
    grad: "pool is for frozen encoders; average with mean() over reshaped axes where a gradient is needed",
    onnx: (emit, inputs, y) => {
      const { kind, kernel, strides, pads, countPad } = y.attrs
      const attrs = { kernel_shape: kernel, strides, pads: flatPads(pads) }
      return kind === "max"
        ? emit.node("MaxPool", inputs, attrs)
        : emit.node("AveragePool", inputs, { ...attrs, count_include_pad: countPad ? 1 : 0 })
    },
  },

  resize: {
    // transpose of the interpolation, one axis after the other
    grad: (dy, y) => {
      const from = y.inputs[0].shape
      const first = y.rank - y.attrs.size.length
      let gradient = dy
      for (let axis = first; axis < y.rank; axis++) {
        const [before, after] = [from[axis], y.shape[axis]]
        if (before === after) continue
        const weights = constant(interpolationMatrix(before, after, y.attrs), [after, before])
        gradient = moveAxis(matmul(moveAxis(gradient, axis, -1), weights), -1, axis)
      }
      return [gradient]
    },
    onnx: (emit, [x], y) => {
      const { mode, coordinates } = y.attrs
      return emit.node("Resize", [x, "", "", emit.ints(y.shape)], {
        mode,
        coordinate_transformation_mode: coordinates.replace("-", "_"),
        ...(mode === "nearest" ? { nearest_mode: coordinates === "asymmetric" ? "floor" : "round_prefer_floor" } : {}),
        ...(mode === "cubic" ? { cubic_coeff_a: { float: CUBIC_COEFFICIENT } } : {}),
      })
    },
  },
}
