/**
 * Text that a user wrote, whatever program saved it: decoded by byte order mark, as UTF-16 or UTF-8, by the encoding that a
 * comment declares, or as Windows-1252 where nothing speaks against it. What cannot be told is an error, never other letters.
 */

import { readFile } from "node:fs/promises"
import { FourtierError, messageOf } from "@fourtier/tensor"

export interface DecodedText {
  text: string
  /** Name of the encoding as `TextDecoder` has it. */
  encoding: string
  /** The first text that is not ASCII, where the encoding was inferred from the letters alone; null where it is certain. */
  inferred: string | null
}

/**
 * The text of a file's bytes.
 *
 * @param path names the file in errors
 * @throws FourtierError with the first line that cannot be decoded, for unknown encodings and for bytes that are no text
 *
 * @example
 * ```ts
 * decodeText(Buffer.from([0x54, 0xfc, 0x72]), "t.csv") // { text: "Tür", encoding: "windows-1252", inferred: "Tür" }
 * ```
 */
export function decodeText(bytes: Uint8Array, path: string): DecodedText {
  refuseUtf32(bytes, path)
  const marked = byMark(bytes) ?? byZeros(bytes)
  if (marked !== null) return { text: decoded(bytes, marked, path), encoding: marked, inferred: null }
  const text = attempt(bytes, "utf-8")
  if (text !== null && !text.includes("\0")) return { text, encoding: "utf-8", inferred: null }
  if (text !== null || bytes.includes(0)) {
    throw new FourtierError({ where: path, what: "not a text file", expected: "text in UTF-8", found: "zero bytes" })
  }
  const declared = declaredEncoding(bytes)
  if (declared !== null) return { text: decoded(bytes, declared, path), encoding: declared, inferred: null }
  const western = attempt(bytes, "windows-1252")
  if (western === null || !readsAsWestern(western)) throw notUtf8(bytes, path)
  return { text: western, encoding: "windows-1252", inferred: firstForeign(western) }
}

/**
 * Reads a text file that a user wrote: see `decodeText`.
 * @param warn told where the encoding was inferred
 * @throws FourtierError that names the file
 */
export async function readForeignText(path: string, warn: (line: string) => void = () => {}): Promise<string> {
  const { text, encoding, inferred } = decodeText(await readBytes(path), path)
  if (inferred !== null) warn(inferredNote(path, encoding, inferred))
  return text
}

/** What to tell of a file whose encoding was inferred. */
function inferredNote(path: string, encoding: string, example: string): string {
  return `${path} is not UTF-8: read as ${encoding} ("${example}"). If that is wrong, save it as UTF-8`
}

/** The bytes of a file. @throws FourtierError that names it */
async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error) }, { cause: error })
  }
}

/** The text of the bytes in an encoding, or null where they are not valid in it. */
function attempt(bytes: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

function decoded(bytes: Uint8Array, encoding: string, path: string): string {
  const text = attempt(bytes, encoding)
  if (text !== null) return text
  throw new FourtierError({
    where: path,
    what: `not valid in its encoding, ${encoding}`,
    fix: "save the file as UTF-8",
  })
}

/** UTF-32 begins with the mark of UTF-16 and two zeros, or two zeros and that mark. */
function refuseUtf32([a, b, c, d]: Uint8Array, path: string): void {
  const little = a === 0xff && b === 0xfe && c === 0 && d === 0
  const big = a === 0 && b === 0 && c === 0xfe && d === 0xff
  if (little || big) throw new FourtierError({ where: path, what: "UTF-32 is not read", fix: "save the file as UTF-8" })
}

function byMark(bytes: Uint8Array): string | null {
  const [a, b, c] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8"
  if (a === 0xff && b === 0xfe) return "utf-16le"
  return a === 0xfe && b === 0xff ? "utf-16be" : null
}

/** UTF-16 without a mark: in text that is mostly ASCII, every other byte is zero. */
function byZeros(bytes: Uint8Array): string | null {
  const sample = bytes.subarray(0, 2000 - (2000 % 2))
  if (sample.length < 4 || bytes.length % 2 !== 0) return null
  let even = 0
  let odd = 0
  for (const [i, byte] of sample.entries()) {
    if (byte === 0) i % 2 === 0 ? even++ : odd++
  }
  const most = 0.4 * sample.length
  if (odd >= most && even === 0) return "utf-16le"
  return even >= most && odd === 0 ? "utf-16be" : null
}

/** Named in a comment on the first lines, as editors and Python know it: `# encoding: windows-1251`. */
function declaredEncoding(bytes: Uint8Array): string | null {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 500)).split(/\r\n|\r|\n/, 2)
  for (const line of head) {
    const name = /^\s*#.*coding\s*[:=]\s*([-\w.]+)/i.exec(line)?.[1]
    if (name === undefined) continue
    try {
      return new TextDecoder(name).encoding
    } catch {
      return null
    }
  }
  return null
}

/** Letters of Western European languages, and the marks that word processors put in. */
const WESTERN =
  /^[\p{ASCII}\u00a0\u00ab\u00bb\u00b0\u00b4\u00bf\u00a1\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff‘’“”–—…•€]*$/u

/**
 * Whether text in Windows-1252 reads as words of a Western language: its letters only, mostly unaccented, no capital after a
 * small letter. Cyrillic, Greek, Mac and East Asian bytes do not.
 */
function readsAsWestern(text: string): boolean {
  if (!WESTERN.test(text)) return false
  for (const word of text.match(/[\p{L}]+/gu) ?? []) {
    const foreign = word.match(/[\u00c0-\u00ff]/gu)?.length ?? 0
    if (foreign === 0) continue
    if (2 * foreign > word.length && word.length > 1) return false
    if (/\p{Ll}[\u00c0-\u00de]/u.test(word)) return false
  }
  return true
}

/** The first word that is not ASCII. */
function firstForeign(text: string): string {
  return /[\p{L}\p{N}]*\P{ASCII}[\p{L}\p{N}]*/u.exec(text)?.[0] ?? ""
}

function notUtf8(bytes: Uint8Array, path: string): FourtierError {
  const { line, text } = firstBadLine(bytes)
  return new FourtierError({
    where: `${path}:${line}`,
    what: "not UTF-8, and its encoding cannot be told",
    found: text,
    fix: "save the file as UTF-8, or name its encoding in the first line: # encoding: windows-1251",
  })
}

/** The first line that is not UTF-8, its other bytes as `\x…`. */
function firstBadLine(bytes: Uint8Array): { line: number; text: string } {
  let from = 0
  let line = 1
  for (let at = 0; at <= bytes.length; at++) {
    if (at < bytes.length && bytes[at] !== 10 && bytes[at] !== 13) continue
    const row = bytes.subarray(from, at)
    if (attempt(row, "utf-8") === null) {
      const shown = [...row.subarray(0, 80)].map((byte) =>
        byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`,
      )
      return { line, text: shown.join("") }
    }
    if (bytes[at] === 13 && bytes[at + 1] === 10) at++
    from = at + 1
    line++
  }
  return { line, text: "" }
}
