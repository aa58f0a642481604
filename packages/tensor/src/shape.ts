/** Static types of tensors: shapes with their sizes, broadcasting and axes. */

import type { DType } from "./dtype.ts"
import { FourtierError } from "./errors.ts"

/** Lengths of the axes, outermost first; [] is a scalar. */
export type Shape = readonly number[]

/** What is known of a value before it is computed. */
export interface TensorType {
  readonly shape: Shape
  readonly dtype: DType
}

/**
 * Number of elements.
 *
 * @example
 * ```ts
 * import { sizeOf } from "@fourtier/tensor"
 *
 * sizeOf([2, 3, 4]) // 24
 * sizeOf([]) // 1
 * ```
 */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1)
}

/**
 * Whether two shapes have the same rank and lengths.
 *
 * @example
 * ```ts
 * import { sameShape } from "@fourtier/tensor"
 *
 * sameShape([2, 3], [2, 3]) // true
 * sameShape([6], [2, 3]) // false
 * ```
 */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis])
}

/**
 * A shape as text, for messages.
 *
 * @example
 * ```ts
 * import { showShape } from "@fourtier/tensor"
 *
 * showShape([2, 3]) // "[2,3]"
 * ```
 */
export function showShape(shape: Shape): string {
  return `[${shape.join(",")}]`
}

/** The error of an op whose input shapes do not fit: names the op and shows every shape. */
export function shapeError(op: string, shapes: readonly Shape[], expected: string): FourtierError {
  return new FourtierError({
    where: `tensor op ${op}`,
    what: "shapes do not fit",
    expected,
    found: shapes.map(showShape).join(" and "),
  })
}

/** The shape to which `a` and `b` broadcast by NumPy's rules; throws a FourtierError that names `op` if there is none. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length)
  const result = new Array<number>(rank)
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1
    const y = b[b.length - rank + i] ?? 1
    if (x !== y && x !== 1 && y !== 1) throw shapeError(op, [a, b], "equal lengths, or 1, on every axis from the right")
    result[i] = x === 1 ? y : x
  }
  return result
}

/** The axes of `to` along which broadcasting repeats a tensor of shape `from`, and how many new axes stand in front. */
export function broadcastAxes(from: Shape, to: Shape): { added: number; repeated: number[] } {
  const added = to.length - from.length
  const repeated = from.flatMap((length, axis) => (length === 1 && to[axis + added] !== 1 ? [axis + added] : []))
  return { added, repeated }
}

/** `axis` counted from the front; negative axes count from the back. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || result < 0 || result >= rank) {
    throw new FourtierError({
      where: `tensor op ${op}`,
      what: "no such axis",
      expected: `an axis from ${-rank} to ${rank - 1}`,
      found: String(axis),
    })
  }
  return result
}

/** Sorted, distinct axes counted from the front; all of them when `axes` is undefined. */
export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis)
  const list = typeof axes === "number" ? [axes] : axes
  return [...new Set(list.map((axis) => normalizeAxis(op, axis, rank)))].sort((a, b) => a - b)
}

/** Shape after reducing over sorted `axes`. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
    : shape.filter((_, axis) => !axes.includes(axis))
}
