/**
 * safetensors files (https://huggingface.co/docs/safetensors): a JSON header, then the tensors' bytes. Written tensor by
 * tensor, read by ranges: opening reads the header only.
 */

import { type FileHandle, open } from "node:fs/promises"
import { z } from "zod"
import { FourtierError, messageOf } from "../errors.ts"
import { writeAtomically } from "./files.ts"
import { findDuplicateKey } from "./json-keys.ts"
import {
  allocateStored,
  bytesOf,
  countOf,
  holdsStored,
  openFile,
  readExactly,
  type StoredData,
  type StoredTensor,
  type StoredType,
  storedBytes,
  toFloat32,
  writeExactly,
} from "./stored.ts"

const TYPE_NAMES: Record<StoredType, string> = {
  f64: "F64",
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  i64: "I64",
  i32: "I32",
  i16: "I16",
  i8: "I8",
  u64: "U64",
  u32: "U32",
  u16: "U16",
  u8: "U8",
  bool: "BOOL",
}
const TYPES = new Map(
  Object.keys(TYPE_NAMES)
    .filter((key): key is StoredType => key in TYPE_NAMES)
    .map((type) => [TYPE_NAMES[type], type]),
)

/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000

const offset = z.int().nonnegative()
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(offset),
  data_offsets: z.tuple([offset, offset]),
})
const metadataSchema = z.record(z.string(), z.string())

/** What is known of a tensor before its data are read. */
export interface TensorEntry {
  type: StoredType
  shape: number[]
  /** Offset in the file, and length, in bytes. */
  offset: number
  length: number
}

/** A tensor to write. `data` may be a function, called when its turn comes, so that not all need be in memory. */
export interface TensorSource {
  name: string
  type: StoredType
  shape: readonly number[]
  data: StoredData | (() => StoredData | Promise<StoredData>)
}

/**
 * Writes tensors to `path`, atomically, one at a time. The largest element types come first, so that all are aligned.
 * Throws a FourtierError for names given twice and for data that do not fit their shape.
 *
 * @example
 * ```ts
 * import { writeSafetensors } from "@fourtier/tensor/node"
 *
 * await writeSafetensors("weights.safetensors", [
 *   { name: "linear.weight", type: "f32", shape: [2, 1], data: Float32Array.of(1, 2) },
 * ])
 * ```
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorSource>,
  metadata: Record<string, string> = {},
): Promise<void> {
  const sorted = [...tensors].sort(
    (a, b) => storedBytes[b.type] - storedBytes[a.type] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  )
  const fields: string[] = []
  if (Object.keys(metadata).length > 0) fields.push(`"__metadata__":${JSON.stringify(metadata)}`)
  let end = 0
  sorted.forEach((tensor, i) => {
    if (tensor.name === "__metadata__" || sorted[i - 1]?.name === tensor.name) {
      throw new FourtierError({ where: path, what: "tensor name is taken", found: tensor.name })
    }
    const begin = end
    end += countOf(tensor.shape) * storedBytes[tensor.type]
    const entry = { dtype: TYPE_NAMES[tensor.type], shape: tensor.shape, data_offsets: [begin, end] }
    fields.push(`${JSON.stringify(tensor.name)}:${JSON.stringify(entry)}`)
  })
  const header = encodeHeader(`{${fields.join(",")}}`)
  await writeAtomically(path, async (file) => {
    await writeExactly(file, header, 0)
    let position = header.length
    for (const tensor of sorted) {
      const data = typeof tensor.data === "function" ? await tensor.data() : tensor.data
      if (data.length !== countOf(tensor.shape) || !holdsStored(tensor.type, data)) {
        throw new FourtierError({
          where: `${path}, ${tensor.name}`,
          what: "data do not fit the shape",
          expected: `${tensor.type} [${tensor.shape.join(", ")}]`,
          found: `${data.constructor.name} of ${data.length}`,
        })
      }
      await writeExactly(file, bytesOf(data), position)
      position += data.byteLength
    }
  })
}

/**
 * An open file: names, types and shapes at once, data on demand.
 *
 * @example
 * ```ts
 * import { Safetensors } from "@fourtier/tensor/node"
 *
 * const file = await Safetensors.open("weights.safetensors")
 * for (const [name, { shape }] of file.entries) console.log(name, shape)
 * const weight = await file.readFloat32("linear.weight")
 * await file.close()
 * ```
 */
