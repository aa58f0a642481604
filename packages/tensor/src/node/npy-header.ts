/** The header of NumPy's `.npy` files, versions 1 to 3: element type, order and shape. */

import { FourtierError } from "../errors.ts"
import { countOf, type ReadableFile, readExactly, type StoredType, storedBytes } from "./stored.ts"

/** Element types that `.npy` has; bfloat16 is not among them. */
export type NpyType = Exclude<StoredType, "bf16">

/** NumPy's names of the element types. */
const DESCRIPTIONS: Record<NpyType, string> = {
  f64: "<f8",
  f32: "<f4",
  f16: "<f2",
  i64: "<i8",
  i32: "<i4",
  i16: "<i2",
  i8: "|i1",
  u64: "<u8",
  u32: "<u4",
  u16: "<u2",
  u8: "|u1",
  bool: "|b1",
}

const MAGIC = "\u0093NUMPY"

/** Headers that this module writes are this long, so that the number of records can grow in place. */
export const HEADER_BYTES = 128
/** Longer headers are refused. */
const MAX_HEADER_BYTES = 1 << 20

export interface NpyHeader {
  type: NpyType
  shape: number[]
  /** Offset of the first element. */
  start: number
}

/** The header of version 1, padded with blanks to `HEADER_BYTES` or a multiple of 64. */
export function encodeHeader(type: NpyType, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`
  const text = `{'descr': '${DESCRIPTIONS[type]}', 'fortran_order': False, 'shape': ${tuple}, }`
  const total = Math.max(HEADER_BYTES, Math.ceil((text.length + 11) / 64) * 64)
  const header = Buffer.alloc(total, " ")
  header.write(MAGIC, 0, "latin1")
  header.writeUInt8(1, 6)
  header.writeUInt8(0, 7)
  header.writeUInt16LE(total - 10, 8)
  header.write(text, 10, "latin1")
  header.write("\n", total - 1, "latin1")
  return header
}

/** Reads and checks a header; throws a FourtierError when the file is shorter than it promises. */
export async function readHeader(file: ReadableFile, path: string): Promise<NpyHeader> {
  const size = (await file.stat()).size
  const prefix = Buffer.alloc(12)
  await readExactly(file, prefix.subarray(0, 10), 0, path)
  if (prefix.toString("latin1", 0, 6) !== MAGIC) throw new FourtierError({ where: path, what: "not a .npy file" })
  const version = prefix[6]
  if (version < 1 || version > 3) {
    throw new FourtierError({
      where: path,
      what: "unknown version of .npy",
      expected: "1, 2 or 3",
      found: `${version}`,
    })
  }
  const prefixLength = version === 1 ? 10 : 12
  await readExactly(file, prefix.subarray(0, prefixLength), 0, path)
  const length = version === 1 ? prefix.readUInt16LE(8) : prefix.readUInt32LE(8)
  if (length > MAX_HEADER_BYTES || prefixLength + length > size) {
    throw new FourtierError({
      where: path,
      what: "header longer than the file",
      found: `${length} bytes of header, ${size} bytes of file`,
    })
  }
  const text = Buffer.alloc(length)
  await readExactly(file, text, prefixLength, path)
  const header = {
    ...parseHeader(text.toString(version === 3 ? "utf8" : "latin1"), path),
    start: prefixLength + length,
  }
  const end = header.start + countOf(header.shape) * storedBytes[header.type]
  if (!(end <= size)) {
    throw new FourtierError({
      where: path,
      what: "the file ends too early",
      expected: `${end} bytes for shape [${header.shape.join(", ")}] of ${header.type}`,
      found: `${size} bytes`,
      fix: "the file is truncated: make it again",
    })
  }
  return header
}

function parseHeader(text: string, path: string): { type: NpyType; shape: number[] } {
  const description = /'descr'\s*:\s*(?:'([^']*)'|(\[))/.exec(text)
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)
  if (!/^\s*\{.*\}\s*$/s.test(text) || !description || !order || !shape) {
    throw new FourtierError({ where: path, what: "malformed .npy header", found: JSON.stringify(text.slice(0, 100)) })
  }
  const type = typeOf(description[1])
  if (!type) {
    throw new FourtierError({
      where: path,
      what: "element type is not read",
      expected: `one of ${Object.values(DESCRIPTIONS).join(" ")}`,
      found: description[1] ?? "records with named fields",
      fix: "save it with numpy as array.astype('<f4')",
    })
  }
  if (order[1] === "True") {
    throw new FourtierError({
      where: path,
      what: "array in Fortran order",
      expected: "C order",
      fix: "save it with numpy as np.ascontiguousarray(array)",
    })
  }
  const sizes = shape[1].split(",").map((size) => size.trim().replace("L", ""))
  if (sizes.at(-1) === "") sizes.pop()
  const numbers = sizes.map(Number)
  if (sizes.includes("") || !Number.isSafeInteger(countOf(numbers) * 8)) {
    throw new FourtierError({ where: path, what: "malformed shape in .npy header", found: `(${shape[1]})` })
  }
  return { type, shape: numbers }
}

function typeOf(description: string | undefined): NpyType | undefined {
  const isType = (key: string): key is NpyType => key in DESCRIPTIONS
  const same = (a: string) => a === description || (a.startsWith("|") && `<${a.slice(1)}` === description)
  return Object.keys(DESCRIPTIONS)
    .filter(isType)
    .find((key) => same(DESCRIPTIONS[key]))
}
