/** What H.264 and HEVC say in a packet's own headers (ITU-T H.264, H.265: 7.3.1, 7.3.2.3, Annex D). */

import type { Orientation } from "./orientation.ts"

const SEI_ORIENTATION = 47

/** NAL units of a packet, whatever separates them: start codes or lengths of four bytes. */
function* nalUnits(data: Buffer): Generator<Buffer> {
  const starts =
    data.length > 4 && data.readUIntBE(0, 3) === 1 ? 3 : data.length > 4 && data.readUInt32BE(0) === 1 ? 4 : 0
  if (starts === 0) {
    for (let at = 0; at + 4 < data.length; ) {
      const length = data.readUInt32BE(at)
      if (length === 0 || at + 4 + length > data.length) return
      yield data.subarray(at + 4, at + 4 + length)
      at += 4 + length
    }
    return
  }
  const code = Buffer.from([0, 0, 1])
  for (let at = starts; at < data.length; ) {
    const next = data.indexOf(code, at)
    yield data.subarray(at, next < 0 ? data.length : next)
    if (next < 0) return
    at = next + 3
  }
}

/** The temporal sub-layer of an HEVC packet, 0 for the lowest. */
export function temporalLayer(data: Buffer): number {
  for (const unit of nalUnits(data)) if (unit.length > 1) return Math.max(0, (unit[1] & 7) - 1)
  return 0
}

/** How a packet's display orientation message (SEI payload 47) turns the picture; null where it holds none. */
export function orientationMessage(codec: string, data: Buffer): Orientation | null {
  const head = codec === "h264" ? 1 : codec === "hevc" ? 2 : 0
  if (head === 0) return null
  for (const unit of nalUnits(data)) {
    const type = head === 1 ? unit[0] & 31 : (unit[0] >> 1) & 63
    if (head === 1 && (type === 1 || type === 5)) return null
    if (type !== (head === 1 ? 6 : 39)) continue
    const payload = messageOfType(withoutEscapes(unit.subarray(head)), SEI_ORIENTATION)
    if (payload !== null) return readOrientation(payload)
  }
  return null
}

/** Bits: cancelled, mirrored horizontally, vertically, then 16 for the turn anticlockwise in 1/65536. */
function readOrientation(payload: Buffer): Orientation | null {
  if (payload.length < 3 || (payload[0] & 0x80) !== 0) return null
  const [flipX, flipY] = [(payload[0] & 0x40) !== 0 ? -1 : 1, (payload[0] & 0x20) !== 0 ? -1 : 1]
  const turn = (payload.readUIntBE(0, 3) >> 5) & 0xffff
  const quarter = (4 - (Math.round(turn / 16_384) % 4)) % 4
  const cosine = [1, 0, -1, 0][quarter]
  const sine = [0, 1, 0, -1][quarter]
  return { xx: cosine * flipX + 0, xy: -sine * flipY + 0, yx: sine * flipX + 0, yy: cosine * flipY + 0 }
}

function messageOfType(body: Buffer, wanted: number): Buffer | null {
  let at = 0
  const number = () => {
    let sum = 0
    while (body[at] === 255) sum += body[at++]
    return sum + (body[at++] ?? 0)
  }
  while (at + 2 < body.length) {
    const type = number()
    const size = number()
    if (at + size > body.length) return null
    if (type === wanted) return body.subarray(at, at + size)
    at += size
  }
  return null
}

/** Drops the third byte of every 0, 0, 3. */
function withoutEscapes(bytes: Buffer): Buffer {
  const kept: number[] = []
  let zeros = 0
  for (const byte of bytes) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0
      continue
    }
    zeros = byte === 0 ? zeros + 1 : 0
    kept.push(byte)
  }
  return Buffer.from(kept)
}
