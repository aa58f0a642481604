/** Takes MP4 files apart and puts them together again (ISO/IEC 14496-12), for tests of what FFmpeg's muxer does not write. */

import { readFileSync, writeFileSync } from "node:fs"

/** A box with other boxes in it, or with bytes. */
interface Box {
  type: string
  content: Box[] | Buffer
}

const NESTED = new Set(["moov", "trak", "mdia", "minf", "stbl"])

function parse(bytes: Buffer): Box[] {
  const boxes: Box[] = []
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at)
    const type = bytes.toString("latin1", at + 4, at + 8)
    const content = bytes.subarray(at + 8, at + size)
    boxes.push({ type, content: NESTED.has(type) ? parse(content) : content })
    at += size
  }
  return boxes
}

function write(boxes: readonly Box[]): Buffer {
  return Buffer.concat(
    boxes.flatMap(({ type, content }) => {
      const body = Buffer.isBuffer(content) ? content : write(content)
      const head = Buffer.alloc(8)
      head.writeUInt32BE(body.length + 8, 0)
      head.write(type, 4, "latin1")
      return [head, body]
    }),
  )
}

function find(boxes: readonly Box[], type: string): Box {
  for (const box of boxes) {
    if (box.type === type) return box
    if (!Buffer.isBuffer(box.content)) {
      const inside = box.content.some((inner) => inner.type === type || NESTED.has(inner.type))
      if (inside) {
        try {
          return find(box.content, type)
        } catch {}
      }
    }
  }
  throw new Error(`no box ${type}`)
}

function bytesOf(boxes: readonly Box[], type: string): Buffer {
  const { content } = find(boxes, type)
  if (!Buffer.isBuffer(content)) throw new Error(`box ${type} holds boxes`)
  return content
}

const numbers = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i)
  return bytes
}

/**
 * Joins two MP4 files of one even rate and without B-frames into one track with two sample descriptions: the decoder's parameters
 * change where the second one begins, and are announced there alone.
 */
export function joinDescriptions(first: string, second: string, path: string): string {
  const files = [first, second].map((name) => parse(readFileSync(name)))
  const sizes = files.map((boxes) => {
    const table = bytesOf(boxes, "stsz")
    return Array.from({ length: table.readUInt32BE(8) }, (_, i) => table.readUInt32BE(12 + 4 * i))
  })
  const samples = files.map((boxes) => bytesOf(boxes, "mdat"))
  const keys = files.flatMap((boxes, file) => {
    const table = bytesOf(boxes, "stss")
    const before = file === 0 ? 0 : sizes[0].length
    return Array.from({ length: table.readUInt32BE(4) }, (_, i) => table.readUInt32BE(8 + 4 * i) + before)
  })
  const [descriptions, steps] = ["stsd", "stts"].map((type) => files.map((boxes) => bytesOf(boxes, type)))
  const counts = sizes.map(({ length }) => length)
  const head = write([find(files[0], "ftyp")])
  const start = head.length + 8
  const moov = find(files[0], "moov")
  const tables: Record<string, Buffer> = {
    stsd: Buffer.concat([numbers(0, 2), ...descriptions.map((bytes) => bytes.subarray(8))]),
    stts: numbers(0, 1, counts[0] + counts[1], steps[0].readUInt32BE(12)),
    stss: numbers(0, keys.length, ...keys),
    stsc: numbers(0, 2, 1, counts[0], 1, 2, counts[1], 2),
    stsz: numbers(0, 0, counts[0] + counts[1], ...sizes.flat()),
    stco: numbers(0, 2, start, start + samples[0].length),
  }
  for (const [type, content] of Object.entries(tables)) find([moov], type).content = content
  const movie = write([moov])
  movie.write("free", movie.indexOf("edts"), "latin1")
  const media = write([{ type: "mdat", content: Buffer.concat(samples) }])
  writeFileSync(path, Buffer.concat([head, media, movie]))
  return path
}

/** Appends the video of one FLV file to another's, with the second header of the decoder's parameters in between. */
export function joinFlv(first: string, second: string, path: string, milliseconds: number): string {
  const tags = (bytes: Buffer) => {
    const found: Buffer[] = []
    for (let at = 13; at + 11 <= bytes.length; ) {
      const size = 11 + bytes.readUIntBE(at + 1, 3)
      found.push(Buffer.from(bytes.subarray(at, at + size)))
      at += size + 4
    }
    return found
  }
  const isEnd = (tag: Buffer) => tag[0] === 9 && (tag[11] & 15) === 7 && tag[12] === 2
  const whole = readFileSync(first)
  const later = tags(readFileSync(second)).filter((tag) => tag[0] === 9)
  for (const tag of later) {
    const time = ((tag[7] << 24) | tag.readUIntBE(4, 3)) + milliseconds
    tag.writeUIntBE(time & 0xffffff, 4, 3)
    tag[7] = time >> 24
  }
  const kept = [...tags(whole).filter((tag) => !isEnd(tag)), ...later]
  writeFileSync(path, Buffer.concat([whole.subarray(0, 13), ...kept.flatMap((tag) => [tag, numbers(tag.length)])]))
  return path
}
