/** ONNX's TensorProto: constants of a graph, their bytes inside the file or in a file beside it. */

import { FourtierError } from "../errors.ts"
import { malformed, readFields, type WireWriter } from "./wire.ts"

/** ONNX's element types. */
export const DataType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  COMPLEX64: 14,
  COMPLEX128: 15,
  BFLOAT16: 16,
  FLOAT8E4M3FN: 17,
  FLOAT8E4M3FNUZ: 18,
  FLOAT8E5M2: 19,
  FLOAT8E5M2FNUZ: 20,
  UINT4: 21,
  INT4: 22,
  FLOAT4E2M1: 23,
} as const

/** Where a tensor's bytes are, outside the `.onnx` file. */
export interface ExternalData {
  /** A path relative to the `.onnx` file's folder. */
  location: string
  offset: number
  length: number
}

export type TensorProto = {
  name: string
  dims: number[]
  dataType: number
} & (
  | { /** Little-endian elements in C order. */ rawData: Uint8Array; externalData?: undefined; stringData?: undefined }
  | { externalData: ExternalData; rawData?: undefined; stringData?: undefined }
  | { stringData: Uint8Array[]; rawData?: undefined; externalData?: undefined }
)

const BYTES = new Map<number, number>([
  [DataType.FLOAT, 4],
  [DataType.UINT8, 1],
  [DataType.INT8, 1],
  [DataType.UINT16, 2],
  [DataType.INT16, 2],
  [DataType.INT32, 4],
  [DataType.INT64, 8],
  [DataType.BOOL, 1],
  [DataType.FLOAT16, 2],
  [DataType.DOUBLE, 8],
  [DataType.UINT32, 4],
  [DataType.UINT64, 8],
  [DataType.COMPLEX64, 8],
  [DataType.COMPLEX128, 16],
  [DataType.BFLOAT16, 2],
  [DataType.FLOAT8E4M3FN, 1],
  [DataType.FLOAT8E4M3FNUZ, 1],
  [DataType.FLOAT8E5M2, 1],
  [DataType.FLOAT8E5M2FNUZ, 1],
  [DataType.UINT4, 0.5],
  [DataType.INT4, 0.5],
  [DataType.FLOAT4E2M1, 0.5],
])

/** Bytes of one element; 0.5 for types of four bits. Throws FourtierError for strings and unknown types. */
export function bytesPerElement(dataType: number): number {
  const bytes = BYTES.get(dataType)
  if (bytes === undefined) {
    throw new FourtierError({ what: "ONNX element type has no fixed size here", found: `type ${dataType}` })
  }
  return bytes
}

/**
 * The same tensors with the bytes of the large ones moved to one file `location` beside the model, as models over 2 GB
 * need. Offsets are multiples of 4096, so that a runtime can map the file.
 *
 * @param threshold tensors of fewer bytes stay in the model
 * @returns the tensors, and the pieces to write into the file: `bytes` at `offset`
 */
export function externalize(
  tensors: readonly TensorProto[],
  location: string,
  threshold = 1024,
): { tensors: TensorProto[]; pieces: { offset: number; bytes: Uint8Array }[]; length: number } {
  const pieces: { offset: number; bytes: Uint8Array }[] = []
  let end = 0
  const moved = tensors.map((tensor): TensorProto => {
    if (!tensor.rawData || tensor.rawData.length < threshold) return tensor
    const offset = Math.ceil(end / 4096) * 4096
    const bytes = tensor.rawData
    end = offset + bytes.length
    pieces.push({ offset, bytes })
    const { name, dims, dataType } = tensor
    return { name, dims, dataType, externalData: { location, offset, length: bytes.length } }
  })
  return { tensors: moved, pieces, length: end }
}

export function encodeTensor(out: WireWriter, tensor: TensorProto): void {
  if (tensor.dims.length > 0) out.packedInts(1, tensor.dims)
  out.int(2, tensor.dataType)
  if (tensor.name) out.string(8, tensor.name)
  if (tensor.rawData) {
    checkSize(tensor.name, tensor.dims, tensor.dataType, tensor.rawData.length)
    out.bytes(9, tensor.rawData)
  } else if (tensor.stringData) {
    for (const value of tensor.stringData) out.bytes(6, value)
  } else {
    const { location, offset, length } = tensor.externalData
    for (const [key, value] of Object.entries({ location, offset, length })) {
      out.message(13, (body) => {
        body.string(1, key)
        body.string(2, String(value))
      })
    }
    out.int(14, 1)
  }
}

