/** Lines of a file that may be larger than memory, and may be growing. */

import { open } from "node:fs/promises"

const CHUNK = 1 << 20

/**
 * The whole lines of a file from a byte on, with the byte after each. What follows the last line break is left for the next time.
 * @param rest also what follows the last line break
 * @throws the system's error where the file cannot be read
 * @example
 * for await (const { line } of linesFrom("index.jsonl")) console.log(JSON.parse(line))
 */
export async function* linesFrom(path: string, start = 0, rest = false): AsyncGenerator<{ line: string; end: number }> {
  const file = await open(path, "r")
  try {
    let buffer = Buffer.allocUnsafe(CHUNK)
    let [held, at] = [0, start]
    for (;;) {
      const { bytesRead } = await file.read(buffer, held, buffer.length - held, at + held)
      if (bytesRead === 0) {
        if (rest && held > 0) yield { line: buffer.toString("utf8", 0, held), end: at + held }
        return
      }
      const filled = held + bytesRead
      let from = 0
      for (let to = buffer.indexOf(10, held); to >= 0 && to < filled; to = buffer.indexOf(10, from)) {
        yield { line: buffer.toString("utf8", from, to), end: at + to + 1 }
        from = to + 1
      }
      held = filled - from
      at += from
      if (from > 0) buffer.copyWithin(0, from, filled)
      else if (held === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)])
    }
  } finally {
    await file.close()
  }
}
