/** Reductions over axes. */

import { normalizeAxes, normalizeAxis } from "../../shape.ts"
import { apply, type Tensor } from "../../tensor.ts"
import type { ReduceName } from "../attributes.ts"

/** `axes` default to all; negative ones count from the back. `keepDims` leaves reduced axes with length 1. */
const reduce =
  (op: ReduceName) =>
  (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor => {
    const list = normalizeAxes(op, axes, x.rank)
    return list.length === 0 ? x : apply(op, [x], { axes: list, keepDims })
  }

/**
 * The sum over `axes`, or over all of them.
 *
 * @example
 * ```ts
 * import { constant, sum } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 3, 6), [2, 2])
 * sum(x, 0) // 4, 8
 * ```
 */
export const sum = reduce("sum")

/**
 * The mean over `axes`, or over all of them.
 *
 * @example
 * ```ts
 * import { constant, mean } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 3, 6), [2, 2])
 * mean(x, -1, true) // 1.5, 4.5
 * ```
 */
export const mean = reduce("mean")

/**
 * The largest element along `axes`, or of all. Equal ones share the gradient.
 *
 * @example
 * ```ts
 * import { constant, max } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 3, 6), [2, 2])
 * max(x) // 6
 * ```
 */
export const max = reduce("max")

/**
 * The smallest element along `axes`, or of all. Equal ones share the gradient.
 *
 * @example
 * ```ts
 * import { constant, min } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 3, 6), [2, 2])
 * min(x, 1) // 1, 3
 * ```
 */
export const min = reduce("min")

/**
 * Position of the largest element on `axis`, the first of equal ones: i64.
 *
 * @example
 * ```ts
 * import { argmax, constant } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 6, 3), [2, 2])
 * argmax(x, 1) // 1, 0
 * ```
 */
export function argmax(x: Tensor, axis: number, keepDims = false): Tensor {
  return apply("argmax", [x], { axis: normalizeAxis("argmax", axis, x.rank), keepDims })
}
