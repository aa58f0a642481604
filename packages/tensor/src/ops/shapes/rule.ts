/** What a shape rule is, and the checks that several of them share. */

import type { DType } from "../../dtype.ts"
import { FourtierError } from "../../errors.ts"
import type { TensorType } from "../../shape.ts"
import type { ComputedOp, OpAttrs } from "../attributes.ts"

/** The output's type from the inputs' types; throws a FourtierError that names the op when the inputs do not fit. */
export type ShapeRule<K extends ComputedOp> = (inputs: readonly TensorType[], attrs: OpAttrs[K]) => TensorType

/** A rule for each op of a group. */
export type ShapeRules<Ops> = { readonly [K in Extract<keyof Ops, ComputedOp>]: ShapeRule<K> }

/** Element types that arithmetic takes; f16 is for storage only. */
export const NUMBERS: readonly DType[] = ["f32", "i32", "i64"]
export const FLOAT: readonly DType[] = ["f32"]

/** The one dtype of all `inputs`; throws when they differ or it is not among `allowed`. */
export function commonDtype(op: ComputedOp, inputs: readonly TensorType[], allowed?: readonly DType[]): DType {
  const [{ dtype }] = inputs
  if (inputs.some((x) => x.dtype !== dtype)) {
    throw new FourtierError({
      where: `tensor op ${op}`,
      what: "dtypes differ",
      found: inputs.map((x) => x.dtype).join(" and "),
      fix: "cast them to one",
    })
  }
  if (allowed && !allowed.includes(dtype)) {
    throw new FourtierError({
      where: `tensor op ${op}`,
      what: "the dtype does not fit",
      expected: allowed.join(" or "),
      found: dtype,
      fix: "cast first",
    })
  }
  return dtype
}

/** Throws unless every count is an integer from `least` on. */
export function checkCounts(op: ComputedOp, what: string, counts: readonly number[], least: number): void {
  if (counts.every((count) => Number.isInteger(count) && count >= least)) return
  throw new FourtierError({
    where: `tensor op ${op}`,
    what: `${what} must be integers`,
    expected: `${least} or more`,
    found: counts.join(", "),
  })
}
