/** Functions of one tensor, element by element. */

import type { DType } from "../../dtype.ts"
import { apply, type Tensor } from "../../tensor.ts"
import type { UnaryName } from "../attributes.ts"

const unary = (op: UnaryName) => (x: Tensor) => apply(op, [x], {})

/**
 * −x.
 *
 * @example
 * ```ts
 * import { constant, neg } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, -2), [2])
 * neg(x) // -1, 2
 * ```
 */
export const neg = unary("neg")

/**
 * eˣ.
 *
 * @example
 * ```ts
 * import { constant, exp } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * exp(x) // 1, 2.718
 * ```
 */
export const exp = unary("exp")

/**
 * The natural logarithm.
 *
 * @example
 * ```ts
 * import { constant, log } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1, 10), [2])
 * log(x) // 0, 2.303
 * ```
 */
export const log = unary("log")

/**
 * √x.
 *
 * @example
 * ```ts
 * import { constant, sqrt } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(4, 9), [2])
 * sqrt(x) // 2, 3
 * ```
 */
export const sqrt = unary("sqrt")

/**
 * 1/x.
 *
 * @example
 * ```ts
 * import { constant, reciprocal } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(2, 4), [2])
 * reciprocal(x) // 0.5, 0.25
 * ```
 */
export const reciprocal = unary("reciprocal")

/**
 * |x|.
 *
 * @example
 * ```ts
 * import { abs, constant } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(-3, 2), [2])
 * abs(x) // 3, 2
 * ```
 */
export const abs = unary("abs")

/**
 * −1, 0 or 1. Its gradient is zero.
 *
 * @example
 * ```ts
 * import { constant, sign } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(-3, 0, 2), [3])
 * sign(x) // -1, 0, 1
 * ```
 */
export const sign = unary("sign")

/**
 * The sine of x in radians.
 *
 * @example
 * ```ts
 * import { constant, sin } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * sin(x) // 0, 0.841
 * ```
 */
export const sin = unary("sin")

/**
 * The cosine of x in radians.
 *
 * @example
 * ```ts
 * import { constant, cos } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * cos(x) // 1, 0.540
 * ```
 */
export const cos = unary("cos")

/**
 * The hyperbolic tangent.
 *
 * @example
 * ```ts
 * import { constant, tanh } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * tanh(x) // 0, 0.762
 * ```
 */
export const tanh = unary("tanh")

/**
 * σ(x) = 1/(1 + e⁻ˣ).
 *
 * @example
 * ```ts
 * import { constant, sigmoid } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * sigmoid(x) // 0.5, 0.731
 * ```
 */
export const sigmoid = unary("sigmoid")

/**
 * The error function.
 *
 * @example
 * ```ts
 * import { constant, erf } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * erf(x) // 0, 0.843
 * ```
 */
export const erf = unary("erf")

/**
 * max(x, 0).
 *
 * @example
 * ```ts
 * import { constant, relu } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(-1, 2), [2])
 * relu(x) // 0, 2
 * ```
 */
export const relu = unary("relu")

/**
 * x·Φ(x), exact (Hendrycks & Gimpel 2016).
 *
 * @example
 * ```ts
 * import { constant, gelu } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(-1, 1), [2])
 * gelu(x) // -0.159, 0.841
 * ```
 */
export const gelu = unary("gelu")

/**
 * x·σ(1.702x), CLIP's approximation of `gelu`.
 *
 * @example
 * ```ts
 * import { constant, quickGelu } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(-1, 1), [2])
 * quickGelu(x) // -0.154, 0.846
 * ```
 */
export const quickGelu = unary("quickGelu")

/**
 * Φ(x), the standard normal distribution function.
 *
 * @example
 * ```ts
 * import { constant, normalCdf } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1), [2])
 * normalCdf(x) // 0.5, 0.841
 * ```
 */
export const normalCdf = unary("normalCdf")

/**
 * The largest integer not above x. Its gradient is zero.
 *
 * @example
 * ```ts
 * import { constant, floor } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1.7, -0.2), [2])
 * floor(x) // 1, -1
 * ```
 */
export const floor = unary("floor")

/**
 * The opposite of a bool tensor.
 *
 * @example
 * ```ts
 * import { constant, not } from "@fourtier/tensor"
 *
 * const x = constant(Uint8Array.of(1, 0), [2], "bool")
 * not(x) // 0, 1
 * ```
 */
export const not = unary("not")

/**
 * x as dtype `to`: floats are rounded toward zero to integers. Gradients flow between float types only.
 *
 * @example
 * ```ts
 * import { cast, constant } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(1.9, -1.9), [2])
 * cast(x, "i64") // 1, -1
 * ```
 */
export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : apply("cast", [x], { to })
}

/**
 * Values below `min` become `min`, those above `max` become `max`. f32 only.
 *
 * @example
 * ```ts
 * import { clip, constant } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(-2, 0.5, 3), [3])
 * clip(x, 0, 1) // 0, 0.5, 1
 * ```
 */
export function clip(x: Tensor, min: number, max: number): Tensor {
  return apply("clip", [x], { min, max })
}
