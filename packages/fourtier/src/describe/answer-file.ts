/** One file of answers: read as it grows, and appended to line by line. */

import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { notWritten } from "@fourtier/tensor/node"

const CHUNK = 4 << 20

export class AnswerFile {
  readonly path: string
  readonly #file: number
  /** Up to here all lines are known. */
  #scanned = 0
  #dirty = false
  #flush: NodeJS.Timeout | undefined

  /** @param writable whether it is created, and may be appended to. @throws FourtierError when it cannot be opened */
  constructor(path: string, writable: boolean) {
    this.path = path
    try {
      if (writable) mkdirSync(dirname(path), { recursive: true })
      this.#file = openSync(path, writable ? "a+" : "r")
    } catch (error) {
      throw notWritten(path, error, "answers")
    }
  }

  /** Ends a line that a killed process left unfinished. @param take is given the line, if there is one */
  endTornLine(take: (line: Buffer, offset: number) => void): void {
    if (fstatSync(this.#file).size <= this.#scanned) return
    writeSync(this.#file, "\n")
    this.scan(take)
  }

  /**
   * Hands over the lines that have been written since the last call.
   * @param asServerHasIt asks the server of a network file system, which may know of more than this machine does
   */
  scan(take: (line: Buffer, offset: number) => void, asServerHasIt = false): void {
    if (asServerHasIt) closeSync(openSync(this.path, "r"))
    const { size } = fstatSync(this.#file)
    if (size <= this.#scanned) return
    let buffer = Buffer.allocUnsafe(Math.min(CHUNK, size - this.#scanned))
    for (;;) {
      const got = readSync(this.#file, buffer, 0, buffer.length, this.#scanned)
      const end = got === 0 ? -1 : buffer.lastIndexOf(10, got - 1)
      if (end < 0) {
        if (got < buffer.length) return
        buffer = Buffer.allocUnsafe(buffer.length * 2)
        continue
      }
      let from = 0
      while (from <= end) {
        const to = buffer.indexOf(10, from)
        if (to > from) take(buffer.subarray(from, to), this.#scanned + from)
        from = to + 1
      }
      this.#scanned += end + 1
      if (got < buffer.length) return
    }
  }

  read(offset: number, length: number): string {
    const buffer = Buffer.allocUnsafe(length)
    readSync(this.#file, buffer, 0, length, offset)
    return buffer.toString("utf8")
  }

  /** Places of all lines with this text at their start, as far as the file has been scanned: offset and length. */
  *find(start: string): Generator<[number, number]> {
    const wanted = Buffer.from(start)
    let size = CHUNK
    for (let offset = 0; offset < this.#scanned; ) {
      const buffer = Buffer.allocUnsafe(Math.min(size, this.#scanned - offset))
      readSync(this.#file, buffer, 0, buffer.length, offset)
      const end = buffer.lastIndexOf(10)
      if (end < 0) {
        size *= 2
        continue
      }
      for (let at = buffer.indexOf(wanted); at >= 0 && at < end; ) {
        const to = buffer.indexOf(10, at)
        yield [offset + at, to - at]
        at = buffer.indexOf(wanted, to)
      }
      offset += end + 1
    }
  }

  /** @throws FourtierError when the disk is full */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`, "utf8")
    const written = this.#writing(() => writeSync(this.#file, bytes))
    if (written !== bytes.length) {
      writeSync(this.#file, "\n")
      throw new FourtierError({
        where: this.path,
        what: "an answer could be written in part only",
        expected: `${bytes.length} bytes`,
        found: `${written} bytes`,
        fix: "free disk space and run again",
      })
    }
    this.#dirty = true
    this.#flush ??= setTimeout(() => this.sync(), 1000).unref()
  }

  #writing<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw notWritten(this.path, error, "answers")
    }
  }

  /** Flushes appended lines to the disk, so that they survive a power cut. Done every second in any case. */
  sync(): void {
    clearTimeout(this.#flush)
    this.#flush = undefined
    if (!this.#dirty) return
    this.#dirty = false
    fdatasyncSync(this.#file)
  }

  close(): void {
    this.sync()
    closeSync(this.#file)
  }
}
