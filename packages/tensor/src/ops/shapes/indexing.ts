/** Shape rules of reading and summing by index. */

import { FourtierError } from "../../errors.ts"
import { normalizeAxis, sameShape, shapeError, type TensorType } from "../../shape.ts"
import type { IndexingOps } from "../attributes.ts"
import { commonDtype, FLOAT, type ShapeRules } from "./rule.ts"

function checkIndices(op: keyof IndexingOps, { dtype }: TensorType): void {
  if (dtype === "i64" || dtype === "i32") return
  throw new FourtierError({
    where: `tensor op ${op}`,
    what: "indices are not integers",
    expected: "i64 or i32",
    found: dtype,
  })
}

export const indexing: ShapeRules<IndexingOps> = {
  gather: ([x, indices], { axis }) => {
    checkIndices("gather", indices)
    const at = normalizeAxis("gather", axis, x.shape.length)
    return { shape: [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)], dtype: x.dtype }
  },

  scatterAdd: ([updates, indices], { size }) => {
    checkIndices("scatterAdd", indices)
    const rank = indices.shape.length
    if (!sameShape(updates.shape.slice(0, rank), indices.shape)) {
      throw shapeError("scatterAdd", [updates.shape, indices.shape], "updates [n.., rest] and indices [n..]")
    }
    return { shape: [size, ...updates.shape.slice(rank)], dtype: commonDtype("scatterAdd", [updates], FLOAT) }
  },

  takeAlong: ([x, indices], { axis }) => {
    checkIndices("takeAlong", indices)
    const rank = x.shape.length
    const at = normalizeAxis("takeAlong", axis, rank)
    const fits = indices.shape.length === rank && indices.shape.every((length, a) => a === at || length === x.shape[a])
    if (!fits) throw shapeError("takeAlong", [x.shape, indices.shape], `equal lengths on all axes but ${at}`)
    return { shape: indices.shape, dtype: x.dtype }
  },

  scatterAlong: ([updates, indices], { axis, size }) => {
    checkIndices("scatterAlong", indices)
    if (!sameShape(updates.shape, indices.shape)) {
      throw shapeError("scatterAlong", [updates.shape, indices.shape], "updates and indices of one shape")
    }
    const dtype = commonDtype("scatterAlong", [updates], FLOAT)
    return { shape: updates.shape.map((length, a) => (a === axis ? size : length)), dtype }
  },
}
