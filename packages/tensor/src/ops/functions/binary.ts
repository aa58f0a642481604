/** Functions of two tensors, element by element: shapes broadcast, and numbers stand for scalar constants. */

import { apply, scalar, Tensor } from "../../tensor.ts"
import type { BinaryName, CompareName } from "../attributes.ts"

/** A tensor, or a number that stands for a scalar constant of the other operand's dtype. */
export type Operand = Tensor | number

function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  const dtype = a instanceof Tensor ? a.dtype : b instanceof Tensor ? b.dtype : "f32"
  return [a instanceof Tensor ? a : scalar(a, dtype), b instanceof Tensor ? b : scalar(b, dtype)]
}

const binary = (op: BinaryName | CompareName) => (a: Operand, b: Operand) => apply(op, operands(a, b), {})

/**
 * a + b.
 *
 * @example
 * ```ts
 * import { add, constant } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * add(x, 1) // 2, 3, 5
 * ```
 */
export const add = binary("add")

/**
 * a − b.
 *
 * @example
 * ```ts
 * import { constant, sub } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * sub(10, x) // 9, 8, 6
 * ```
 */
export const sub = binary("sub")

/**
 * a·b, element by element; `matmul` is the matrix product.
 *
 * @example
 * ```ts
 * import { constant, mul } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * mul(x, x) // 1, 4, 16
 * ```
 */
export const mul = binary("mul")

/**
 * a/b.
 *
 * @example
 * ```ts
 * import { constant, div } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * div(x, 2) // 0.5, 1, 2
 * ```
 */
export const div = binary("div")

/**
 * aᵇ.
 *
 * @example
 * ```ts
 * import { constant, pow } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * pow(x, 2) // 1, 4, 16
 * ```
 */
export const pow = binary("pow")

/**
 * The larger of a and b; `max` reduces one tensor.
 *
 * @example
 * ```ts
 * import { constant, maximum } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * maximum(x, 2) // 2, 2, 4
 * ```
 */
export const maximum = binary("maximum")

/**
 * The smaller of a and b; `min` reduces one tensor.
 *
 * @example
 * ```ts
 * import { constant, minimum } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * minimum(x, 2) // 1, 2, 2
 * ```
 */
export const minimum = binary("minimum")

/**
 * Whether a = b: bool.
 *
 * @example
 * ```ts
 * import { constant, equal } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * equal(x, 2) // 0, 1, 0
 * ```
 */
export const equal = binary("equal")

/**
 * Whether a < b: bool.
 *
 * @example
 * ```ts
 * import { constant, less } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * less(x, 2) // 1, 0, 0
 * ```
 */
export const less = binary("less")

/**
 * Whether a > b: bool.
 *
 * @example
 * ```ts
 * import { constant, greater } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * greater(x, 2) // 0, 0, 1
 * ```
 */
export const greater = binary("greater")

/**
 * Whether both bool tensors are true.
 *
 * @example
 * ```ts
 * import { and, constant, greater, less } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * and(greater(x, 1), less(x, 4)) // 0, 1, 0
 * ```
 */
export const and = binary("and")

/**
 * Whether one of two bool tensors is true.
 *
 * @example
 * ```ts
 * import { constant, greater, less, or } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * or(less(x, 2), greater(x, 2)) // 1, 0, 1
 * ```
 */
export const or = binary("or")

/**
 * `a` where `condition` is true, else `b`; the three broadcast.
 *
 * @example
 * ```ts
 * import { constant, greater, scalar, where } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 2, 4), [3])
 * where(greater(x, 1), x, scalar(0)) // 0, 2, 4
 * ```
 */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  return apply("where", [condition, a, b], {})
}
