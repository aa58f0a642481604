/** Reading and summing by index. */

import { FourtierError } from "../../util/errors.ts"
import { normalizeAxis, sameShape, shapeError } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { commonDtype, FLOAT } from "./check.ts"
import { gather, moveAxis, scatterAdd, scatterAlong, takeAlong } from "./functions.ts"
import type { OpRule } from "./rule.ts"

type IndexingName = "gather" | "scatterAdd" | "takeAlong" | "scatterAlong"

function checkIndices(op: string, indices: Tensor): void {
  if (indices.dtype === "i64" || indices.dtype === "i32") return
  throw new FourtierError({ where: `tensor op ${op}`, what: "indices are not whole numbers", found: indices.dtype })
}

export const indexing: { [K in IndexingName]: OpRule<K> } = {
  gather: {
    infer: ([x, indices], { axis }) => {
      checkIndices("gather", indices)
      const at = normalizeAxis("gather", axis, x.rank)
      return { shape: [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)], dtype: x.dtype }
    },
    grad: (dy, y) => {
      const [x, indices] = y.inputs
      const { axis } = y.attrs
      // index axes to the front, sum into rows, row axis back to its place
      let front = dy
      for (let i = 0; i < indices.rank; i++) front = moveAxis(front, axis + i, i)
      return [moveAxis(scatterAdd(front, indices, x.shape[axis]), 0, axis), null]
    },
    onnx: (emit, inputs, y) => emit.node("Gather", inputs, { axis: y.attrs.axis }),
  },

  scatterAdd: {
    infer: ([updates, indices], { size }) => {
      checkIndices("scatterAdd", indices)
      if (!sameShape(updates.shape.slice(0, indices.rank), indices.shape)) {
        throw shapeError("scatterAdd", [updates.shape, indices.shape], "updates [n.., rest] and indices [n..]")
      }
      const dtype = commonDtype("scatterAdd", [updates], FLOAT)
      return { shape: [size, ...updates.shape.slice(indices.rank)], dtype }
    },
    grad: (dy, y) => [gather(dy, y.inputs[1], 0), null],
    onnx: (emit, [updates, indices], y) => {
      const zeros = emit.node("Expand", [emit.floats([0], []), emit.ints(y.shape)])
      const wide = emit.node("Cast", [indices], { to: 7 })
      const rows = emit.node("Unsqueeze", [wide, emit.ints([y.inputs[1].rank])])
      return emit.node("ScatterND", [zeros, rows, updates], { reduction: "add" })
    },
  },

  takeAlong: {
    infer: ([x, indices], { axis }) => {
      checkIndices("takeAlong", indices)
      const at = normalizeAxis("takeAlong", axis, x.rank)
      const fits = indices.rank === x.rank && indices.shape.every((length, a) => a === at || length === x.shape[a])
      if (!fits) throw shapeError("takeAlong", [x.shape, indices.shape], `equal lengths but on axis ${at}`)
      return { shape: indices.shape, dtype: x.dtype }
    },
    grad: (dy, y) => {
      const [x, indices] = y.inputs
      return [scatterAlong(dy, indices, y.attrs.axis, x.shape[y.attrs.axis]), null]
    },
    onnx: (emit, inputs, y) => emit.node("GatherElements", inputs, { axis: y.attrs.axis }),
  },

  scatterAlong: {
    infer: ([updates, indices], { axis, size }) => {
      checkIndices("scatterAlong", indices)
      if (!sameShape(updates.shape, indices.shape)) {
        throw shapeError("scatterAlong", [updates.shape, indices.shape], "updates and indices of one shape")
      }
      const dtype = commonDtype("scatterAlong", [updates], FLOAT)
      return { shape: updates.shape.map((length, a) => (a === axis ? size : length)), dtype }
    },
    grad: (dy, y) => [takeAlong(dy, y.inputs[1], y.attrs.axis), null],
    onnx: (emit, [updates, indices], y) => {
      const zeros = emit.node("Expand", [emit.floats([0], []), emit.ints(y.shape)])
      return emit.node("ScatterElements", [zeros, indices, updates], { axis: y.attrs.axis, reduction: "add" })
    },
  },
}
