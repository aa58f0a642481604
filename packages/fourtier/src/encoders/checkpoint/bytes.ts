/** A cursor over a range of a file that holds a small window of it in memory. */

import { readSync } from "node:fs"
import { corrupt } from "./errors.ts"

const WINDOW = 1 << 16
const MAX_LINE = 1 << 16

export class ByteCursor {
  readonly path: string
  readonly #fd: number
  readonly #end: number
  /** File offset of the next byte. */
  #position: number
  #window: Buffer = Buffer.alloc(0)
  #windowStart = 0

  /** Over the bytes `start` to `end` (exclusive) of an open file. */
  constructor(path: string, fd: number, start: number, end: number) {
    this.path = path
    this.#fd = fd
    this.#position = start
    this.#end = end
  }

  get position(): number {
    return this.#position
  }

  byte(): number {
    return this.take(1)[0]
  }

  /** The next `length` bytes, valid until the next call. Throws FourtierError at the end of the range. */
  take(length: number): Buffer {
    if (length > this.#end - this.#position) throw corrupt(this.path, "the end of the data in the middle of a value")
    let at = this.#position - this.#windowStart
    if (at < 0 || at + length > this.#window.length) {
      this.#fill(length)
      at = 0
    }
    this.#position += length
    return this.#window.subarray(at, at + length)
  }

  /** The text up to the next line feed, without it. */
  line(): string {
    const bytes: number[] = []
    for (let next = this.byte(); next !== 10; next = this.byte()) {
      if (bytes.push(next) > MAX_LINE) throw corrupt(this.path, "a line without end")
    }
    return Buffer.from(bytes).toString("utf8")
  }

  #fill(length: number): void {
    const wanted = Math.min(Math.max(length, WINDOW), this.#end - this.#position)
    const window = Buffer.allocUnsafeSlow(wanted)
    let done = 0
    while (done < wanted) {
      const count = readSync(this.#fd, window, done, Math.min(wanted - done, 2 ** 30), this.#position + done)
      if (count === 0) throw corrupt(this.path, "the end of the file in the middle of a value")
      done += count
    }
    this.#window = window
    this.#windowStart = this.#position
  }
}
