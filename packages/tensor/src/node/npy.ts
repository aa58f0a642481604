/**
 * NumPy's `.npy` files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to 3, little
 * endian, C order: whole arrays, and files of fixed-size records that are appended to and read one by one by offset.
 */

import { type FileHandle, mkdir, open } from "node:fs/promises"
import { dirname } from "node:path"
import { FourtierError } from "../errors.ts"
import { notWritten, writeAtomically } from "./files.ts"
import { encodeHeader, HEADER_BYTES, type NpyHeader, type NpyType, readHeader } from "./npy-header.ts"
import {
  allocateStored,
  bytesOf,
  countOf,
  holdsStored,
  openFile,
  type ReadableFile,
  readExactly,
  type StoredArrays,
  type StoredData,
  type StoredTensor,
  type StoredType,
  storedBytes,
  writeExactly,
} from "./stored.ts"

/**
 * Writes a whole array, atomically. `data` are the elements of `shape` in C order.
 *
 * @example
 * ```ts
 * import { writeNpy } from "@fourtier/tensor/node"
 *
 * await writeNpy("features.npy", "f32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
 * ```
 */
export async function writeNpy<K extends NpyType>(
  path: string,
  type: K,
  shape: readonly number[],
  data: StoredArrays[K],
): Promise<void> {
  checkElements(path, type, countOf(shape), data)
  await writeAtomically(path, async (file) => {
    const header = encodeHeader(type, shape)
    await writeExactly(file, header, 0)
    await writeExactly(file, bytesOf(data), header.length)
  })
}

/**
 * Reads a whole array. With `type`, another element type in the file is an error.
 *
 * @example
 * ```ts
 * import { readNpy } from "@fourtier/tensor/node"
 *
 * const { shape, data } = await readNpy("features.npy", "f32")
 * ```
 */
export async function readNpy(path: string): Promise<StoredTensor<NpyType>>
export async function readNpy<K extends NpyType>(path: string, type: K): Promise<StoredTensor<K>>
export async function readNpy(path: string, type?: NpyType): Promise<StoredTensor<NpyType>> {
  const file = await openFile(path, () => open(path, "r"))
  try {
    const header = await readHeader(file, path)
    checkType(path, header.type, type)
    const data = allocateStored(header.type, countOf(header.shape))
    await readExactly(file, bytesOf(data), header.start, path)
    return { type: header.type, shape: header.shape, data }
  } finally {
    await file.close()
  }
}

/**
 * Reads records, the slices along the first axis, by their offset in the file. Calls may overlap.
 *
 * @example
 * ```ts
 * import { NpyReader } from "@fourtier/tensor/node"
 *
 * const reader = await NpyReader.open("features.npy", "f32")
 * const last = await reader.read(reader.count - 1)
 * await reader.close()
 * ```
 */
export class NpyReader<K extends NpyType = NpyType> {
  readonly path: string
  readonly type: K
  readonly shape: readonly number[]
  /** Shape of one record: `shape` without its first axis. */
  readonly recordShape: readonly number[]
  /** Elements of one record. */
  readonly recordLength: number
  readonly #file: ReadableFile
  readonly #start: number

  private constructor(path: string, file: ReadableFile, type: K, header: NpyHeader) {
    this.path = path
    this.type = type
    this.shape = header.shape
    this.recordShape = header.shape.slice(1)
    this.recordLength = countOf(this.recordShape)
    this.#file = file
    this.#start = header.start
  }

  /**
   * Opens a file and checks its header and size. With `type`, another element type in the file is an error. Bytes after the
   * last record are left alone. Throws a FourtierError for files that are no such array or are truncated.
   */
  static async open(path: string): Promise<NpyReader>
  static async open<K extends NpyType>(path: string, type: K): Promise<NpyReader<K>>
  static async open(path: string, type?: NpyType): Promise<NpyReader> {
    const file = await openFile(path, () => open(path, "r"))
    return type === undefined ? NpyReader.over(path, file) : NpyReader.over(path, file, type)
  }

