/**
 * Trained 3×3 convolutions over the grids of token-major maps [..,H,W,D], as one matrix product over each place's nine
 * neighbours. Gradients are matrix products too: the gradient of the map is the convolution with the turned kernel.
 */

import { shapeError } from "../shape.ts"
import { constant, type Tensor } from "../tensor.ts"
import { commonDtype, FLOAT } from "./check.ts"
import { add, apply1, gather, narrow, pad, reshape, slice, transpose } from "./functions.ts"
import { gramian } from "./linear.ts"
import type { Emitter, OnnxName, OpRule } from "./rule.ts"

/** Offsets of a kernel's nine places from its middle, row by row. */
const PLACES = Array.from({ length: 9 }, (_, place): [row: number, column: number] => [
  Math.floor(place / 3) - 1,
  (place % 3) - 1,
])

/** Maps as rows of places with a row of zeros at the end, and for every place the rows of its neighbours. */
function unfolded(emit: Emitter, name: OnnxName, x: Tensor): OnnxName {
  const [H, W, D] = x.shape.slice(-3)
  const maps = x.size / (H * W * D)
  const rows = emit.node("Reshape", [name, emit.ints([maps, H * W, D])])
  const open = emit.node("Pad", [rows, emit.ints([0, 0, 0, 0, 1, 0])])
  const indices: number[] = []
  for (let row = 0; row < H; row++) {
    for (let column = 0; column < W; column++) {
      for (const [down, right] of PLACES) {
        const inside = row + down >= 0 && row + down < H && column + right >= 0 && column + right < W
        indices.push(inside ? (row + down) * W + column + right : H * W)
      }
    }
  }
  const taken = emit.node("Gather", [open, emit.ints(indices)], { axis: 1 })
  return emit.node("Reshape", [taken, emit.ints([...x.shape.slice(0, -1), 9 * D])])
}

/** The kernel for the way back: turned by half, inputs and outputs exchanged. [3,3,Din,Dout] -> [3,3,Dout,Din] */
function turned(weight: Tensor): Tensor {
  const places = reshape(weight, [9, ...weight.shape.slice(2)])
  const back = gather(
    places,
    constant(
      BigInt64Array.from(PLACES, (_, i) => BigInt(8 - i)),
      [9],
      "i64",
    ),
    0,
  )
  return reshape(transpose(back, [0, 2, 1]), [3, 3, weight.shape[3], weight.shape[2]])
}

/** x [..,H,W,9·D] -> [..,H,W,D]: sums what each place lent to its neighbours. */
function fold(x: Tensor): Tensor {
  const D = x.shape[x.rank - 1] / 9
  const grid = x.rank - 3
  const around = x.shape.map((_, axis): [number, number] => (axis === grid || axis === grid + 1 ? [1, 1] : [0, 0]))
  let sum: Tensor | undefined
  for (const [place, [down, right]] of PLACES.entries()) {
    const part = pad(narrow(x, -1, place * D, (place + 1) * D), around)
    // lent to the place `down` rows below and `right` columns right of it
    const starts = part.shape.map((_, axis) => (axis === grid ? 1 - down : axis === grid + 1 ? 1 - right : 0))
    const ends = starts.map((start, axis) => start + (axis === x.rank - 1 ? D : x.shape[axis]))
    const moved = slice(part, starts, ends)
    sum = sum ? add(sum, moved) : moved
  }
  if (!sum) throw new Error("internal error: a kernel without places")
  return sum
}

export const stencil: { neighbours: OpRule<"neighbours">; conv3x3: OpRule<"conv3x3"> } = {
  neighbours: {
    infer: ([x]) => {
      if (x.rank < 3) throw shapeError("neighbours", [x.shape], "x [..,H,W,D]")
      const dtype = commonDtype("neighbours", [x], FLOAT)
      return { shape: [...x.shape.slice(0, -1), 9 * x.shape[x.rank - 1]], dtype }
    },
    grad: (dy) => [fold(dy)],
    onnx: (emit, [x], y) => unfolded(emit, x, y.inputs[0]),
  },

  conv3x3: {
    infer: ([x, weight]) => {
      const fits = weight.rank === 4 && weight.shape[0] === 3 && weight.shape[1] === 3
      if (x.rank < 3 || !fits || weight.shape[2] !== x.shape[x.rank - 1]) {
        throw shapeError("conv3x3", [x.shape, weight.shape], "x [..,H,W,Din] and weight [3,3,Din,Dout]")
      }
      return { shape: [...x.shape.slice(0, -1), weight.shape[3]], dtype: commonDtype("conv3x3", [x, weight], FLOAT) }
    },
    grad: (dy, y) => {
      const [x, weight] = y.inputs
      const columns = apply1("neighbours", [x], {})
      return [apply1("conv3x3", [dy, turned(weight)], {}), reshape(gramian(columns, dy), weight.shape)]
    },
    onnx: (emit, [x, weight], y) => {
      const [map, { shape }] = y.inputs
      return emit.node("MatMul", [
        unfolded(emit, x, map),
        emit.node("Reshape", [weight, emit.ints([9 * shape[2], shape[3]])]),
      ])
    },
  },
}
