/** Reshaping, reordering, cutting and joining. */

import { normalizeAxis, type Shape, sameShape } from "../../shape.ts"
import { apply, type Tensor } from "../../tensor.ts"
import type { Pads } from "../attributes.ts"

/**
 * x in another shape with as many elements, in row-major order. One length may be -1: whatever is left.
 *
 * @example
 * ```ts
 * import { input, reshape } from "@fourtier/tensor"
 *
 * reshape(input("x", [2, 3, 4]), [6, -1]).shape // [6, 4]
 * ```
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, length) => (length === -1 ? product : product * length), 1)
  const full = shape.map((length) => (length === -1 ? x.size / known : length))
  return sameShape(full, x.shape) ? x : apply("reshape", [x], { shape: full })
}

/**
 * Axis i of the result is axis permutation[i] of x.
 *
 * @example
 * ```ts
 * import { input, transpose } from "@fourtier/tensor"
 *
 * transpose(input("x", [2, 3, 4]), [2, 0, 1]).shape // [4, 2, 3]
 * ```
 */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return permutation.every((from, to) => from === to) && permutation.length === x.rank
    ? x
    : apply("transpose", [x], { permutation })
}

/**
 * Moves one axis to another position; the others keep their order.
 *
 * @example
 * ```ts
 * import { input, moveAxis } from "@fourtier/tensor"
 *
 * moveAxis(input("x", [2, 3, 4]), 0, -1).shape // [3, 4, 2]
 * ```
 */
export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const axes = [...x.shape.keys()]
  const [axis] = axes.splice(normalizeAxis("moveAxis", from, x.rank), 1)
  axes.splice(normalizeAxis("moveAxis", to, x.rank), 0, axis)
  return transpose(x, axes)
}

/**
 * x broadcast to `shape`.
 *
 * @example
 * ```ts
 * import { expand, input } from "@fourtier/tensor"
 *
 * expand(input("x", [3, 1]), [2, 3, 4]).shape // [2, 3, 4]
 * ```
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply("expand", [x], { shape })
}

/**
 * Elements from `starts` up to but without `ends`, on every axis; `steps` default to 1.
 *
 * @example
 * ```ts
 * import { constant, slice } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3])
 * slice(x, [0, 0], [2, 3], [1, 2]) // 0, 2, 3, 5
 * ```
 */
export function slice(
  x: Tensor,
  starts: readonly number[],
  ends: readonly number[],
  steps?: readonly number[],
): Tensor {
  const by = steps ?? starts.map(() => 1)
  const whole = starts.every((start, axis) => start === 0 && ends[axis] === x.shape[axis] && by[axis] === 1)
  return whole && starts.length === x.rank ? x : apply("slice", [x], { starts, ends, steps: by })
}

/**
 * Elements from `start` up to but without `end` on one axis.
 *
 * @example
 * ```ts
 * import { constant, narrow } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3])
 * narrow(x, -1, 1, 3) // 1, 2, 4, 5
 * ```
 */
export function narrow(x: Tensor, axis: number, start: number, end: number): Tensor {
  const at = normalizeAxis("narrow", axis, x.rank)
  return slice(
    x,
    x.shape.map((_, a) => (a === at ? start : 0)),
    x.shape.map((length, a) => (a === at ? end : length)),
  )
}

/**
 * `n` equal parts along an axis.
 *
 * @example
 * ```ts
 * import { input, split } from "@fourtier/tensor"
 *
 * const [q, k, v] = split(input("qkv", [8, 49, 192]), -1, 3)
 * q.shape // [8, 49, 64]
 * ```
 */
export function split(x: Tensor, axis: number, n: number): Tensor[] {
  const at = normalizeAxis("split", axis, x.rank)
  const length = x.shape[at] / n
  return Array.from({ length: n }, (_, i) => narrow(x, at, i * length, (i + 1) * length))
}

/**
 * Adds `value` before and after every axis. Values other than 0 need f32.
 *
 * @example
 * ```ts
 * import { input, pad } from "@fourtier/tensor"
 *
 * pad(input("x", [2, 3]), [[0, 1], [2, 2]]).shape // [3, 7]
 * ```
 */
export function pad(x: Tensor, pads: Pads, value = 0): Tensor {
  return pads.every(([before, after]) => before === 0 && after === 0) && pads.length === x.rank
    ? x
    : apply("pad", [x], { pads, value })
}

/**
 * Joins tensors along an axis; on the others their lengths are equal.
 *
 * @example
 * ```ts
 * import { concat, input } from "@fourtier/tensor"
 *
 * concat([input("a", [2, 3]), input("b", [4, 3])], 0).shape // [6, 3]
 * ```
 */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  return parts.length === 1 ? parts[0] : apply("concat", parts, { axis: normalizeAxis("concat", axis, parts[0].rank) })
}

/**
 * Joins tensors of one shape along a new axis.
 *
 * @example
 * ```ts
 * import { input, stack } from "@fourtier/tensor"
 *
 * stack([input("a", [2, 3]), input("b", [2, 3])], 1).shape // [2, 2, 3]
 * ```
 */
export function stack(parts: readonly Tensor[], axis: number): Tensor {
  const at = normalizeAxis("stack", axis, parts[0].rank + 1)
  return concat(
    parts.map((part) => reshape(part, [...part.shape.slice(0, at), 1, ...part.shape.slice(at)])),
    at,
  )
}
