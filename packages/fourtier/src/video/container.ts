/** How many bytes a container says it has: files cut short in a download or copy are found without decoding them. */

import { closeSync, openSync } from "node:fs"
import { type Place, placeOf } from "./place.ts"
import { readRange } from "./tar.ts"

/** Bytes that are missing at the end, by the outermost lengths of MP4/MOV, AVI and Matroska/WebM; 0 where none or unknown. */
export function missingBytes(path: string): number {
  const place = placeOf(path)
  if (place.sequence !== undefined) return 0
  const handle = openSync(place.file, "r")
  try {
    return missingBytesOf(handle, place)
  } finally {
    closeSync(handle)
  }
}

/** The same of an open file, of which the video is a part. */
export function missingBytesOf(handle: number, { start, size }: Pick<Place, "start" | "size">): number {
  const readAt: Reader = (position, length) => readRange(handle, start + position, Math.min(length, size - position))
  const head = readAt(0, 64)
  if (head.length < 12) return 0
  const tag = head.toString("latin1", 4, 8)
  if (["ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp"].includes(tag)) return missingBoxes(readAt, size)
  if (head.toString("latin1", 0, 4) === "RIFF") return missingChunks(readAt, size)
  return head.readUInt32BE(0) === 0x1a45dfa3 ? missingSegment(head, size) : 0
}

/** Bytes from a place in the video file. */
type Reader = (position: number, length: number) => Buffer

/** ISO/IEC 14496-12: boxes of a 32-bit size (1: a 64-bit one follows, 0: up to the end) and a type. */
function missingBoxes(readAt: Reader, size: number): number {
  let at = 0
  while (at + 8 <= size) {
    const head = readAt(at, 16)
    let length = head.readUInt32BE(0)
    if (length === 1 && head.length >= 16) length = Number(head.readBigUInt64BE(8))
    if (length === 0) return 0
    if (length < 8) return 0
    at += length
  }
  return Math.max(0, at - size)
}

/** RIFF: one chunk, or several where the file is larger than a gigabyte (OpenDML). */
function missingChunks(readAt: Reader, size: number): number {
  let at = 0
  while (at + 8 <= size) {
    const head = readAt(at, 8)
    if (head.toString("latin1", 0, 4) !== "RIFF") return 0
    const length = head.readUInt32LE(4)
    if (length < 4) return 0
    at += 8 + length + (length % 2)
  }
  return Math.max(0, at - size - 1)
}

/** EBML: a header element, then the segment with its size (all ones: unknown). */
function missingSegment(head: Buffer, size: number): number {
  const header = readLength(head, 4)
  if (header === null) return 0
  const at = header.next + header.value
  if (at + 12 > head.length || head.readUInt32BE(at) !== 0x18538067) return 0
  const segment = readLength(head, at + 4)
  return segment === null ? 0 : Math.max(0, segment.next + segment.value - size)
}

/** An EBML length: the leading zero bits of the first byte say how many bytes follow. Null when unknown. */
function readLength(bytes: Buffer, at: number): { value: number; next: number } | null {
  const first = bytes[at]
  if (first === undefined || first === 0) return null
  const width = Math.clz32(first) - 23
  if (at + width > bytes.length) return null
  let value = first & (0xff >> width)
  let unknown = value === 0xff >> width
  for (let i = 1; i < width; i++) {
    value = value * 256 + bytes[at + i]
    unknown &&= bytes[at + i] === 0xff
  }
  return unknown ? null : { value, next: at + width }
}