  /** As `open`, of a file that is open already, on disk or elsewhere; `path` is for errors. The reader closes it. */
  static async over(path: string, file: ReadableFile): Promise<NpyReader>
  static async over<K extends NpyType>(path: string, file: ReadableFile, type: K): Promise<NpyReader<K>>
  static async over(path: string, file: ReadableFile, type?: NpyType): Promise<NpyReader> {
    try {
      const header = await readHeader(file, path)
      checkType(path, header.type, type)
      if (header.shape.length === 0) {
        throw new FourtierError({
          where: path,
          what: "a scalar has no records",
          expected: "an array of rank 1 or more",
        })
      }
      return new NpyReader(path, file, header.type, header)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Number of records. */
  get count(): number {
    return this.shape[0]
  }

  /** Record `i`, into `into` (of `recordLength` elements) if given. */
  async read(i: number, into?: StoredArrays[K]): Promise<StoredArrays[K]> {
    return this.readRange(i, i + 1, into)
  }

  /** Records `begin` to `end` (exclusive), one after another, into `into` if given. */
  async readRange(begin: number, end: number, into?: StoredArrays[K]): Promise<StoredArrays[K]> {
    if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || end < begin || end > this.count) {
      throw new FourtierError({
        where: this.path,
        what: "no such records",
        expected: `a range within 0 to ${this.count}`,
        found: `${begin} to ${end}`,
      })
    }
    const length = (end - begin) * this.recordLength
    const target = into ?? allocateStored(this.type, length)
    checkElements(this.path, this.type, length, target)
    const offset = this.#start + begin * this.recordLength * storedBytes[this.type]
    await readExactly(this.#file, bytesOf(target), offset, this.path)
    return target
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

/**
 * Appends fixed-size records to a file. The header counts the records that are safely on disk: after a crash the file is
 * a valid array of what was last flushed, and `open` continues from there. One writer per file.
 *
 * @example
 * ```ts
 * import { NpyWriter } from "@fourtier/tensor/node"
 *
 * const writer = await NpyWriter.open("features.npy", "f32", [3])
 * await writer.append(Float32Array.of(1, 2, 3))
 * await writer.close()
 * ```
 */
export class NpyWriter<K extends NpyType = NpyType> {
  readonly path: string
  readonly type: K
  readonly recordShape: readonly number[]
  readonly recordLength: number
  #file: FileHandle
  #count: number
  #position: number
  #flushed: number

  private constructor(path: string, file: FileHandle, type: K, recordShape: readonly number[], count: number) {
    this.path = path
    this.type = type
    this.recordShape = [...recordShape]
    this.recordLength = countOf(recordShape)
    this.#file = file
    this.#count = count
    this.#flushed = count
    this.#position = HEADER_BYTES + count * this.recordLength * storedBytes[type]
  }

  /** Creates the file, or continues one of the same type and record shape; bytes after its last counted record go. */
  static async open<K extends NpyType>(path: string, type: K, recordShape: readonly number[]): Promise<NpyWriter<K>> {
    const file = await written(path, async () => {
      await mkdir(dirname(path), { recursive: true })
      return openOrCreate(path)
    })
    try {
      let count = 0
      if ((await file.stat()).size > 0) {
        const header = await readHeader(file, path)
        const same = header.type === type && String(header.shape.slice(1)) === String(recordShape)
        if (!same || header.shape.length !== recordShape.length + 1 || header.start !== HEADER_BYTES) {
          throw new FourtierError({
            where: path,
            what: "cannot append to a file of other records",
            expected: `${type} records of [${recordShape.join(", ")}]`,
            found: `${header.type} array of [${header.shape.join(", ")}]`,
            fix: "delete the file, or choose another name",
          })
        }
        count = header.shape[0]
      } else {
        await written(path, () => writeExactly(file, encodeHeader(type, [0, ...recordShape]), 0))
      }
      const writer = new NpyWriter(path, file, type, recordShape, count)
      await written(path, () => file.truncate(writer.#position))
      return writer
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Number of records, those not flushed yet included. */
  get count(): number {
    return this.#count
  }

  /** Appends the whole records in `data`. @returns the index of the first one. Await each call before the next. */
  async append(data: StoredArrays[K]): Promise<number> {
    const records = this.recordLength === 0 ? 0 : data.length / this.recordLength
    checkElements(this.path, this.type, Math.max(1, Math.round(records)) * this.recordLength, data)
    await written(this.path, () => writeExactly(this.#file, bytesOf(data), this.#position))
    const first = this.#count
    this.#position += data.byteLength
    this.#count += records
    return first
  }

  /** Flushes the records to the disk, then counts them in the header. */
  async flush(): Promise<void> {
    if (this.#count === this.#flushed) return
    await written(this.path, async () => {
      await this.#file.datasync()
      await writeExactly(this.#file, encodeHeader(this.type, [this.#count, ...this.recordShape]), 0)
      await this.#file.datasync()
    })
    this.#flushed = this.#count
  }

  async close(): Promise<void> {
    try {
      await this.flush()
    } finally {
      await this.#file.close()
    }
  }
}

/** Work that writes to `path`. @throws FourtierError with the path where the system does not let it */
async function written<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw notWritten(path, error)
  }
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r+")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return await open(path, "wx+")
    throw error
  }
}

function checkType(path: string, found: NpyType, expected: NpyType | undefined): void {
  if (expected !== undefined && found !== expected) {
    throw new FourtierError({ where: path, what: "other element type", expected, found })
  }
}

function checkElements(path: string, type: StoredType, length: number, data: StoredData): void {
  if (data.length !== length || !holdsStored(type, data)) {
    throw new FourtierError({
      where: path,
      what: "array does not fit",
      expected: `${length} elements of ${type}`,
      found: `${data.constructor.name} of ${data.length}`,
    })
  }
}