export function decodeTensor(bytes: Uint8Array): TensorProto {
  let name = ""
  let dataType = 0
  let external = false
  let rawData: Uint8Array | undefined
  const dims: number[] = []
  const strings: Uint8Array[] = []
  const entries = new Map<string, string>()
  const fixed: Uint8Array[] = []
  const longs: BigInt64Array[] = []
  readFields(bytes, (field) => {
    if (field.number === 1) dims.push(...field.ints())
    else if (field.number === 2) dataType = field.int()
    else if (field.number === 3) throw new FourtierError({ what: "tensors in segments are not read" })
    else if (field.number === 4) fixed.push(field.fixed(4))
    else if (field.number === 5 || field.number === 7 || field.number === 11) longs.push(field.longs())
    else if (field.number === 6) strings.push(field.bytes())
    else if (field.number === 8) name = field.string()
    else if (field.number === 9) rawData = field.bytes()
    else if (field.number === 10) fixed.push(field.fixed(8))
    else if (field.number === 13) readEntry(field.bytes(), entries)
    else if (field.number === 14) external = field.int() === 1
  })
  if (dims.some((dim) => dim < 0)) throw malformed(`tensor ${name} with dims [${dims.join(", ")}]`)
  if (external) return { name, dims, dataType, externalData: externalFrom(name, dims, dataType, entries) }
  if (dataType === DataType.STRING) {
    const count = dims.reduce((product, dim) => product * dim, 1)
    if (strings.length !== count) throw malformed(`tensor ${name} with ${strings.length} of ${count} texts`)
    return { name, dims, dataType, stringData: strings }
  }
  rawData ??= longs.length > 0 ? narrow(longs, Math.ceil(bytesPerElement(dataType))) : concatenate(fixed)
  checkSize(name, dims, dataType, rawData.length)
  return { name, dims, dataType, rawData }
}

/** The low `size` bytes of every number: elements as in `raw_data`. */
function narrow(longs: readonly BigInt64Array[], size: number): Uint8Array {
  return concatenate(
    longs.map((numbers) => {
      const wide = new Uint8Array(numbers.buffer)
      const narrowed = new Uint8Array(numbers.length * size)
      for (let i = 0; i < narrowed.length; i++) narrowed[i] = wide[Math.floor(i / size) * 8 + (i % size)]
      return narrowed
    }),
  )
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

function readEntry(bytes: Uint8Array, entries: Map<string, string>): void {
  let key = ""
  let value = ""
  readFields(bytes, (field) => {
    if (field.number === 1) key = field.string()
    else if (field.number === 2) value = field.string()
  })
  entries.set(key, value)
}

function externalFrom(name: string, dims: number[], dataType: number, entries: Map<string, string>): ExternalData {
  const number = (key: string, fallback: number) => {
    const text = entries.get(key)
    if (text === undefined) return fallback
    if (!/^\d{1,15}$/.test(text)) throw malformed(`tensor ${name} with external ${key} "${text}"`)
    return Number(text)
  }
  const location = entries.get("location")
  if (!location) throw malformed(`tensor ${name} with external data but no location`)
  const length = number("length", byteLength(dims, dataType))
  checkSize(name, dims, dataType, length)
  return { location, offset: number("offset", 0), length }
}

function byteLength(dims: readonly number[], dataType: number): number {
  return Math.ceil(dims.reduce((product, dim) => product * dim, 1) * bytesPerElement(dataType))
}

function checkSize(name: string, dims: readonly number[], dataType: number, found: number): void {
  const expected = byteLength(dims, dataType)
  if (found === expected) return
  throw new FourtierError({
    where: `tensor ${name}`,
    what: "data do not fit the shape",
    expected: `${expected} bytes for type ${dataType} and dims [${dims.join(", ")}]`,
    found: `${found} bytes`,
  })
}
