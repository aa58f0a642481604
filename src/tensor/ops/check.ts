/** Checks that several ops' shape rules share. */

import { FourtierError } from "../../util/errors.ts"
import type { DType } from "../dtype.ts"
import type { Tensor } from "../tensor.ts"

/** Element types that arithmetic takes; f16 is storage alone. */
export const NUMBERS: readonly DType[] = ["f32", "i32", "i64"]
export const FLOAT: readonly DType[] = ["f32"]

/** The one dtype of all `inputs`; throws when they differ or it is not among `allowed`. */
export function commonDtype(op: string, inputs: readonly Tensor[], allowed?: readonly DType[]): DType {
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

/** Throws unless every count is a whole number from `least` on. */
export function checkCounts(op: string, what: string, counts: readonly number[], least: number): void {
  if (counts.every((count) => Number.isInteger(count) && count >= least)) return
  throw new FourtierError({
    where: `tensor op ${op}`,
    what: `${what} must be whole numbers`,
    expected: `${least} or more`,
    found: counts.join(", "),
  })
}
