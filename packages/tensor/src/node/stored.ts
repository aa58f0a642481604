/** Element types as stored in files, their typed arrays, and reads and writes of byte ranges. Little endian. */

import type { FileHandle } from "node:fs/promises"
import { FourtierError } from "../errors.ts"
import { bfloatToFloat, halfToFloat } from "../half.ts"

/** Array of each element type: f16 and bf16 as raw bits in 16-bit words, bool as bytes 0 or 1. */
export interface StoredArrays {
  f64: Float64Array
  f32: Float32Array
  f16: Uint16Array
  bf16: Uint16Array
  i64: BigInt64Array
  i32: Int32Array
  i16: Int16Array
  i8: Int8Array
  u64: BigUint64Array
  u32: Uint32Array
  u16: Uint16Array
  u8: Uint8Array
  bool: Uint8Array
}

export type StoredType = keyof StoredArrays
export type StoredData = StoredArrays[StoredType]

/** A tensor of a file with its data: C order, `shape` [] for a scalar. */
export interface StoredTensor<K extends StoredType = StoredType> {
  type: K
  shape: number[]
  data: StoredArrays[K]
}

const ARRAYS: { [K in StoredType]: new (buffer: ArrayBuffer, offset?: number, length?: number) => StoredArrays[K] } = {
  f64: Float64Array,
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i64: BigInt64Array,
  i32: Int32Array,
  i16: Int16Array,
  i8: Int8Array,
  u64: BigUint64Array,
  u32: Uint32Array,
  u16: Uint16Array,
  u8: Uint8Array,
  bool: Uint8Array,
}

/** Bytes of one element. */
export const storedBytes: Record<StoredType, number> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u64: 8,
  u32: 4,
  u16: 2,
  u8: 1,
  bool: 1,
}

/** The largest array that this runtime is asked to make, in bytes. */
const MAX_ARRAY_BYTES = 2 ** 32

/**
 * An array of `length` zeros. Throws a FourtierError when it would be larger than 4 GiB.
 *
 * @example
 * ```ts
 * import { allocateStored } from "@fourtier/tensor/node"
 *
 * const bits = allocateStored("f16", 3) // Uint16Array
 * ```
 */
export function allocateStored<K extends StoredType>(type: K, length: number): StoredArrays[K] {
  const bytes = length * storedBytes[type]
  if (!(bytes <= MAX_ARRAY_BYTES)) {
    throw new FourtierError({
      what: "tensor too large",
      expected: "at most 4 GiB",
      found: `${length} elements of ${type}`,
    })
  }
  return new ARRAYS[type](new ArrayBuffer(bytes))
}

/** Whether `data` is the array of `type`. */
export function holdsStored<K extends StoredType>(type: K, data: StoredData): data is StoredArrays[K] {
  return data instanceof ARRAYS[type]
}

/**
 * The memory of a typed array as bytes, not copied.
 *
 * @example
 * ```ts
 * import { bytesOf } from "@fourtier/tensor/node"
 *
 * bytesOf(Float32Array.of(1, 2)).length // 8
 * ```
 */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/**
 * Number of elements of a shape; 1 for a scalar.
 *
 * @example
 * ```ts
 * import { countOf } from "@fourtier/tensor/node"
 *
 * countOf([2, 3]) // 6
 * ```
 */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/**
 * Elements as float32. Float32 data are returned as they are; wider types are rounded; bool becomes 0 or 1.
 *
 * @example
 * ```ts
 * import { toFloat32 } from "@fourtier/tensor/node"
 *
 * toFloat32({ type: "f16", data: Uint16Array.of(0x3c00, 0xc000) }) // 1, -2
 * ```
 */
export function toFloat32<K extends StoredType>(tensor: { type: K; data: StoredArrays[K] }): Float32Array {
  const { type } = tensor
  const data: StoredData = tensor.data
  if (data instanceof Float32Array) return data
  if (type === "f16" && data instanceof Uint16Array) return halfToFloat(data)
  if (type === "bf16" && data instanceof Uint16Array) return bfloatToFloat(data)
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const values = new Float32Array(data.length)
    for (let i = 0; i < values.length; i++) values[i] = Number(data[i])
    return values
  }
  return Float32Array.from(data)
}

/** A file that is read by places: on disk, or somewhere else. A `FileHandle` is one. */
export interface ReadableFile {
  stat(): Promise<{ size: number }>
  /** Up to `length` bytes from `position` on, to `offset` in the buffer. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
  close(): Promise<void>
}

/**
 * Fills `into` from the file's bytes at `position`. Throws a FourtierError about `where` when the file ends before.
 *
 * @example
 * ```ts
 * import { open } from "node:fs/promises"
 * import { readExactly } from "@fourtier/tensor/node"
 *
 * const file = await open("features.npy", "r")
 * const magic = new Uint8Array(6)
 * await readExactly(file, magic, 0, "features.npy")
 * await file.close()
 * ```
 */
export async function readExactly(
  file: ReadableFile,
  into: Uint8Array,
  position: number,
  where: string,
): Promise<void> {
  let done = 0
  while (done < into.length) {
    // One call reads less than 2 GiB.
    const { bytesRead } = await file.read(into, done, Math.min(into.length - done, 2 ** 30), position + done)
    if (bytesRead === 0) {
      throw new FourtierError({
        where,
        what: "the file ends too early",
        expected: `${into.length} bytes at offset ${position}`,
        found: `${done} bytes`,
        fix: "the file is truncated: fetch or make it again",
      })
    }
    done += bytesRead
  }
}

/**
 * Writes all of `bytes` at `position`.
 *
 * @example
 * ```ts
 * import { writeAtomically, writeExactly } from "@fourtier/tensor/node"
 *
 * await writeAtomically("data.bin", (file) => writeExactly(file, Uint8Array.of(1, 2, 3), 0))
 * ```
 */
export async function writeExactly(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done)
    done += bytesWritten
  }
}

/**
 * Opens an existing file. Throws a FourtierError that names it when it is missing or cannot be opened.
 *
 * @example
 * ```ts
 * import { open } from "node:fs/promises"
 * import { openFile } from "@fourtier/tensor/node"
 *
 * const file = await openFile("features.npy", () => open("features.npy", "r"))
 * await file.close()
 * ```
 */
export async function openFile(path: string, open: () => Promise<FileHandle>): Promise<FileHandle> {
  try {
    return await open()
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT"
    throw new FourtierError(
      {
        where: path,
        what: missing ? "no such file" : "cannot be opened",
        found: error instanceof Error ? error.message : String(error),
      },
      { cause: error },
    )
  }
}
