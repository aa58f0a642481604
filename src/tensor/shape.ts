/** Static shapes: sizes, broadcasting, axes. */

import { FourtierError } from "../util/errors.ts"

export type Shape = readonly number[]

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1)
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis])
}

export function showShape(shape: Shape): string {
  return `[${shape.join(",")}]`
}

/** A shape error in one op: names the op and shows every input's shape. */
export function shapeError(op: string, shapes: readonly Shape[], expected: string): FourtierError {
  return new FourtierError({
    where: `tensor op ${op}`,
    what: "shapes do not fit",
    expected,
    found: shapes.map(showShape).join(" and "),
  })
}

/** Numpy broadcasting of two shapes. */
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

/** The axes of `to` along which a tensor of shape `from` is repeated when broadcast, and how many are new in front. */
export function broadcastAxes(from: Shape, to: Shape): { added: number; repeated: number[] } {
  const added = to.length - from.length
  const repeated = from.flatMap((length, axis) => (length === 1 && to[axis + added] !== 1 ? [axis + added] : []))
  return { added, repeated }
}

/** An axis counted from the front; negative ones count from the back. */
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
