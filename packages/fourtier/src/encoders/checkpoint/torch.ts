/**
 * PyTorch's files, read by ranges: the structure first, each tensor's bytes on demand. Three kinds: ZIP archives of
 * `torch.save` (since 1.6), TorchScript archives, and the older form of pickles followed by raw storages.
 */

import type { FileHandle } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { readExactly, type StoredTensor, storedBytes } from "@fourtier/tensor/node"
import { ByteCursor } from "./bytes.ts"
import { corrupt, refused } from "./errors.ts"
import { readTensor } from "./gather.ts"
import { readPickle } from "./pickle.ts"
import { TorchResolver } from "./torch-resolver.ts"
import { List, Storage, type TensorRef, type Value } from "./values.ts"
import { contentOffset, readZipEntries } from "./zip.ts"

export type TorchFormat = "torch" | "torchscript" | "torch-legacy"

/** A file's structure, with tensors that say where their data lie. */
export interface TorchFile {
  format: TorchFormat
  root: Value
}

const MAX_PICKLE_BYTES = 256 * 2 ** 20
const MAGIC = 0x1950a86a20f9469cfc6cn
const LEGACY_PROTOCOL = 1001
const CRC_CHUNK = 1 << 20

/** Reads an archive of `torch.save` or `torch.jit.save`. Throws FourtierError when it is damaged or wants code to run. */
export async function readTorchZip(file: FileHandle, path: string): Promise<TorchFile> {
  const entries = await readZipEntries(file, path)
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name))
  if (pickles.length !== 1) {
    throw corrupt(path, `an archive with ${pickles.length} data.pkl where a PyTorch file has one`)
  }
  const folder = pickles[0].slice(0, -"data.pkl".length)
  const byteOrder = entries.get(`${folder}byteorder`)
  if (byteOrder) {
    const text = Buffer.alloc(Math.min(byteOrder.length, 16))
    await readExactly(file, text, await contentOffset(file, byteOrder, path), path)
    if (text.toString("latin1") !== "little")
      throw refused(path, "file of a big-endian machine", text.toString("latin1"))
  }
  const pickle = entries.get(pickles[0])
  if (!pickle || pickle.length > MAX_PICKLE_BYTES) throw refused(path, "structure is too large", pickles[0])
  const start = await contentOffset(file, pickle, path)
  await checkCrc(file, start, pickle.length, pickle.crc, `${path}, ${pickle.name}`)
  const resolver = new TorchResolver(path, (key, type, count) => {
    const name = `${folder}data/${key}`
    const entry = entries.get(name)
    if (!entry) throw corrupt(path, `no data for storage ${JSON.stringify(key)}`)
    if (entry.length !== count * storedBytes[type]) {
      throw corrupt(path, `storage ${key} of ${entry.length} bytes where ${count} elements of ${type} should be`)
    }
    return new Storage(key, type, count)
  })
  const root = readPickle(new ByteCursor(path, file.fd, start, start + pickle.length), resolver)
  for (const storage of resolver.storages.values()) {
    const entry = entries.get(`${folder}data/${storage.key}`)
    if (!entry) continue
    storage.offset = await contentOffset(file, entry, path)
    storage.crc = entry.crc
  }
  return { format: entries.has(`${folder}constants.pkl`) ? "torchscript" : "torch", root }
}

/** Whether a file begins like PyTorch's older form: a pickle of its magic number, as bytes or as digits. */
export function looksLikeLegacyTorch(start: Uint8Array): boolean {
  const head = Buffer.from(start)
  if (head[0] === 0x80) return head.subarray(0, 32).includes(Buffer.from("8a0a6cfc9c46f9206aa85019", "hex"))
  return head.toString("latin1").startsWith(`L${MAGIC}L`)
}

/**
 * Reads the form before version 1.6: magic number, version, machine, structure, list of storages (five pickles), then for
 * each storage its number of elements (8 bytes) and its data. Throws FourtierError when damaged or wanting code to run.
 */
export async function readTorchLegacy(file: FileHandle, path: string): Promise<TorchFile> {
  const size = (await file.stat()).size
  const resolver = new TorchResolver(path, (key, type, count) => new Storage(key, type, count))
  const cursor = new ByteCursor(path, file.fd, 0, size)
  if (readPickle(cursor, resolver) !== MAGIC) throw corrupt(path, "wrong magic number")
  const protocol = readPickle(cursor, resolver)
  if (protocol !== LEGACY_PROTOCOL) throw corrupt(path, `version ${String(protocol)} of PyTorch's older form`)
  readPickle(cursor, resolver)
  const root = readPickle(cursor, resolver)
  const keys = readPickle(cursor, resolver)
  if (!(keys instanceof List)) throw corrupt(path, "no list of storages")
  let position = cursor.position
  for (const key of keys.items) {
    const storage = typeof key === "string" ? resolver.storages.get(key) : undefined
    if (!storage) throw corrupt(path, "a storage that no tensor uses")
    if (storage.offset >= 0) throw corrupt(path, `storage ${storage.key} given twice`)
    const prefix = Buffer.alloc(8)
    await readExactly(file, prefix, position, path)
    if (prefix.readBigUInt64LE(0) !== BigInt(storage.count))
      throw corrupt(path, `another size of storage ${storage.key}`)
    storage.offset = position + 8
    position = storage.offset + storage.count * storedBytes[storage.type]
    if (!(position <= size)) throw corrupt(path, `the end of the file in storage ${storage.key}`)
  }
  for (const storage of resolver.storages.values()) {
    if (storage.offset < 0) throw corrupt(path, `no data for storage ${storage.key}`)
  }
  return { format: "torch-legacy", root }
}

/** Reads tensors; checks each storage's CRC-32 once, where the file gives one and `verify` is set. */
export class TorchTensors {
  readonly #file: FileHandle
  readonly #path: string
  readonly #verify: boolean
  readonly #checked = new Map<Storage, Promise<void>>()

  constructor(file: FileHandle, path: string, verify: boolean) {
    this.#file = file
    this.#path = path
    this.#verify = verify
  }

  async read(name: string, ref: TensorRef): Promise<StoredTensor> {
    const { storage } = ref
    const where = `${this.#path}, ${name}`
    if (this.#verify && storage.crc !== undefined) {
      let check = this.#checked.get(storage)
      if (!check) {
        const length = storage.count * storedBytes[storage.type]
        check = checkCrc(this.#file, storage.offset, length, storage.crc, where)
        this.#checked.set(storage, check)
      }
      await check
    }
    return readTensor(this.#file, ref, where)
  }
}

async function checkCrc(
  file: FileHandle,
  start: number,
  length: number,
  expected: number,
  where: string,
): Promise<void> {
  const chunk = Buffer.alloc(Math.min(length, CRC_CHUNK))
  let crc = 0
  for (let done = 0; done < length; done += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, length - done))
    await readExactly(file, part, start + done, where)
    crc = crc32(part, crc)
  }
  if (crc !== expected) {
    throw corrupt(where, `checksum ${crc.toString(16)} where ${expected.toString(16)} should be`)
  }
}
