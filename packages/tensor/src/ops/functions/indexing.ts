/** Reading and summing by index. */

import { normalizeAxis } from "../../shape.ts"
import { apply, type Tensor } from "../../tensor.ts"

/**
 * Slices of x at integer `indices` (i64 or i32) on `axis`, whose place the axes of `indices` take.
 *
 * @example
 * ```ts
 * import { constant, gather } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1, 2, 3, 4, 5), [3, 2])
 * const rows = constant(BigInt64Array.of(2n, 0n), [2], "i64")
 * gather(x, rows, 0) // 4, 5, 0, 1
 * ```
 */
export function gather(x: Tensor, indices: Tensor, axis: number): Tensor {
  return apply("gather", [x, indices], { axis: normalizeAxis("gather", axis, x.rank) })
}

/**
 * Sums updates [n..,rest] into rows `indices` [n..] of zeros [size,rest].
 *
 * @example
 * ```ts
 * import { constant, scatterAdd } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1, 2, 3, 4, 5), [3, 2])
 * const rows = constant(BigInt64Array.of(1n, 1n, 0n), [3], "i64")
 * scatterAdd(x, rows, 2) // 4, 5, 2, 4
 * ```
 */
export function scatterAdd(updates: Tensor, indices: Tensor, size: number): Tensor {
  return apply("scatterAdd", [updates, indices], { size })
}

/**
 * One element of x along `axis` for each index: NumPy's take_along_axis.
 *
 * @example
 * ```ts
 * import { constant, takeAlong } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1, 2, 3, 4, 5), [3, 2])
 * const columns = constant(BigInt64Array.of(1n, 0n, 1n), [3, 1], "i64")
 * takeAlong(x, columns, 1) // 1, 2, 5
 * ```
 */
export function takeAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  return apply("takeAlong", [x, indices], { axis: normalizeAxis("takeAlong", axis, x.rank) })
}

/**
 * Sums updates into zeros of length `size` on `axis`, each at its index: the transpose of `takeAlong`.
 *
 * @example
 * ```ts
 * import { constant, scatterAlong } from "@fourtier/tensor"
 *
 * const updates = constant(Float32Array.of(1, 2, 3), [1, 3])
 * const columns = constant(BigInt64Array.of(0n, 2n, 2n), [1, 3], "i64")
 * scatterAlong(updates, columns, 1, 4) // 1, 0, 5, 0
 * ```
 */
export function scatterAlong(updates: Tensor, indices: Tensor, axis: number, size: number): Tensor {
  return apply("scatterAlong", [updates, indices], { axis: normalizeAxis("scatterAlong", axis, updates.rank), size })
}
