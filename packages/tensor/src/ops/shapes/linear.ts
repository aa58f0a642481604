/** Shape rules of matrix products. */

import { broadcastShapes, sameShape, shapeError } from "../../shape.ts"
import type { LinearOps } from "../attributes.ts"
import { commonDtype, FLOAT, type ShapeRules } from "./rule.ts"

export const linear: ShapeRules<LinearOps> = {
  matmul: ([a, b], { transposeA, transposeB }) => {
    if (a.shape.length < 2 || b.shape.length < 2) {
      throw shapeError("matmul", [a.shape, b.shape], "two tensors of rank 2 or more")
    }
    const [rowsA, columnsA] = a.shape.slice(-2)
    const [rowsB, columnsB] = b.shape.slice(-2)
    const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA]
    const [k2, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB]
    if (k !== k2) {
      const form = `${transposeA ? "transposed " : ""}[..,M,K] and ${transposeB ? "transposed " : ""}[..,K,N]`
      throw shapeError("matmul", [a.shape, b.shape], `${form} with equal K`)
    }
    const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2))
    return { shape: [...batch, m, n], dtype: commonDtype("matmul", [a, b], FLOAT) }
  },

  attend: ([scores, v]) => {
    const rank = scores.shape.length
    const fits =
      rank >= 2 &&
      v.shape.length === rank &&
      v.shape[rank - 2] === scores.shape[rank - 1] &&
      sameShape(scores.shape.slice(0, -2), v.shape.slice(0, -2))
    if (!fits) throw shapeError("attend", [scores.shape, v.shape], "scores [..,M,K] and v [..,K,D]")
    return {
      shape: [...scores.shape.slice(0, -1), v.shape[rank - 1]],
      dtype: commonDtype("attend", [scores, v], FLOAT),
    }
  },
}
