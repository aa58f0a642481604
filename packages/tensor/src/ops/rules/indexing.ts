/** Gradients and ONNX forms of reading and summing by index: each is the transpose of the other. */

import type { IndexingOps } from "../attributes.ts"
import { gather, moveAxis, scatterAdd, scatterAlong, takeAlong } from "../functions.ts"
import type { OpRules } from "../rule.ts"

export const indexing: OpRules<IndexingOps> = {
  gather: {
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
    grad: (dy, y) => [gather(dy, y.inputs[1], 0), null],
    onnx: (emit, [updates, indices], y) => {
      const zeros = emit.node("Expand", [emit.floats([0], []), emit.ints(y.shape)])
      const wide = emit.node("Cast", [indices], { to: 7 })
      const rows = emit.node("Unsqueeze", [wide, emit.ints([y.inputs[1].rank])])
      return emit.node("ScatterND", [zeros, rows, updates], { reduction: "add" })
    },
  },

  takeAlong: {
    grad: (dy, y) => {
      const [x, indices] = y.inputs
      return [scatterAlong(dy, indices, y.attrs.axis, x.shape[y.attrs.axis]), null]
    },
    onnx: (emit, inputs, y) => emit.node("GatherElements", inputs, { axis: y.attrs.axis }),
  },

  scatterAlong: {
    grad: (dy, y) => [takeAlong(dy, y.inputs[1], y.attrs.axis), null],
    onnx: (emit, [updates, indices], y) => {
      const zeros = emit.node("Expand", [emit.floats([0], []), emit.ints(y.shape)])
      return emit.node("ScatterElements", [zeros, indices, updates], { axis: y.attrs.axis, reduction: "add" })
    },
  },
}
