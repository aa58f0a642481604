/** Finds numbers that are none, NaN and infinities, in arrays from outside. */

import { type Shape, sizeOf } from "./shape.ts"

/**
 * What is not finite in an array, in words for an error; null where all is well.
 *
 * @param shape of the array, so that a place can be named
 * @param limit the largest magnitude that counts as finite, for another type of number
 *
 * @example
 * ```ts
 * import { nonFinite } from "@fourtier/tensor"
 *
 * nonFinite(Float32Array.of(1, Number.NaN, 2, 3), [2, 2]) // "1 of 4 values, the first NaN at [0,1]"
 * ```
 */
export function nonFinite(values: ArrayLike<number>, shape: Shape, limit = Number.MAX_VALUE): string | null {
  let count = 0
  let first = 0
  for (let i = 0; i < values.length; i++) {
    if (Math.abs(values[i]) <= limit) continue
    if (count === 0) first = i
    count++
  }
  if (count === 0) return null
  const place = shape.map((length, axis) => Math.floor(first / sizeOf(shape.slice(axis + 1))) % length)
  return `${count} of ${values.length} values, the first ${values[first]} at [${place.join(",")}]`
}
