/** Shape rules of the trainable 3×3 convolution on token-major maps. */

import { shapeError } from "../../shape.ts"
import type { Conv3x3Ops } from "../attributes.ts"
import { commonDtype, FLOAT, type ShapeRules } from "./rule.ts"

export const conv3x3: ShapeRules<Conv3x3Ops> = {
  im2col3x3: ([x]) => {
    const rank = x.shape.length
    if (rank < 3) throw shapeError("im2col3x3", [x.shape], "x [..,H,W,D]")
    return { shape: [...x.shape.slice(0, -1), 9 * x.shape[rank - 1]], dtype: commonDtype("im2col3x3", [x], FLOAT) }
  },

  conv3x3: ([x, weight]) => {
    const rank = x.shape.length
    const isKernel = weight.shape.length === 4 && weight.shape[0] === 3 && weight.shape[1] === 3
    if (rank < 3 || !isKernel || weight.shape[2] !== x.shape[rank - 1]) {
      throw shapeError("conv3x3", [x.shape, weight.shape], "x [..,H,W,Din] and weight [3,3,Din,Dout]")
    }
    return { shape: [...x.shape.slice(0, -1), weight.shape[3]], dtype: commonDtype("conv3x3", [x, weight], FLOAT) }
  },
}
