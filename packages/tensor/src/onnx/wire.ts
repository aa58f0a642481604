/**
 * The protocol-buffers wire format (https://protobuf.dev/programming-guides/encoding), as far as ONNX files need it.
 * Large byte fields are neither copied on reading (views) nor on writing (kept by reference until the end).
 */

import { FourtierError } from "../errors.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/** Byte fields at least this long are kept by reference instead of being copied into the writer's buffer. */
const BY_REFERENCE = 4096

/** Builds one message, field by field. */
export class WireWriter {
  #parts: Uint8Array[] = []
  #partsLength = 0
  #buffer = new Uint8Array(64)
  #used = 0

  /** Bytes written so far. */
  get length(): number {
    return this.#partsLength + this.#used
  }

  /** A signed integer (int32, int64, enum). Negative values take ten bytes, as the format requires. */
  int(field: number, value: number): void {
    this.#tag(field, 0)
    this.#varint(value)
  }

  float(field: number, value: number): void {
    this.#tag(field, 5)
    this.#float(value)
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, 2)
    this.#varint(value.length)
    this.#append(value)
  }

  string(field: number, value: string): void {
    this.bytes(field, encoder.encode(value))
  }

  packedInts(field: number, values: readonly number[]): void {
    const body = new WireWriter()
    for (const value of values) body.#varint(value)
    this.#embed(field, body)
  }

  packedFloats(field: number, values: readonly number[]): void {
    const body = new WireWriter()
    for (const value of values) body.#float(value)
    this.#embed(field, body)
  }

  message(field: number, write: (body: WireWriter) => void): void {
    const body = new WireWriter()
    write(body)
    this.#embed(field, body)
  }

  /** The message in pieces, for writing to a file without joining them. */
  pieces(): Uint8Array[] {
    this.#flush()
    return this.#parts
  }

  finish(): Uint8Array {
    const joined = new Uint8Array(this.length)
    let at = 0
    for (const piece of this.pieces()) {
      joined.set(piece, at)
      at += piece.length
    }
    return joined
  }

  #embed(field: number, body: WireWriter): void {
    this.#tag(field, 2)
    this.#varint(body.length)
    for (const piece of body.pieces()) this.#append(piece)
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType)
  }

  #varint(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new FourtierError({ what: "not an integer that ONNX can store", found: String(value) })
    }
    const room = this.#room(10)
    let low = value >>> 0
    let high = Math.floor(value / 2 ** 32) >>> 0
    let at = this.#used
    while (high > 0 || low > 127) {
      room[at++] = (low & 127) | 128
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    room[at++] = low
    this.#used = at
  }

  #float(value: number): void {
    const room = this.#room(4)
    new DataView(room.buffer).setFloat32(this.#used, value, true)
    this.#used += 4
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length >= BY_REFERENCE) {
      this.#flush()
      this.#parts.push(bytes)
      this.#partsLength += bytes.length
    } else {
      this.#room(bytes.length).set(bytes, this.#used)
      this.#used += bytes.length
    }
  }

  /** The buffer, grown so that `extra` more bytes fit after the used ones. */
  #room(extra: number): Uint8Array {
    if (this.#used + extra > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#used + extra))
      grown.set(this.#buffer.subarray(0, this.#used))
      this.#buffer = grown
    }
    return this.#buffer
  }

  #flush(): void {
    if (this.#used === 0) return
    this.#parts.push(this.#buffer.subarray(0, this.#used))
    this.#partsLength += this.#used
    this.#buffer = new Uint8Array(64)
    this.#used = 0
  }
}

/** The value of one field. Read it in the form that belongs to the field's number; a wrong wire type is an error. */
export interface WireField {
  readonly number: number
  /** A signed integer. Throws when a double cannot represent it exactly. */
  int(): number
  float(): number
  bytes(): Uint8Array
  string(): string
  /** A repeated number field: one element, or many when the producer packed them. */
  ints(): number[]
  floats(): number[]
  /** The bytes of a repeated fixed-size field (4 or 8 bytes each), packed or not. */
  fixed(size: 4 | 8): Uint8Array
  /** The little-endian 64-bit forms of a repeated varint field, packed or not. */
  longs(): BigInt64Array
}

