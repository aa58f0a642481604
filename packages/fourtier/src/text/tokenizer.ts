/**
 * SentencePiece unigram tokeniser (Kudo 2018), bit for bit the one that comes with Universal Sentence Encoder Lite for
 * TensorFlow.js (https://github.com/tensorflow/tfjs-models/tree/master/universal-sentence-encoder): NFKC, spaces become
 * "▁" and one stands in front; Viterbi over pieces and their log-probabilities.
 *
 * What it does in corner cases is kept as it is there, since the network was fed with it: a character without any piece
 * scores 0 and becomes piece 0; runs of piece 0 are merged; of equal scores the piece that starts last wins; a position no
 * path reaches scores 0.
 */

import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"

/** Pieces 0 to 5 are control symbols and never match. */
const RESERVED = 6
const SEPARATOR = "▁"
const UNKNOWN = 0

/** The original's file has no score for seven pieces and its arithmetic takes that as 0. */
const score = z
  .number()
  .nullable()
  .transform((value) => value ?? 0)
const vocabularySchema = z.array(z.tuple([z.string().min(1), score])).min(RESERVED)

/** Pieces with their log-probabilities; a piece's number is its place. */
export type Vocabulary = z.infer<typeof vocabularySchema>

/** A trie node: where the characters read so far lead, and the piece that ends here. */
interface TrieNode {
  readonly next: Map<string, TrieNode>
  piece: number | undefined
}

/**
 * Texts to the numbers of pieces.
 *
 * @example
 * ```ts
 * import { UnigramTokenizer } from "fourtier/text"
 *
 * const reserved = Array.from({ length: 6 }, (_, i): [string, number] => [`<${i}>`, 0])
 * const tokenizer = new UnigramTokenizer([...reserved, ["▁", -3], ["▁jump", -2], ["s", -4]])
 * tokenizer.encode("jumps") // [7, 8]
 * ```
 */
export class UnigramTokenizer {
  readonly vocabulary: Vocabulary
  readonly #root: TrieNode = { next: new Map(), piece: undefined }

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary
    for (let piece = RESERVED; piece < vocabulary.length; piece++) {
      let node = this.#root
      for (const character of vocabulary[piece][0]) {
        let next = node.next.get(character)
        if (!next) {
          next = { next: new Map(), piece: undefined }
          node.next.set(character, next)
        }
        node = next
      }
      node.piece = piece
    }
  }

  /** Reads a `vocab.json`: a list of [piece, log-probability]. */
  static async load(path: string): Promise<UnigramTokenizer> {
    const parsed = vocabularySchema.safeParse(await readJson(path))
    if (parsed.success) return new UnigramTokenizer(parsed.data)
    throw new FourtierError({
      where: path,
      what: "not a vocabulary",
      expected: "a list of [piece, log-probability]",
      found: z.prettifyError(parsed.error).split("\n")[0],
    })
  }

  /** Piece numbers of a text; none for the empty text. */
  encode(text: string): number[] {
    const normalized = text.normalize("NFKC")
    if (normalized.length === 0) return []
    const characters = [...(SEPARATOR + normalized.replace(/ /g, SEPARATOR))]
    const last = this.#bestPieces(characters)
    const pieces: number[] = []
    let end = characters.length
    while (end > 0) {
      const piece = last[end]
      if (piece !== UNKNOWN || pieces.at(-1) !== UNKNOWN) pieces.push(piece)
      end -= this.vocabulary[piece][0].length
    }
    return pieces.reverse()
  }

  /** For each position, the last piece of the best path that ends there. */
  #bestPieces(characters: readonly string[]): Int32Array {
    const best = new Float64Array(characters.length + 1)
    const last = new Int32Array(characters.length + 1)
    const extend = (start: number, end: number, piece: number, score: number) => {
      const total = score + best[start]
      if (best[end] === 0 || total >= best[end]) {
        best[end] = total
        last[end] = piece
      }
    }
    for (let start = 0; start < characters.length; start++) {
      let matched = false
      let node = this.#root.next.get(characters[start])
      for (let end = start + 1; node; end++) {
        if (node.piece !== undefined) {
          matched = true
          extend(start, end, node.piece, this.vocabulary[node.piece][1])
        }
        node = end < characters.length ? node.next.get(characters[end]) : undefined
      }
      if (!matched) extend(start, start + 1, UNKNOWN, 0)
    }
    return last
  }
}
