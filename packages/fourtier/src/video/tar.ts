/**
 * What is in a tar archive, and where: members are read in place, as ranges of the archive's bytes. Only headers are read.
 *
 * POSIX.1-2001 pax and ustar, and what GNU tar makes of them: long names (types L and K, pax records), sizes beyond 8 GB
 * (base 256). https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */

import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { FourtierError } from "@fourtier/tensor"

/** Bytes of a header, and the unit in which members are padded. */
const BLOCK = 512

/** Longest name, pax header or link that is read. */
const LONGEST_TEXT = 2 ** 20

/** A regular file in an archive. */
export interface TarMember {
  /** As in the archive, without "./" before it. */
  name: string
  /** First byte in the archive. */
  start: number
  size: number
}

export interface TarIndex {
  members: TarMember[]
  /** Where the archive ends before a member does: the member's name, or what is left of a header. */
  truncated: string | null
}

/**
 * Lists the regular files of an archive.
 * @throws FourtierError for compressed archives and what is no archive
 */
export function readTarIndex(path: string): TarIndex {
  const file = openSync(path, "r")
  try {
    return listMembers(file, path)
  } finally {
    closeSync(file)
  }
}

function listMembers(file: number, path: string): TarIndex {
  const { size: length } = fstatSync(file)
  const members: TarMember[] = []
  let at = 0
  let next: { name?: string; size?: number } = {}
  while (at < length) {
    const header = readRange(file, at, BLOCK)
    if (header.every((byte) => byte === 0)) break
    if (header.length < BLOCK && at > 0) return { members, truncated: `the header at byte ${at}` }
    if (!hasChecksum(header)) throw noArchive(path, header, at)
    const size = next.size ?? numberAt(header, 124, 12)
    const start = at + BLOCK
    const type = String.fromCharCode(header[156])
    const name = plainName(next.name ?? nameOf(header))
    if (start + size > length) return { members, truncated: name }
    at = start + Math.ceil(size / BLOCK) * BLOCK
    if (type === "x" || type === "L") {
      const text = readRange(file, start, Math.min(size, LONGEST_TEXT))
      next = { ...next, ...(type === "x" ? paxRecords(text) : { name: textOf(text) }) }
      continue
    }
    if (type === "g" || type === "K") continue
    next = {}
    if (type === "0" || type === "\0" || type === "7") members.push({ name, start, size })
  }
  return { members, truncated: null }
}

function noArchive(path: string, header: Uint8Array, at: number): FourtierError {
  const compressed = header[0] === 0x1f && header[1] === 0x8b
  const damaged = { what: "a damaged archive", found: `no header at byte ${at}`, fix: "copy or download it again" }
  if (at > 0) return new FourtierError({ where: path, ...damaged })
  return new FourtierError({
    where: path,
    what: compressed ? "a compressed archive cannot be read in place" : "not a tar archive",
    expected: "an uncompressed .tar",
    fix: compressed ? "decompress it once: gunzip, or zcat <file> > <file without .gz>" : "give another file",
  })
}

/** The sum of a header's bytes, its own eight taken as spaces. */
function hasChecksum(header: Uint8Array): boolean {
  let sum = 8 * 32
  for (const [i, byte] of header.entries()) if (i < 148 || i >= 156) sum += byte
  return sum === numberAt(header, 148, 8)
}

/** Octal digits, or base 256 where the first bit is set. */
function numberAt(header: Uint8Array, from: number, bytes: number): number {
  const field = header.subarray(from, from + bytes)
  if ((field[0] & 0x80) !== 0) return field.subarray(1).reduce((value, byte) => value * 256 + byte, field[0] & 0x7f)
  return Number.parseInt(textOf(field).trim() || "0", 8)
}

function nameOf(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100))
  const prefix = textOf(header.subarray(257, 262)) === "ustar" ? textOf(header.subarray(345, 500)) : ""
  return prefix === "" || header[263] === 32 ? name : `${prefix}/${name}`
}

/** Records of "length key=value\n", the length that of the whole record in bytes. */
function paxRecords(bytes: Uint8Array): { name?: string; size?: number } {
  const found: { name?: string; size?: number } = {}
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at)
    const length = space < 0 ? Number.NaN : Number(decode(bytes.subarray(at, space)))
    if (!(length > 0)) break
    const [key, ...value] = decode(bytes.subarray(space + 1, at + length - 1)).split("=")
    if (key === "path") found.name = value.join("=")
    if (key === "size") found.size = Number(value.join("="))
    at += length
  }
  return found
}

const plainName = (name: string) => name.replace(/^(?:\.?\/)+/, "")

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** Text up to the first zero byte. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Up to `length` bytes from a place of an open file. */
export function readRange(file: number, start: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(file, bytes, 0, length, start))
}
