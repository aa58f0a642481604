/** Writes pickles and archives for the tests: honest ones and hostile ones. */

import { crc32, deflateRawSync } from "node:zlib"

/** Bytes of a pickle expression: executing them leaves one value on the stack. */
export type Code = Buffer

export function bytes(...parts: (number | string | Buffer)[]): Code {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === "number" ? Buffer.of(part) : typeof part === "string" ? Buffer.from(part, "latin1") : part,
    ),
  )
}

export function u32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(value)
  return out
}

export function u64(value: bigint): Buffer {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(value)
  return out
}

export const none = bytes("N")
export const yes = bytes(0x88)
export const text = (value: string): Code => {
  const utf8 = Buffer.from(value)
  return bytes("X", u32(utf8.length), utf8)
}
export const int = (value: number): Code => {
  const long = Buffer.alloc(8)
  long.writeBigInt64LE(BigInt(value))
  return bytes(0x8a, 8, long)
}
export const tuple = (...items: Code[]): Code => bytes("(", ...items, "t")
export const list = (...items: Code[]): Code => bytes("](", ...items, "e")
export const dict = (...pairs: [Code, Code][]): Code => bytes("}(", ...pairs.flat(), "u")
export const global = (module: string, name: string): Code => bytes("c", `${module}\n${name}\n`)
export const reduce = (fn: Code, ...args: Code[]): Code => bytes(fn, tuple(...args), "R")
export const pickle = (code: Code): Buffer => bytes(0x80, 2, code, ".")

export const storage = (key: string, count: number, type = "FloatStorage"): Code =>
  bytes(tuple(text("storage"), global("torch", type), text(key), text("cpu"), int(count)), "Q")

export function tensor(source: Code, offset: number, shape: number[], strides: number[]): Code {
  const sizes = (values: number[]) => tuple(...values.map(int))
  const rebuild = global("torch._utils", "_rebuild_tensor_v2")
  return reduce(rebuild, source, int(offset), sizes(shape), sizes(strides), bytes(0x89), dict())
}

export interface ArchiveEntry {
  name: string
  data: Uint8Array
  deflate?: boolean
  /** Put into the directory instead of the truth. */
  length?: number
  header?: number
}

/** A ZIP archive as PyTorch writes it: stored entries. With `zip64`, sizes and offsets are in the extra fields. */
export function archive(entries: ArchiveEntry[], zip64 = false): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name)
    const data = entry.deflate ? deflateRawSync(entry.data) : Buffer.from(entry.data)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    const length = entry.length ?? data.length
    const extra = zip64
      ? Buffer.concat([Buffer.of(1, 0, 24, 0), u64(BigInt(length)), u64(BigInt(length)), u64(BigInt(at))])
      : Buffer.alloc(0)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt16LE(entry.deflate ? 8 : 0, 10)
    central.writeUInt32LE(crc32(entry.data), 16)
    central.writeUInt32LE(zip64 ? 0xffffffff : length, 20)
    central.writeUInt32LE(zip64 ? 0xffffffff : entry.deflate ? entry.data.length : length, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt16LE(extra.length, 30)
    central.writeUInt32LE(zip64 ? 0xffffffff : (entry.header ?? at), 42)
    parts.push(local, name, data)
    directory.push(central, name, extra)
    at += 30 + name.length + data.length
  }
  const tail = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(zip64 ? 0xffffffff : tail.length, 12)
  end.writeUInt32LE(zip64 ? 0xffffffff : at, 16)
  const end64 = Buffer.alloc(56 + 20)
  end64.writeUInt32LE(0x06064b50, 0)
  end64.writeBigUInt64LE(BigInt(entries.length), 32)
  end64.writeBigUInt64LE(BigInt(tail.length), 40)
  end64.writeBigUInt64LE(BigInt(at), 48)
  end64.writeUInt32LE(0x07064b50, 56)
  end64.writeBigUInt64LE(BigInt(at + tail.length), 64)
  return Buffer.concat([...parts, tail, ...(zip64 ? [end64] : []), end])
}

export const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer)

/** An archive of `torch.save(root)` with one storage per entry of `storages`. */
export function torchFile(root: Code, storages: Record<string, Buffer> = {}, zip64 = false): Buffer {
  const data = Object.entries(storages).map(([key, content]) => ({ name: `archive/data/${key}`, data: content }))
  return archive([{ name: "archive/data.pkl", data: pickle(root) }, ...data], zip64)
}

/** The older form of `torch.save(root)`. */
export function legacyFile(root: Code, storages: Record<string, Buffer> = {}): Buffer {
  const magic = bytes(0x8a, 10, Buffer.from("6cfc9c46f9206aa85019", "hex"))
  const raw = Object.values(storages).flatMap((data) => [u64(BigInt(data.length / 4)), data])
  return Buffer.concat([
    pickle(magic),
    pickle(int(1001)),
    pickle(dict()),
    pickle(root),
    pickle(list(...Object.keys(storages).map(text))),
    ...raw,
  ])
}
