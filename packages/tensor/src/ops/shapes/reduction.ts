/** Shape rules of reductions. */

import { normalizeAxis, reducedShape } from "../../shape.ts"
import type { ReduceName, ReductionOps } from "../attributes.ts"
import { commonDtype, NUMBERS, type ShapeRule, type ShapeRules } from "./rule.ts"

function reduce<K extends ReduceName>(op: K): ShapeRule<K> {
  return ([x], { axes, keepDims }) => ({
    shape: reducedShape(x.shape, axes, keepDims),
    dtype: commonDtype(op, [x], NUMBERS),
  })
}

export const reduction: ShapeRules<ReductionOps> = {
  sum: reduce("sum"),
  mean: reduce("mean"),
  max: reduce("max"),
  min: reduce("min"),

  argmax: ([x], { axis, keepDims }) => {
    commonDtype("argmax", [x], ["f32", "i32"])
    return { shape: reducedShape(x.shape, [normalizeAxis("argmax", axis, x.shape.length)], keepDims), dtype: "i64" }
  },
}
