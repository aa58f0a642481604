/**
 * SentencePiece's unigram model (Kudo 2018) as T5 and SigLIP use it: NFKC, "▁" for spaces and in front, Viterbi over pieces and
 * their log-probabilities. SigLIP's texts are lower-cased and freed of punctuation first, as in training
 * (https://github.com/google-research/big_vision, evaluators/proj/image_text/prompt_engineering.py).
 */

import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"

const END = "</s>"
const SEPARATOR = "▁"
/** A character without a piece scores this much less than the worst piece, as in SentencePiece. */
const UNKNOWN_PENALTY = 10
const PUNCTUATION = /[!-/:-@[-^`{-~]/g

const fileSchema = z.object({
  model: z.object({
    type: z.literal("Unigram"),
    unk_id: z.int().nonnegative(),
    vocab: z.array(z.tuple([z.string().min(1), z.number()])).min(1),
  }),
})

/**
 * Texts to the numbers of pieces.
 *
 * @example
 * ```ts
 * import { SentencePieceTokenizer } from "fourtier/text"
 *
 * const pieces: [string, number][] = [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["▁a", -1], ["▁jump", -2], ["s", -3]]
 * const tokenizer = new SentencePieceTokenizer(pieces, 2)
 * tokenizer.encodeWithEnd("A jump!", 64) // [3, 4, 1]
 * ```
 */
export class SentencePieceTokenizer {
  readonly size: number
  readonly end: number
  readonly #unknown: number
  readonly #numbers: ReadonlyMap<string, number>
  readonly #scores: readonly number[]
  readonly #longest: number
  readonly #worst: number

  /**
   * @param pieces with their log-probabilities; those in angle brackets are control symbols and never match
   * @param unknown number of the piece for characters without any
   * @throws FourtierError without a piece `</s>`
   */
  constructor(pieces: readonly (readonly [string, number])[], unknown: number, where = "vocabulary") {
    const end = pieces.findIndex(([piece]) => piece === END)
    if (end < 0) {
      throw new FourtierError({ where, what: `no piece ${END}`, expected: "a vocabulary of T5's or SigLIP's form" })
    }
    this.size = pieces.length
    this.end = end
    this.#unknown = unknown
    const matching = pieces.flatMap(([piece], i) => (/^<.+>$/.test(piece) ? [] : [[piece, i] as const]))
    this.#numbers = new Map(matching)
    this.#scores = pieces.map(([, score]) => score)
    this.#longest = matching.reduce((most, [piece]) => Math.max(most, [...piece].length), 1)
    this.#worst = matching.reduce((least, [, i]) => Math.min(least, pieces[i][1]), 0)
  }

  /** Reads a `tokenizer.json` of Hugging Face. @throws FourtierError where it holds no unigram model */
  static async load(path: string): Promise<SentencePieceTokenizer> {
    const parsed = fileSchema.safeParse(await readJson(path))
    if (parsed.success) return new SentencePieceTokenizer(parsed.data.model.vocab, parsed.data.model.unk_id, path)
    throw new FourtierError({
      where: path,
      what: "not a unigram tokeniser",
      expected: "tokenizer.json with a model of type Unigram, as SigLIP's (SigLIP 2's is of another type)",
      found: z.prettifyError(parsed.error).split("\n")[0],
    })
  }

  /** Numbers of the pieces, without the end. */
  encode(text: string): number[] {
    const clean = text.replaceAll("_", " ").replace(PUNCTUATION, "").normalize("NFKC").toLowerCase()
    const words = clean.replace(/\s+/g, " ").trim()
    return words === "" ? [] : this.#bestPieces([...(SEPARATOR + words.replaceAll(" ", SEPARATOR))])
  }

  /** The numbers of text and end, cut to `limit` in all. */
  encodeWithEnd(text: string, limit: number): number[] {
    return [...this.encode(text).slice(0, limit - 1), this.end]
  }

  #bestPieces(characters: readonly string[]): number[] {
    const best = new Float64Array(characters.length + 1).fill(Number.NEGATIVE_INFINITY)
    best[0] = 0
    const last: { start: number; piece: number }[] = []
    const extend = (start: number, end: number, piece: number, score: number) => {
      if (best[start] + score <= best[end]) return
      best[end] = best[start] + score
      last[end] = { start, piece }
    }
    for (let start = 0; start < characters.length; start++) {
      let text = ""
      for (let end = start + 1; end <= Math.min(characters.length, start + this.#longest); end++) {
        text += characters[end - 1]
        const piece = this.#numbers.get(text)
        if (piece !== undefined) extend(start, end, piece, this.#scores[piece])
        else if (end === start + 1) extend(start, end, this.#unknown, this.#worst - UNKNOWN_PENALTY)
      }
    }
    const pieces: number[] = []
    for (let end = characters.length; end > 0; end = last[end].start) {
      const { piece } = last[end]
      if (piece !== this.#unknown || pieces.at(-1) !== this.#unknown) pieces.push(piece) // runs of unknown are one piece
    }
    return pieces.reverse()
  }
}