export class Safetensors {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly #file: FileHandle

  private constructor(path: string, file: FileHandle, header: Header) {
    this.path = path
    this.#file = file
    this.metadata = header.metadata
    this.entries = header.entries
  }

  /**
   * Opens a file and checks its header: every tensor known, named once, and the tensors covering the file without gaps or
   * overlaps. Throws FourtierError otherwise.
   */
  static async open(path: string): Promise<Safetensors> {
    const file = await openFile(path, () => open(path, "r"))
    try {
      return new Safetensors(path, file, await readHeader(file, path))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get keys(): string[] {
    return [...this.entries.keys()]
  }

  /** Type and shape of a tensor. Throws FourtierError for an unknown name. */
  entry(name: string): TensorEntry {
    const entry = this.entries.get(name)
    if (!entry) throw new FourtierError({ where: this.path, what: `no tensor named ${name}` })
    return entry
  }

  /** A tensor as stored. */
  async read(name: string): Promise<StoredTensor> {
    const { type, shape, offset } = this.entry(name)
    const data = allocateStored(type, countOf(shape))
    await readExactly(this.#file, bytesOf(data), offset, `${this.path}, ${name}`)
    return { type, shape, data }
  }

  /** A tensor's elements as float32. */
  async readFloat32(name: string): Promise<Float32Array> {
    return toFloat32(await this.read(name))
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

interface Header {
  metadata: Record<string, string>
  entries: Map<string, TensorEntry>
}

/** The length, then the header, padded with blanks so that the data start at a multiple of 8. */
function encodeHeader(json: string): Uint8Array {
  const text = Buffer.from(json)
  const padded = Math.ceil(text.length / 8) * 8
  const header = Buffer.alloc(8 + padded, " ")
  header.writeBigUInt64LE(BigInt(padded), 0)
  text.copy(header, 8)
  return header
}

async function readHeader(file: FileHandle, path: string): Promise<Header> {
  const size = (await file.stat()).size
  const prefix = Buffer.alloc(8)
  await readExactly(file, prefix, 0, path)
  const length = prefix.readBigUInt64LE(0)
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, size - 8))) {
    throw broken(path, "header longer than the file or than 100 MB", `${length} bytes`)
  }
  const text = Buffer.alloc(Number(length))
  await readExactly(file, text, 8, path)
  const fields = parseHeader(text, path)
  const start = 8 + text.length
  const entries = new Map<string, TensorEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of fields) {
    if (name === "__metadata__") metadata = check(metadataSchema, value, `${path}, __metadata__`)
    else entries.set(name, readEntry(value, start, `${path}, ${name}`))
  }
  let end = start
  for (const [name, entry] of [...entries].sort((a, b) => a[1].offset - b[1].offset || a[1].length - b[1].length)) {
    if (entry.offset !== end) {
      throw broken(
        `${path}, ${name}`,
        "tensors overlap or leave a gap",
        `offset ${entry.offset - start} after ${end - start}`,
      )
    }
    end += entry.length
  }
  if (end !== size) throw broken(path, "the tensors do not fill the file", `${end} of ${size} bytes`)
  return { metadata, entries }
}

function parseHeader(bytes: Buffer, path: string): [string, unknown][] {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (error) {
    throw broken(path, "header is not JSON", messageOf(error), error)
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw broken(path, "header is no object", text.slice(0, 80))
  }
  const duplicate = findDuplicateKey(text)
  if (duplicate !== undefined) throw broken(path, "header names a key twice", duplicate)
  return Object.entries(value)
}

function readEntry(value: unknown, start: number, where: string): TensorEntry {
  const { dtype, shape, data_offsets } = check(entrySchema, value, where)
  const type = TYPES.get(dtype)
  if (!type) throw broken(where, `element type ${dtype} is not read`, dtype)
  const [begin, end] = data_offsets
  if (end - begin !== countOf(shape) * storedBytes[type]) {
    throw broken(where, "offsets do not fit the shape", `${end - begin} bytes for ${type} [${shape.join(", ")}]`)
  }
  return { type, shape, offset: start + begin, length: end - begin }
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw broken(where, "malformed header", z.prettifyError(result.error))
}

function broken(where: string, what: string, found: string, cause?: unknown): FourtierError {
  const fix = "the file is corrupt, truncated or no safetensors file: fetch or make it again"
  return new FourtierError({ where, what, found, fix }, { cause })
}
