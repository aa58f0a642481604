/**
 * A file in object storage, read by ranges of bytes, which are kept on the local disk (`cache.ts`): it is never fetched as a whole.
 */

import { open } from "node:fs/promises"
import type { ReadableFile } from "@fourtier/tensor/node"
import { fetchObject, statObject } from "./objects.ts"

/** Bytes of one range. */
const BLOCK = 4 << 20

export class ObjectFile implements ReadableFile {
  readonly #address: string
  readonly #size: number
  /** The range that was read last: records that follow each other are often in one. */
  #last: { number: number; bytes: Promise<Uint8Array> } | null = null

  private constructor(address: string, size: number) {
    this.#address = address
    this.#size = size
  }

  /** @throws FourtierError where there is no such object */
  static async open(address: string): Promise<ObjectFile> {
    return new ObjectFile(address, (await statObject(address)).size)
  }

  async stat(): Promise<{ size: number }> {
    return { size: this.#size }
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    if (position >= this.#size || length === 0) return { bytesRead: 0 }
    const number = Math.floor(position / BLOCK)
    if (this.#last?.number !== number) this.#last = { number, bytes: this.#block(number) }
    const bytes = await this.#last.bytes.catch((error: unknown) => {
      this.#last = null
      throw error
    })
    const from = position - number * BLOCK
    const part = bytes.subarray(from, from + length)
    buffer.set(part, offset)
    return { bytesRead: part.length }
  }

  async close(): Promise<void> {
    this.#last = null
  }

  async #block(number: number): Promise<Uint8Array> {
    const start = number * BLOCK
    const end = Math.min(start + BLOCK, this.#size)
    const file = await open(await fetchObject(this.#address, { start, end }), "r")
    try {
      const bytes = new Uint8Array(end - start)
      await file.read(bytes, 0, bytes.length, 0)
      return bytes
    } finally {
      await file.close()
    }
  }
}
