/** Gradients and ONNX forms of matrix products, with optional transposes and broadcast batch axes. */

import type { LinearOps } from "../attributes.ts"
import { matmul, mul, softmax, sub, sum } from "../functions.ts"
import type { Emitter, OnnxName, OpRules } from "../rule.ts"
import { sumOfOuterProducts, unbroadcast } from "./adjoint.ts"

/** Swaps the last two axes in the ONNX graph; ONNX Runtime fuses it into the product. */
function swapped(emit: Emitter, name: OnnxName, rank: number): OnnxName {
  const perm = Array.from({ length: rank }, (_, axis) => axis)
  perm[rank - 2] = rank - 1
  perm[rank - 1] = rank - 2
  return emit.node("Transpose", [name], { perm })
}

export const linear: OpRules<LinearOps> = {
  matmul: {
    // y = a·b: da = dy·bᵀ and db = aᵀ·dy, with the transposes of a and b moved along
    grad: (dy, y) => {
      const [a, b] = y.inputs
      const { transposeA: ta, transposeB: tb } = y.attrs
      const da = ta
        ? matmul(b, dy, { transposeA: tb, transposeB: true })
        : matmul(dy, b, { transposeA: false, transposeB: !tb })
      const sharedB = b.rank === 2 && a.rank > 2 && !ta
      const db = sharedB
        ? tb
          ? sumOfOuterProducts(dy, a)
          : sumOfOuterProducts(a, dy)
        : tb
          ? matmul(dy, a, { transposeA: true, transposeB: ta })
          : matmul(a, dy, { transposeA: !ta, transposeB: false })
      return [unbroadcast(da, a.shape), unbroadcast(db, b.shape)]
    },
    onnx: (emit, [a, b], y) => {
      const { transposeA, transposeB } = y.attrs
      const [left, right] = y.inputs
      if (left.rank === 2 && right.rank === 2 && (transposeA || transposeB)) {
        return emit.node("Gemm", [a, b], { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 })
      }
      return emit.node("MatMul", [
        transposeA ? swapped(emit, a, left.rank) : a,
        transposeB ? swapped(emit, b, right.rank) : b,
      ])
    },
  },

  attend: {
    // p·(dp − Σ p·dp) with p = softmax(scores) and dp = dy·vᵀ; Σ p·dp over K is Σ y·dy over D (Dao et al. 2022)
    grad: (dy, y) => {
      const [scores, v] = y.inputs
      const p = softmax(scores)
      const dp = matmul(dy, v, { transposeB: true })
      return [mul(p, sub(dp, sum(mul(y, dy), -1, true))), matmul(p, dy, { transposeA: true })]
    },
    onnx: (emit, [scores, v], y) => emit.node("MatMul", [emit.node("Softmax", [scores], { axis: y.rank - 1 }), v]),
  },
}
