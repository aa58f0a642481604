/**
 * CLIP's tokeniser (Radford et al. 2021): byte pair encoding over lower-case text. As `SimpleTokenizer` of
 * https://github.com/openai/CLIP, clip/simple_tokenizer.py, but broken Unicode is not repaired (ftfy).
 */

import { readFile } from "node:fs/promises"
import { gunzipSync } from "node:zlib"
import { FourtierError, messageOf } from "@fourtier/tensor"

/** Merges that CLIP uses of its file. */
const MERGES = 49152 - 256 - 2
const END = "</w>"
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/giu
/** Inside texts, what stands for start and end themselves: OpenAI's spelling. */
const MARKS = ["<|startoftext|>", "<|endoftext|>"] as const
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: " " }

/** A printable character for every byte: printable ones stand for themselves, the others follow from 256 on. */
function byteCharacters(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++))
}

const BYTES = byteCharacters()

/** Bytes in the order of the vocabulary: the printable ones first. */
const BYTE_ORDER = [...BYTES].sort((a, b) => {
  const [x, y] = [a.charCodeAt(0), b.charCodeAt(0)]
  return x - y
})

/**
 * Texts to the numbers of CLIP's pieces.
 *
 * @example
 * ```ts
 * import { BpeTokenizer } from "fourtier/text"
 *
 * const tokenizer = await BpeTokenizer.load("bpe_simple_vocab_16e6.txt.gz")
 * tokenizer.encodeWithEnds("a person", 77) // [49406, 320, 2533, 49407]
 * ```
 */
export class BpeTokenizer {
  readonly #ranks: ReadonlyMap<string, number>
  readonly #numbers: ReadonlyMap<string, number>
  readonly #cache = new Map<string, number[]>()
  readonly #words: RegExp
  readonly #marks: readonly [start: string, end: string]
  readonly start: number
  readonly end: number

  /**
   * @param merges pairs as "left right", the first ones merged first
   * @param marks what stands for start and end inside texts, in lower case
   */
  constructor(merges: readonly string[], marks: readonly [start: string, end: string] = MARKS) {
    this.#marks = marks
    this.#words = new RegExp(
      `${marks.map((mark) => mark.replaceAll("|", "\\|")).join("|")}|${WORDS.source}`,
      WORDS.flags,
    )
    this.#ranks = new Map(merges.map((pair, rank) => [pair, rank]))
    const words = [
      ...BYTE_ORDER,
      ...BYTE_ORDER.map((byte) => byte + END),
      ...merges.map((pair) => pair.replace(" ", "")),
    ]
    this.#numbers = new Map(words.map((word, i) => [word, i]))
    this.start = words.length
    this.end = words.length + 1
  }

  /** Reads `bpe_simple_vocab_16e6.txt.gz` of OpenAI's repository, packed or not, or a `merges.txt`. */
  static async load(path: string, marks?: readonly [start: string, end: string]): Promise<BpeTokenizer> {
    let bytes: Uint8Array
    try {
      bytes = await readFile(path)
      if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes, { maxOutputLength: 2 ** 26 })
    } catch (error) {
      throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error) }, { cause: error })
    }
    const lines = new TextDecoder()
      .decode(bytes)
      .split("\n")
      .slice(1, MERGES + 1)
    const merges = lines.map((line) => line.trimEnd()).filter(Boolean)
    const wrong = merges.find((line) => line.split(" ").length !== 2)
    if (merges.length === 0 || wrong !== undefined) {
      throw new FourtierError({
        where: path,
        what: "not a list of merges",
        expected: "a comment line, then two pieces per line",
        found: wrong?.slice(0, 60) ?? "nothing",
      })
    }
    return new BpeTokenizer(merges, marks)
  }

  /** Numbers of the pieces, without start and end. */
  encode(text: string): number[] {
    const clean = unescaped(unescaped(text)).replace(/\s+/g, " ").trim().toLowerCase()
    return [...clean.matchAll(this.#words)].flatMap(([word]) => this.#wordNumbers(word))
  }

  /** The numbers of start, text, end; the text cut to `limit` numbers in all. */
  encodeWithEnds(text: string, limit: number): number[] {
    return [this.start, ...this.encode(text).slice(0, limit - 2), this.end]
  }

  #wordNumbers(word: string): number[] {
    if (word === this.#marks[0]) return [this.start]
    if (word === this.#marks[1]) return [this.end]
    const known = this.#cache.get(word)
    if (known) return known
    const letters = [...new TextEncoder().encode(word)].map((byte) => BYTES[byte])
    const pieces = this.#merged([...letters.slice(0, -1), letters[letters.length - 1] + END])
    const numbers = pieces.map((piece) => this.#numbers.get(piece) ?? 0)
    this.#cache.set(word, numbers)
    return numbers
  }

  /** Merges neighbours, those of the best rank first, until none has a rank. */
  #merged(pieces: string[]): string[] {
    let current = pieces
    for (;;) {
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i + 1 < current.length; i++) {
        best = Math.min(best, this.#ranks.get(`${current[i]} ${current[i + 1]}`) ?? best)
      }
      if (best === Number.POSITIVE_INFINITY) return current
      const next: string[] = []
      for (let i = 0; i < current.length; i++) {
        const pair = `${current[i]} ${current[i + 1] ?? ""}`
        if (i + 1 < current.length && this.#ranks.get(pair) === best) next.push(current[i] + current[++i])
        else next.push(current[i])
      }
      current = next
    }
  }
}

/** The usual HTML entities as characters. */
function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name) => ENTITIES[name] ?? "")
}
