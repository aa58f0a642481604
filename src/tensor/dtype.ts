/** Element types and the typed arrays that hold them. */

import { FourtierError } from "../util/errors.ts"

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

export const bytesPerElement: Record<DType, number> = { f32: 4, f16: 2, i64: 8, i32: 4, bool: 1 }

const constructors: { [K in DType]: new (length: number) => ArrayOf[K] } = {
  f32: Float32Array,
  f16: Uint16Array,
  i64: BigInt64Array,
  i32: Int32Array,
  bool: Uint8Array,
}

/** Whether `data` is the array type of `dtype`. */
export function holds<K extends DType>(dtype: K, data: Data): data is ArrayOf[K] {
  return data instanceof constructors[dtype]
}

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

export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f16"
}
