/** Shape rules of convolution, pooling and resizing on channel-first maps. */

import { shapeError } from "../../shape.ts"
import type { ConvolutionOps } from "../attributes.ts"
import { checkCounts, commonDtype, FLOAT, type ShapeRules } from "./rule.ts"

/** Places of a window of `extent` on an axis. */
function places(length: number, [before, after]: readonly [number, number], extent: number, stride: number): number {
  return Math.floor((length + before + after - extent) / stride) + 1
}

export const convolution: ShapeRules<ConvolutionOps> = {
  conv: ([x, weight, bias], { strides, pads, dilations, groups }) => {
    const spatial = x.shape.length - 2
    const inputs = bias ? [x, weight, bias] : [x, weight]
    const [outChannels, inChannels, ...kernel] = weight.shape
    const fits =
      kernel.length === spatial &&
      strides.length === spatial &&
      pads.length === spatial &&
      dilations.length === spatial &&
      inChannels * groups === x.shape[1] &&
      outChannels % groups === 0 &&
      (bias === undefined || (bias.shape.length === 1 && bias.shape[0] === outChannels))
    if (!fits) {
      throw shapeError(
        "conv",
        inputs.map(({ shape }) => shape),
        `x [B,C,${"space,".repeat(Math.max(1, spatial))}], weight [O,C/${groups},kernel], bias [O], ${spatial} strides, pads and dilations`,
      )
    }
    checkCounts("conv", "groups, strides and dilations", [groups, ...strides, ...dilations], 1)
    const space = kernel.map((k, i) => places(x.shape[i + 2], pads[i], dilations[i] * (k - 1) + 1, strides[i]))
    if (space.some((length) => length < 1)) {
      throw shapeError("conv", [x.shape, weight.shape], "a kernel no larger than the map")
    }
    return { shape: [x.shape[0], outChannels, ...space], dtype: commonDtype("conv", inputs, FLOAT) }
  },

  pool: ([x], { kernel, strides, pads }) => {
    const spatial = x.shape.length - 2
    if (kernel.length !== spatial || strides.length !== spatial || pads.length !== spatial) {
      throw shapeError("pool", [x.shape, kernel], "x [B,C,space..] and a kernel, strides and pads per spatial axis")
    }
    checkCounts("pool", "kernel and strides", [...kernel, ...strides], 1)
    const space = kernel.map((k, i) => places(x.shape[i + 2], pads[i], k, strides[i]))
    if (space.some((length) => length < 1)) {
      throw shapeError("pool", [x.shape, kernel], "a kernel no larger than the map")
    }
    return { shape: [x.shape[0], x.shape[1], ...space], dtype: commonDtype("pool", [x], FLOAT) }
  },

  resize: ([x], { size }) => {
    const rank = x.shape.length
    if (size.length > rank) throw shapeError("resize", [x.shape, size], "no more new lengths than axes")
    checkCounts("resize", "lengths", size, 1)
    return { shape: [...x.shape.slice(0, rank - size.length), ...size], dtype: commonDtype("resize", [x], FLOAT) }
  },
}
