/**
 * BERT's tokeniser (Devlin et al. 2019): words and punctuation apart, then the longest known pieces from the left (WordPiece, Wu
 * et al. 2016). As `BertTokenizer` of https://github.com/google-research/bert, tokenization.py.
 */

import { FourtierError } from "@fourtier/tensor"
import { readText } from "@fourtier/tensor/node"

/** Longer words are unknown as a whole. */
const LONGEST = 100

const CONTROL = /[\p{C}\ufffd]/gu
const SPACE = /[\s\p{Zs}]+/u
const CHINESE =
  /[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{f900}-\u{faff}\u{2f800}-\u{2fa1f}]/gu
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]|[^\p{P}!-/:-@[-`{-~]+/gu

/**
 * Texts to the numbers of BERT's pieces.
 *
 * @example
 * ```ts
 * import { WordPieceTokenizer } from "fourtier/text"
 *
 * const tokenizer = new WordPieceTokenizer(["[UNK]", "[CLS]", "[SEP]", "jump", "##s"])
 * tokenizer.encodeWithEnds("Jumps", 16) // [1, 3, 4, 2]
 * ```
 */
export class WordPieceTokenizer {
  readonly #pieces: ReadonlyMap<string, number>
  readonly #lower: boolean

  /**
   * @param pieces in the order of their numbers; pieces inside a word begin with "##"
   * @param lower whether letters lose case and accents, as in "uncased" models
   * @throws FourtierError when [UNK], [CLS] or [SEP] is missing
   */
  constructor(pieces: readonly string[], lower = true) {
    this.#pieces = new Map(pieces.map((piece, i) => [piece, i]))
    this.#lower = lower
    for (const piece of ["[UNK]", "[CLS]", "[SEP]"]) this.#numberOf(piece)
  }

  /** Reads a `vocab.txt`, one piece a line. */
  static async load(path: string, lower = true): Promise<WordPieceTokenizer> {
    const lines = (await readText(path)).split(/\r?\n/)
    if (lines[lines.length - 1] === "") lines.pop()
    return new WordPieceTokenizer(lines, lower)
  }

  get size(): number {
    return this.#pieces.size
  }

  /** Numbers of the pieces, without [CLS] and [SEP]. */
  encode(text: string): number[] {
    const plain = text.replace(/[\t\n\r]/g, " ").replace(CONTROL, "")
    const spaced = plain.replace(CHINESE, " $& ")
    return spaced
      .split(SPACE)
      .filter(Boolean)
      .flatMap((word) => this.#normal(word).match(PUNCTUATION) ?? [])
      .flatMap((word) => this.#piecesOf(word))
  }

  /** The numbers of [CLS] text [SEP], the text cut to `limit` numbers in all. */
  encodeWithEnds(text: string, limit: number): number[] {
    return [this.#numberOf("[CLS]"), ...this.encode(text).slice(0, limit - 2), this.#numberOf("[SEP]")]
  }

  #normal(word: string): string {
    return this.#lower
      ? word
          .toLowerCase()
          .normalize("NFD")
          .replace(/\p{Mn}/gu, "")
      : word
  }

  #piecesOf(word: string): number[] {
    const letters = [...word]
    const unknown = [this.#numberOf("[UNK]")]
    if (letters.length > LONGEST) return unknown
    const found: number[] = []
    for (let start = 0; start < letters.length; ) {
      let end = letters.length
      let piece: number | undefined
      for (; end > start && piece === undefined; end--) {
        piece = this.#pieces.get(`${start > 0 ? "##" : ""}${letters.slice(start, end).join("")}`)
      }
      if (piece === undefined) return unknown
      found.push(piece)
      start = end + 1
    }
    return found
  }

  #numberOf(piece: string): number {
    const number = this.#pieces.get(piece)
    if (number !== undefined) return number
    throw new FourtierError({ where: "WordPiece vocabulary", what: `no piece ${piece}`, found: `${this.size} pieces` })
  }
}
