/**
 * Trainable 3×3 convolution on token-major maps [..,H,W,D], as one matrix product over the nine neighbours of each place
 * (im2col). Gradients are matrix products too: the map's is the convolution of dy with the flipped kernel.
 */

import { apply, constant, type Tensor } from "../../tensor.ts"
import type { Conv3x3Ops } from "../attributes.ts"
import { add, gather, narrow, pad, reshape, slice, transpose } from "../functions.ts"
import type { Emitter, OnnxName, OpRules } from "../rule.ts"
import { sumOfOuterProducts } from "./adjoint.ts"

/** Offsets of the kernel's nine places from its middle, row by row. */
const OFFSETS = Array.from({ length: 9 }, (_, place): [down: number, right: number] => [
  Math.floor(place / 3) - 1,
  (place % 3) - 1,
])

/** Reads the neighbours of every place by index from the map's places, behind which a zero is appended. */
function im2col(emit: Emitter, name: OnnxName, x: Tensor): OnnxName {
  const [H, W, D] = x.shape.slice(-3)
  const maps = x.size / (H * W * D)
  const rows = emit.node("Reshape", [name, emit.ints([maps, H * W, D])])
  const padded = emit.node("Pad", [rows, emit.ints([0, 0, 0, 0, 1, 0])])
  const indices: number[] = []
  for (let row = 0; row < H; row++) {
    for (let column = 0; column < W; column++) {
      for (const [down, right] of OFFSETS) {
        const inside = row + down >= 0 && row + down < H && column + right >= 0 && column + right < W
        indices.push(inside ? (row + down) * W + column + right : H * W)
      }
    }
  }
  const taken = emit.node("Gather", [padded, emit.ints(indices)], { axis: 1 })
  return emit.node("Reshape", [taken, emit.ints([...x.shape.slice(0, -1), 9 * D])])
}

/** The transpose of im2col, x [..,H,W,9·D] -> [..,H,W,D]: sums what each place's neighbours read from it. */
function col2im(x: Tensor): Tensor {
  const D = x.shape[x.rank - 1] / 9
  const grid = x.rank - 3
  const around = x.shape.map((_, axis): [number, number] => (axis === grid || axis === grid + 1 ? [1, 1] : [0, 0]))
  const parts = OFFSETS.map(([down, right], place) => {
    const part = pad(narrow(x, -1, place * D, (place + 1) * D), around)
    // back to the place `down` rows below and `right` columns to the right, where it was read
    const starts = part.shape.map((_, axis) => (axis === grid ? 1 - down : axis === grid + 1 ? 1 - right : 0))
    const ends = starts.map((start, axis) => start + (axis === x.rank - 1 ? D : x.shape[axis]))
    return slice(part, starts, ends)
  })
  return parts.reduce((sum, part) => add(sum, part))
}

/** The kernel of the map's gradient: rotated by 180°, inputs and outputs exchanged. [3,3,Din,Dout] -> [3,3,Dout,Din] */
function flipped(weight: Tensor): Tensor {
  const [, , Din, Dout] = weight.shape
  const reversed = BigInt64Array.from(OFFSETS, (_, i) => BigInt(8 - i))
  const places = gather(reshape(weight, [9, Din, Dout]), constant(reversed, [9], "i64"), 0)
  return reshape(transpose(places, [0, 2, 1]), [3, 3, Dout, Din])
}

export const conv3x3: OpRules<Conv3x3Ops> = {
  im2col3x3: {
    grad: (dy) => [col2im(dy)],
    onnx: (emit, [x], y) => im2col(emit, x, y.inputs[0]),
  },

  conv3x3: {
    grad: (dy, y) => {
      const [x, weight] = y.inputs
      const columns = apply("im2col3x3", [x], {})
      return [apply("conv3x3", [dy, flipped(weight)], {}), reshape(sumOfOuterProducts(columns, dy), weight.shape)]
    },
    onnx: (emit, [x, weight], y) => {
      const [map, { shape }] = y.inputs
      return emit.node("MatMul", [
        im2col(emit, x, map),
        emit.node("Reshape", [weight, emit.ints([9 * shape[2], shape[3]])]),
      ])
    },
  },
}
