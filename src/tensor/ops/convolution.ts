/**
 * Convolutions, pooling and resizing on channel-first maps, for frozen encoders: forward only, but for resizing, which is
 * linear in its input. Convolutions that are trained are built from matrix products (`nn/conv.ts`).
 */

import { shapeError } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { constant } from "../tensor.ts"
import { checkCounts, commonDtype, FLOAT } from "./check.ts"
import { matmul, moveAxis } from "./functions.ts"
import type { OpRule, ResizeAttrs } from "./rule.ts"

type ConvolutionName = "conv" | "pool" | "resize"

const flatPads = (pads: readonly (readonly [number, number])[]) => [
  ...pads.map(([before]) => before),
  ...pads.map(([, after]) => after),
]

export const convolution: { [K in ConvolutionName]: OpRule<K> } = {
  conv: {
    infer: ([x, weight, bias], { strides, pads, dilations, groups }) => {
      const spatial = x.rank - 2
      const expected = `x [B,C,${"space,".repeat(Math.max(1, spatial))}], weight [O,C/${groups},kernel], bias [O], ${spatial} strides, pads and dilations`
      const [outChannels, inChannels, ...kernel] = weight.shape
      const fits =
        kernel.length === spatial &&
        strides.length === spatial &&
        pads.length === spatial &&
        dilations.length === spatial &&
        inChannels * groups === x.shape[1] &&
        outChannels % groups === 0 &&
        (bias === undefined || (bias.rank === 1 && bias.shape[0] === outChannels))
      if (!fits)
        throw shapeError("conv", bias ? [x.shape, weight.shape, bias.shape] : [x.shape, weight.shape], expected)
      checkCounts("conv", "groups, strides and dilations", [groups, ...strides, ...dilations], 1)
      const space = kernel.map((k, i) => {
        const padded = x.shape[i + 2] + pads[i][0] + pads[i][1]
        return Math.floor((padded - dilations[i] * (k - 1) - 1) / strides[i]) + 1
      })
      if (space.some((length) => length < 1))
        throw shapeError("conv", [x.shape, weight.shape], "a kernel no larger than the map")
      const dtype = commonDtype("conv", bias ? [x, weight, bias] : [x, weight], FLOAT)
      return { shape: [x.shape[0], outChannels, ...space], dtype }
    },
    grad: "conv is for frozen encoders; train convolutions with nn/conv.ts, whose gradients are matrix products",
    onnx: (emit, inputs, y) => {
      const { strides, pads, dilations, groups } = y.attrs
      return emit.node("Conv", inputs, { strides, pads: flatPads(pads), dilations, group: groups })
    },
  },

  pool: {
    infer: ([x], { kernel, strides, pads }) => {
      const spatial = x.rank - 2
      if (kernel.length !== spatial || strides.length !== spatial || pads.length !== spatial) {
        throw shapeError("pool", [x.shape, kernel], "x [B,C,space..] and a kernel, strides and pads per spatial axis")
      }
      checkCounts("pool", "kernel and strides", [...kernel, ...strides], 1)
      const space = kernel.map((k, i) => Math.floor((x.shape[i + 2] + pads[i][0] + pads[i][1] - k) / strides[i]) + 1)
      if (space.some((length) => length < 1))
        throw shapeError("pool", [x.shape, kernel], "a kernel no larger than the map")
      return { shape: [x.shape[0], x.shape[1], ...space], dtype: commonDtype("pool", [x], FLOAT) }
    },
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
    infer: ([x], { size }) => {
      if (size.length > x.rank) throw shapeError("resize", [x.shape, size], "no more new lengths than axes")
      checkCounts("resize", "lengths", size, 1)
      return { shape: [...x.shape.slice(0, x.rank - size.length), ...size], dtype: commonDtype("resize", [x], FLOAT) }
    },
    grad: (dy, y) => {
      const from = y.inputs[0].shape
      const first = y.rank - y.attrs.size.length
      // transpose of the interpolation, one axis after the other
      let gradient = dy
      for (let axis = first; axis < y.rank; axis++) {
        if (from[axis] === y.shape[axis]) continue
        const weights = interpolation(from[axis], y.shape[axis], y.attrs) // [to,from]
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
        ...(mode === "cubic" ? { cubic_coeff_a: { float: CUBIC } } : {}),
      })
    },
  },
}

/** The cubic convolution parameter that PyTorch and ONNX use by default (Keys 1981). */
const CUBIC = -0.75

/** The matrix [to,from] that resizes one axis: row i holds the weights of output i. Borders repeat. */
export function interpolationMatrix(
  from: number,
  to: number,
  { mode, coordinates }: Pick<ResizeAttrs, "mode" | "coordinates">,
): Float32Array {
  const matrix = new Float32Array(to * from)
  const put = (row: number, column: number, weight: number) => {
    matrix[row * from + Math.min(from - 1, Math.max(0, column))] += weight
  }
  for (let i = 0; i < to; i++) {
    const at =
      coordinates === "half-pixel"
        ? ((i + 0.5) * from) / to - 0.5
        : coordinates === "asymmetric"
          ? (i * from) / to
          : to === 1
            ? 0
            : (i * (from - 1)) / (to - 1)
    const base = Math.floor(at)
    const t = at - base
    if (mode === "nearest") {
      put(i, coordinates === "asymmetric" ? base : Math.ceil(at - 0.5), 1)
    } else if (mode === "linear") {
      put(i, base, 1 - t)
      put(i, base + 1, t)
    } else {
      const near = (d: number) => ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1
      const far = (d: number) => ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC
      put(i, base - 1, far(1 + t))
      put(i, base, near(t))
      put(i, base + 1, near(1 - t))
      put(i, base + 2, far(2 - t))
    }
  }
  return matrix
}

function interpolation(from: number, to: number, attrs: ResizeAttrs): Tensor {
  return constant(interpolationMatrix(from, to, attrs), [to, from])
}
