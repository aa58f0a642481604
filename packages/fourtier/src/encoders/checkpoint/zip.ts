/**
 * The list of a ZIP archive's entries (PKWARE APPNOTE 6.3, zip64 included), read by ranges. Nothing is ever extracted or
 * inflated: PyTorch stores its records uncompressed, so that an entry's bytes can be read where they lie.
 */

import type { FileHandle } from "node:fs/promises"
import { readExactly } from "@fourtier/tensor/node"
import { corrupt, refused } from "./errors.ts"

export interface ZipEntry {
  name: string
  /** Bytes in the archive; those of the content, too, when `stored`. */
  length: number
  /** Whether the content is stored as it is, neither compressed nor encrypted. */
  stored: boolean
  crc: number
  /** Offset of the entry's local header. */
  header: number
}

const MAX_ENTRIES = 1 << 20
const END_BYTES = 22
const END64_BYTES = 56
const CENTRAL_BYTES = 46
const LOCAL_BYTES = 30

/** Whether a file begins like a ZIP archive. */
export function looksLikeZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4
}

/** All entries by name. Throws FourtierError for archives that are cut short or contradict themselves. */
export async function readZipEntries(file: FileHandle, path: string): Promise<Map<string, ZipEntry>> {
  const size = (await file.stat()).size
  const directory = await findDirectory(file, size, path)
  if (directory.offset + directory.length > size) throw corrupt(path, "a directory outside the archive")
  const bytes = Buffer.alloc(directory.length)
  await readExactly(file, bytes, directory.offset, path)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let i = 0; i < directory.count; i++) {
    if (at + CENTRAL_BYTES > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) {
      throw corrupt(path, "a damaged archive directory")
    }
    const nameLength = bytes.readUInt16LE(at + 28)
    const extraLength = bytes.readUInt16LE(at + 30)
    const next = at + CENTRAL_BYTES + nameLength + extraLength + bytes.readUInt16LE(at + 32)
    if (next > bytes.length) throw corrupt(path, "a damaged archive directory")
    const entry = readEntry(bytes, at, nameLength, extraLength, path)
    if (entries.has(entry.name)) throw corrupt(path, `two archive entries named ${JSON.stringify(entry.name)}`)
    entries.set(entry.name, entry)
    at = next
  }
  checkOverlaps([...entries.values()], directory.offset, path)
  return entries
}

/** Offset of a stored entry's content in the file. Throws FourtierError when the entry is compressed or damaged. */
export async function contentOffset(file: FileHandle, entry: ZipEntry, path: string): Promise<number> {
  const where = `${path}, ${entry.name}`
  if (!entry.stored)
    throw refused(where, "archive entry is compressed or encrypted", "an entry that is not stored plainly")
  const local = Buffer.alloc(LOCAL_BYTES)
  await readExactly(file, local, entry.header, where)
  if (local.readUInt32LE(0) !== 0x04034b50) throw corrupt(where, "an archive entry without its header")
  const offset = entry.header + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28)
  if (offset + entry.length > (await file.stat()).size) throw corrupt(where, "an archive entry outside the archive")
  return offset
}

function readEntry(bytes: Buffer, at: number, nameLength: number, extraLength: number, path: string): ZipEntry {
  const nameAt = at + CENTRAL_BYTES
  const name = bytes.toString("utf8", nameAt, nameAt + nameLength)
  if (name === "" || name.includes("\0") || name.startsWith("/") || /(^|[\\/])\.\.([\\/]|$)|^[a-zA-Z]:|\\/.test(name)) {
    throw refused(path, "archive entry with a suspicious path", JSON.stringify(name))
  }
  const fields = {
    uncompressed: bytes.readUInt32LE(at + 24),
    compressed: bytes.readUInt32LE(at + 20),
    header: bytes.readUInt32LE(at + 42),
  }
  const extra = bytes.subarray(nameAt + nameLength, nameAt + nameLength + extraLength)
  for (let i = 0; i + 4 <= extra.length; i += 4 + extra.readUInt16LE(i + 2)) {
    if (extra.readUInt16LE(i) !== 1) continue
    // zip64: only the fields that overflow are there, in this order.
    let value = i + 4
    const end = Math.min(extra.length, value + extra.readUInt16LE(i + 2))
    for (const key of ["uncompressed", "compressed", "header"] as const) {
      if (fields[key] !== 0xffffffff || value + 8 > end) continue
      fields[key] = Number(extra.readBigUInt64LE(value))
      value += 8
    }
  }
  const plain = bytes.readUInt16LE(at + 10) === 0 && (bytes.readUInt16LE(at + 8) & 1) === 0
  if (plain && fields.compressed !== fields.uncompressed) throw corrupt(path, `archive entry ${name} of two sizes`)
  return {
    name,
    length: fields.compressed,
    stored: plain,
    crc: bytes.readUInt32LE(at + 16),
    header: fields.header,
  }
}

/** Entries that share bytes are a way to make a small archive look huge. */
function checkOverlaps(entries: readonly ZipEntry[], directory: number, path: string): void {
  let end = 0
  for (const entry of entries.toSorted((a, b) => a.header - b.header)) {
    if (entry.header < end) throw refused(path, "archive entries overlap", entry.name)
    end = entry.header + LOCAL_BYTES + entry.length
  }
  if (end > directory) throw corrupt(path, "an archive entry outside the archive")
}

async function findDirectory(
  file: FileHandle,
  size: number,
  path: string,
): Promise<{ offset: number; length: number; count: number }> {
  const tail = Buffer.alloc(Math.min(size, END_BYTES + 65535))
  await readExactly(file, tail, size - tail.length, path)
  let end = tail.length - END_BYTES
  while (end >= 0 && tail.readUInt32LE(end) !== 0x06054b50) end--
  if (end < 0) throw corrupt(path, "an archive without its directory")
  const directory = {
    count: tail.readUInt16LE(end + 10),
    length: tail.readUInt32LE(end + 12),
    offset: tail.readUInt32LE(end + 16),
  }
  const locator = end - 20
  if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
    const position = Number(tail.readBigUInt64LE(locator + 8))
    if (position + END64_BYTES > size) throw corrupt(path, "a directory outside the archive")
    const end64 = Buffer.alloc(END64_BYTES)
    await readExactly(file, end64, position, path)
    if (end64.readUInt32LE(0) !== 0x06064b50) throw corrupt(path, "a damaged archive directory")
    directory.count = Number(end64.readBigUInt64LE(32))
    directory.length = Number(end64.readBigUInt64LE(40))
    directory.offset = Number(end64.readBigUInt64LE(48))
  }
  if (directory.count > MAX_ENTRIES) throw refused(path, "archive with too many entries", String(directory.count))
  if (directory.length > size) throw corrupt(path, "a directory outside the archive")
  return directory
}
