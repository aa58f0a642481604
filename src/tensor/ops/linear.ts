/** Matrix product with optional transposes and broadcast batch axes. */

import { broadcastShapes, sameShape, shapeError } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { commonDtype, FLOAT } from "./check.ts"
import { matmul, mul, reshape, softmax, sub, sum, transpose, unbroadcast } from "./functions.ts"
import type { Emitter, OnnxName, OpRule } from "./rule.ts"

type Flags = { transposeA: boolean; transposeB: boolean }

/** Swaps the last two axes in the ONNX graph; ONNX Runtime fuses it into the product. */
function swapped(emit: Emitter, name: OnnxName, rank: number): OnnxName {
  const perm = Array.from({ length: rank }, (_, axis) => axis)
  perm[rank - 2] = rank - 1
  perm[rank - 1] = rank - 2
  return emit.node("Transpose", [name], { perm })
}

/**
 * xᵀ·y for x [..,M,K] and y [..,M,N], summed over the batch: one product over batch and rows together. ONNX Runtime's
 * product is a tenth faster on a matrix that is not transposed, so the narrower one is turned round by hand.
 */
export function gramian(x: Tensor, y: Tensor): Tensor {
  const [K, N] = [x.shape[x.rank - 1], y.shape[y.rank - 1]]
  const rows = (t: Tensor) => reshape(t, [-1, t.shape[t.rank - 1]]) // [..,M,K] -> [..·M,K]
  const turned = (t: Tensor) =>
    reshape(transpose(t, [t.rank - 1, ...[...t.shape.keys()].slice(0, -1)]), [t.shape[t.rank - 1], -1])
  return K <= N ? matmul(turned(x), rows(y)) : transpose(matmul(turned(y), rows(x)), [1, 0])
}

export const linear: { matmul: OpRule<"matmul">; attend: OpRule<"attend"> } = {
  matmul: {
    infer: ([a, b], { transposeA, transposeB }) => {
      if (a.rank < 2 || b.rank < 2) throw shapeError("matmul", [a.shape, b.shape], "two tensors of rank 2 or more")
      const [m, k] = transposeA ? [a.shape[a.rank - 1], a.shape[a.rank - 2]] : a.shape.slice(-2)
      const [k2, n] = transposeB ? [b.shape[b.rank - 1], b.shape[b.rank - 2]] : b.shape.slice(-2)
      if (k !== k2) {
        const form = `${transposeA ? "transposed " : ""}[..,M,K] and ${transposeB ? "transposed " : ""}[..,K,N]`
        throw shapeError("matmul", [a.shape, b.shape], `${form} with equal K`)
      }
      const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2))
      return { shape: [...batch, m, n], dtype: commonDtype("matmul", [a, b], FLOAT) }
    },
    grad: (dy, y) => {
      const [a, b] = y.inputs
      const { transposeA: ta, transposeB: tb }: Flags = y.attrs
      const da = ta
        ? matmul(b, dy, { transposeA: tb, transposeB: true })
        : matmul(dy, b, { transposeA: false, transposeB: !tb })
      const sharedB = b.rank === 2 && a.rank > 2 && !ta
      const db = sharedB
        ? tb
          ? gramian(dy, a)
          : gramian(a, dy)
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
    infer: ([scores, v]) => {
      const rank = scores.rank
      const fits =
        rank >= 2 &&
        v.rank === rank &&
        v.shape[rank - 2] === scores.shape[rank - 1] &&
        sameShape(scores.shape.slice(0, -2), v.shape.slice(0, -2))
      if (!fits) throw shapeError("attend", [scores.shape, v.shape], "scores [..,M,K] and v [..,K,D]")
      return {
        shape: [...scores.shape.slice(0, -1), v.shape[rank - 1]],
        dtype: commonDtype("attend", [scores, v], FLOAT),
      }
    },
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
