/** Element types and the typed arrays that hold them. */

import { FourtierError } from "./errors.ts"

/** f16 is a storage type: cast to f32 before computing with it. */
export type DType = "f32" | "f16" | "i64" | "i32" | "bool"

/** Array that holds a dtype's elements: f16 as raw bits in 16-bit words, bool as bytes 0 or 1. */
export interface ArrayOf {
  f32: Float32Array
  f16: Uint16Array
  i64: BigInt64Array
  i32: Int32Array
  bool: Uint8Array
}

export type Data = ArrayOf[DType]

const constructors: { [K in DType]: new (length: number) => ArrayOf[K] } = {
  f32: Float32Array,
  f16: Uint16Array,
  i64: BigInt64Array,
  i32: Int32Array,
  bool: Uint8Array,
}

/**
 * Whether `data` is an array of `dtype`'s kind; narrows its type.
 *
 * @example
 * ```ts
 * import { constant, evaluate, holds } from "@fourtier/tensor"
 *
 * const { y } = await evaluate({ outputs: { y: constant(Float32Array.of(1, 2), [2]) } })
 * const values: Float32Array = holds("f32", y) ? y : new Float32Array()
 * ```
 */
export function holds<K extends DType>(dtype: K, data: Data): data is ArrayOf[K] {
  return data instanceof constructors[dtype]
}

/** Throws a FourtierError about `where` unless `data` is an array of `dtype`'s kind with `length` elements. */
export function checkHolds(where: string, dtype: DType, data: Data, length: number): void {
  if (!holds(dtype, data) || data.length !== length) {
    throw new FourtierError({
      where,
      what: "data does not fit the tensor",
      expected: `${constructors[dtype].name} of ${length} elements (${dtype})`,
      found: `${data.constructor.name} of ${data.length}`,
    })
  }
}
