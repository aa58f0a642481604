/** Trainable 3×3 convolutions over the grids of token-major maps [B,T,H,W,D], zeros around each grid: no axis moves. */

import { add, mul, pad, reshape, slice, split } from "../ops/functions.ts"
import { shapeError } from "../shape.ts"
import { apply, type Tensor } from "../tensor.ts"

/** x [B,T,H,W,D] shifted to each of the kernel's nine places, row by row; each [B,T,H,W,D]. */
function shifts(x: Tensor): Tensor[] {
  const [B, T, H, W, D] = x.shape
  const padded = pad(x, [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ])
  return Array.from({ length: 9 }, (_, place) => {
    const [row, column] = [Math.floor(place / 3), place % 3]
    return slice(padded, [0, 0, row, column, 0], [B, T, row + H, column + W, D])
  })
}

/**
 * 3×3 convolution of every frame.
 *
 * @param x [B,T,H,W,Din]
 * @param weight [3,3,Din,Dout]: rows, columns, in, out
 * @param bias [Dout]
 * @returns [B,T,H,W,Dout]
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { conv3x3 } from "@fourtier/tensor/nn"
 *
 * const x = input("x", [8, 4, 7, 7, 64])
 * conv3x3(x, input("w", [3, 3, 64, 32]), input("b", [32])).shape // [8, 4, 7, 7, 32]
 * ```
 */
export function conv3x3(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [, , Din, Dout] = weight.shape
  const fits = x.rank === 5 && weight.rank === 4 && weight.shape[0] === 3 && weight.shape[1] === 3 && Din === x.shape[4]
  if (!fits || bias.rank !== 1 || bias.shape[0] !== Dout) {
    throw shapeError(
      "conv3x3",
      [x.shape, weight.shape, bias.shape],
      "x [B,T,H,W,Din], weight [3,3,Din,Dout], bias [Dout]",
    )
  }
  return add(apply("conv3x3", [x, weight], {}), bias)
}

/**
 * 3×3 convolution of every frame with one kernel for each channel.
 *
 * @param x [B,T,H,W,D]
 * @param weight [3,3,D]
 * @param bias [D]
 * @returns [B,T,H,W,D]
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { depthwise3x3 } from "@fourtier/tensor/nn"
 *
 * const x = input("x", [8, 4, 7, 7, 64])
 * depthwise3x3(x, input("w", [3, 3, 64]), input("b", [64])).shape // [8, 4, 7, 7, 64]
 * ```
 */
export function depthwise3x3(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const D = x.shape[4]
  const fits = x.rank === 5 && weight.rank === 3 && weight.shape.every((length, axis) => length === [3, 3, D][axis])
  if (!fits || bias.rank !== 1 || bias.shape[0] !== D) {
    throw shapeError("depthwise3x3", [x.shape, weight.shape, bias.shape], "x [B,T,H,W,D], weight [3,3,D], bias [D]")
  }
  const places = split(reshape(weight, [9, D]), 0, 9) // 9 × [1,D]
  const products = shifts(x).map((shifted, place) => mul(shifted, reshape(places[place], [D])))
  return add(products.reduce(add), bias)
}