/** Calls `visit` with every field of a message, in order. Throws FourtierError on malformed bytes. */
export function readFields(message: Uint8Array, visit: (field: WireField) => void): void {
  const reader = new FieldReader(message)
  while (reader.next()) visit(reader)
}

class FieldReader implements WireField {
  number = 0
  readonly #source: Uint8Array
  #at = 0
  #wireType = 0
  #low = 0
  #high = 0
  #value: Uint8Array = new Uint8Array(0)

  constructor(source: Uint8Array) {
    this.#source = source
  }

  next(): boolean {
    if (this.#at >= this.#source.length) return false
    this.#varint()
    if (this.#high !== 0) throw malformed("a field number out of range")
    this.number = this.#low >>> 3
    this.#wireType = this.#low & 7
    if (this.number === 0) throw malformed("field number 0")
    if (this.#wireType === 0) this.#varint()
    else if (this.#wireType === 1) this.#value = this.#take(8)
    else if (this.#wireType === 5) this.#value = this.#take(4)
    else if (this.#wireType === 2) {
      this.#varint()
      this.#value = this.#take(this.#high * 2 ** 32 + this.#low)
    } else throw malformed(`wire type ${this.#wireType}`)
    return true
  }

  int(): number {
    this.#expect(0)
    return this.#signed()
  }

  float(): number {
    this.#expect(5)
    return new DataView(this.#value.buffer, this.#value.byteOffset, 4).getFloat32(0, true)
  }

  bytes(): Uint8Array {
    this.#expect(2)
    return this.#value
  }

  string(): string {
    try {
      return decoder.decode(this.bytes())
    } catch (error) {
      if (error instanceof FourtierError) throw error
      throw malformed("text that is not UTF-8")
    }
  }

  ints(): number[] {
    if (this.#wireType === 0) return [this.#signed()]
    const packed = new FieldReader(this.bytes())
    const values: number[] = []
    while (packed.#at < packed.#source.length) {
      packed.#varint()
      values.push(packed.#signed())
    }
    return values
  }

  floats(): number[] {
    const bytes = this.fixed(4)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true))
  }

  fixed(size: 4 | 8): Uint8Array {
    if (this.#wireType === 2) {
      if (this.#value.length % size !== 0) throw malformed(`a packed field of ${this.#value.length} bytes`)
    } else this.#expect(size === 4 ? 5 : 1)
    return this.#value
  }

  longs(): BigInt64Array {
    if (this.#wireType === 0) return new BigInt64Array(longHalves([this.#low, this.#high]))
    const packed = new FieldReader(this.bytes())
    const halves: number[] = []
    while (packed.#at < packed.#source.length) {
      packed.#varint()
      halves.push(packed.#low, packed.#high)
    }
    return new BigInt64Array(longHalves(halves))
  }

  #signed(): number {
    const value = (this.#high | 0) * 2 ** 32 + this.#low
    if (!Number.isSafeInteger(value)) {
      const exact = (BigInt(this.#high | 0) << 32n) | BigInt(this.#low)
      throw new FourtierError({ what: "a 64-bit number too large to be exact here", found: String(exact) })
    }
    return value
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) {
      throw malformed(`field ${this.number} with wire type ${this.#wireType} instead of ${wireType}`)
    }
  }

  #varint(): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#source.length) throw malformed("the end in the middle of a number")
      const byte = this.#source[this.#at++]
      const bits = byte & 127
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else if (shift < 63) high |= bits << (shift - 32)
      else high |= bits << 31
      if (byte < 128) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw malformed("a number of more than ten bytes")
  }

  #take(length: number): Uint8Array {
    if (length > this.#source.length - this.#at) {
      throw malformed(`a field of ${length} bytes where ${this.#source.length - this.#at} are left`)
    }
    const value = this.#source.subarray(this.#at, this.#at + length)
    this.#at += length
    return value
  }
}

function longHalves(halves: readonly number[]): ArrayBuffer {
  const buffer = new ArrayBuffer(halves.length * 4)
  const view = new DataView(buffer)
  halves.forEach((half, i) => {
    view.setUint32(4 * i, half, true)
  })
  return buffer
}

/** The error for bytes that are no message of the wire format. */
export function malformed(found: string): FourtierError {
  return new FourtierError({
    what: "malformed protocol-buffers message",
    found,
    fix: "the file is truncated, corrupt or no ONNX file: fetch or export it again",
  })
}
