/**
 * Text encoders from checkpoints: CLIP's text tower and BERT.
 *
 *   texts ──tokeniser──► ids [n,L], mask [n,L] ──► tokens [n,L,Dt], pooled [n,Dt]
 *
 * CLIP: pooled is the projected vector of the end of the text, and the vectors of the words are projected in the same way.
 * BERT: pooled is the mean over words and [SEP], as in VideoCLIP.
 */

import {
  assert,
  cast,
  constant,
  div,
  FourtierError,
  holds,
  input,
  matmul,
  mul,
  reshape,
  Session,
  type SessionOptions,
  sum,
  type Tensor,
} from "@fourtier/tensor"
import { hashFile, hashJson, requireFile } from "@fourtier/tensor/node"
import { z } from "zod"
import { bertName, bertSizes, bertTower } from "../encoders/bert.ts"
import { findWeights } from "../encoders/checkpoint/source.ts"
import { clip, clipName, clipTextSizes, clipTextTower } from "../encoders/families/clip.ts"
import { presetOf } from "../encoders/presets.ts"
import { WeightBinder, type WeightSource } from "../encoders/weight-binder.ts"
import { BpeTokenizer } from "./bpe.ts"
import type { TextEmbeddings, TextEncoder, TokenVectors } from "./embed.ts"
import type { TextNetworkConfig } from "./settings.ts"
import { WordPieceTokenizer } from "./wordpiece.ts"

export type TextNetworkKind = "clip" | "bert"

const bertBase = { vocab_size: 30522, width: 768, heads: 12, mlp_width: 3072, max_position_embeddings: 512 }
const bertTextSizes = bertSizes.extend({ layers: z.int().positive().default(12) })

/** Texts that go through the network together, and the lengths L that they are padded to. */
const BATCH = 16
const LENGTHS = [16, 32, 64, 128, 256, 512]

/** A network over padded texts, and how texts become its numbers. */
interface TextNetwork {
  /** L at most. */
  limit: number
  width: number
  /** With the numbers before and after the text. */
  encode(text: string): number[]
  /** ids i64 and mask i64 [n,L] -> tokens [n,L,Dt], pooled [n,Dt] */
  graph(binder: WeightBinder, ids: Tensor, mask: Tensor): { tokens: Tensor; pooled: Tensor }
  /** The parameter that a checkpoint stores as `key`; null for those of other parts. */
  parameterName(key: string, keys: ReadonlySet<string>): string | null
}

/**
 * A text encoder from a checkpoint and a vocabulary.
 * @throws FourtierError when files are missing, or vocabulary, sizes and weights do not fit together
 *
 * @example
 * ```ts
 * import { openTextNetwork, textNetworkSchema } from "fourtier/text"
 *
 * const files = { checkpoint: "ViT-B-16.pt", vocabulary: "bpe_simple_vocab_16e6.txt.gz" }
 * const encoder = await openTextNetwork("clip", textNetworkSchema.parse(files))
 * encoder.width // 512
 * ```
 */
export async function openTextNetwork(
  kind: TextNetworkKind,
  config: TextNetworkConfig,
  options: SessionOptions = {},
): Promise<TextEncoder> {
  await requireFile(config.vocabulary, "correct text.network.vocabulary")
  const network = kind === "clip" ? await clipNetwork(config) : await bertNetwork(config)
  const weights = await findWeights(config.checkpoint, "text.network.checkpoint", config)
  const source = await weights.open(network)
  try {
    const { checkpoint: _, section: __, prefix: ___, vocabulary, ...settings } = config
    const id = hashJson({
      weights: await weights.identity(),
      vocabulary: await hashFile(vocabulary),
      kind,
      ...settings,
    })
    const { notes } = weights
    return new NetworkTextEncoder({ id, notes, network, weights: await weightsOf(network, source), options })
  } finally {
    await source.close()
  }
}

async function clipNetwork({ model, sizes, vocabulary }: TextNetworkConfig): Promise<TextNetwork> {
  const tokenizer = await BpeTokenizer.load(vocabulary)
  const config = parseSizes(clipTextSizes, {
    ...presetOf(clip.visual, model, "text.network.model").dimensions,
    ...sizes,
  })
  checkVocabulary(vocabulary, tokenizer.end + 1, config.vocab_size)
  return {
    limit: config.context_length,
    width: config.embed_dim,
    encode: (text) => tokenizer.encodeWithEnds(text, config.context_length),
    parameterName: (key, keys) => {
      const name = clipName(key, keys)
      return name?.startsWith("visual.") || name === "logit_scale" || name === "logit_bias" ? null : name
    },
    graph(binder, ids) {
      const { tokens, embedding } = clipTextTower(binder, config, ids)
      const projection = binder.weight("text_projection", [config.text_width, config.embed_dim])
      return { tokens: matmul(tokens, projection), pooled: embedding }
    },
  }
}

async function bertNetwork({ sizes, vocabulary, lower }: TextNetworkConfig): Promise<TextNetwork> {
  const tokenizer = await WordPieceTokenizer.load(vocabulary, lower)
  const config = parseSizes(bertTextSizes, { ...bertBase, ...sizes })
  checkVocabulary(vocabulary, tokenizer.size, config.vocab_size)
  return {
    limit: config.max_position_embeddings,
    width: config.width,
    encode: (text) => tokenizer.encodeWithEnds(text, config.max_position_embeddings),
    parameterName: (key) => {
      const name = bertName(key)?.replace(/^(?:text_encoder|bert)\./, "") ?? null
      return name !== null && /^(?:embeddings|encoder)\./.test(name) ? name : null
    },
    graph(binder, ids, mask) {
      const { tokens } = bertTower(binder, config, config.layers, ids, mask)
      const [n, length, width] = tokens.shape
      // words and [SEP]: all but the first of those that count
      const counted = mul(cast(mask, "f32"), firstLeftOut(length))
      const shares = reshape(div(counted, sum(counted, 1, true)), [n, 1, length])
      return { tokens, pooled: reshape(matmul(shares, tokens), [n, width]) }
    },
  }
}

function parseSizes<T>(schema: z.ZodType<T>, sizes: unknown): T {
  const parsed = schema.safeParse(sizes)
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: "text.network.sizes",
    what: "they do not fit the network",
    found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  })
}

function checkVocabulary(path: string, found: number, expected: number): void {
  if (found === expected) return
  throw new FourtierError({
    where: path,
    what: "the vocabulary does not belong to the network",
    expected: `${expected} pieces`,
    found: `${found}`,
    fix: "use the vocabulary that comes with the weights, or set text.network.sizes.vocab_size",
  })
}

/** 0, then ones: [1,L] */
function firstLeftOut(length: number): Tensor {
  const ones = new Float32Array(length).fill(1)
  ones[0] = 0
  return constant(ones, [1, length])
}

/** All weights of the network, by their names in the graph. */
async function weightsOf(network: TextNetwork, source: WeightSource): Promise<ReadonlyMap<string, Float32Array>> {
  const binder = WeightBinder.over(source.shapes && new Set(source.shapes.keys()))
  network.graph(binder, input("ids", [1, 2], "i64"), input("mask", [1, 2], "i64"))
  return binder.load(source)
}

interface LoadedNetwork {
  id: string
  notes: readonly string[]
  network: TextNetwork
  weights: ReadonlyMap<string, Float32Array>
  options: SessionOptions
}

class NetworkTextEncoder implements TextEncoder {
  readonly id: string
  readonly notes: readonly string[]
  readonly width: number
  readonly #network: TextNetwork
  readonly #weights: ReadonlyMap<string, Float32Array>
  readonly #options: SessionOptions
  /** By "n×L". */
  readonly #sessions = new Map<string, Promise<Session>>()

  constructor({ id, notes, network, weights, options }: LoadedNetwork) {
    this.id = id
    this.notes = notes
    this.width = network.width
    this.#network = network
    this.#weights = weights
    this.#options = options
  }

  async embed(texts: readonly string[]): Promise<TextEmbeddings> {
    const encoded = texts.map((text, index) => ({ index, ids: this.#network.encode(text) }))
    encoded.sort((a, b) => a.ids.length - b.ids.length) // texts of similar length share a batch
    const pooled = new Array<Float32Array>(texts.length)
    const tokens = new Array<TokenVectors>(texts.length)
    const { width } = this
    for (let start = 0; start < encoded.length; start += BATCH) {
      const batch = encoded.slice(start, start + BATCH)
      const longest = batch[batch.length - 1].ids.length
      const length = Math.min(this.#network.limit, LENGTHS.find((l) => l >= longest) ?? longest)
      const n = batch.length === 1 ? 1 : BATCH
      const ids = new BigInt64Array(n * length)
      const mask = new BigInt64Array(n * length)
      for (let row = 0; row < n; row++) {
        const text = batch[Math.min(row, batch.length - 1)]
        ids.set(text.ids.map(BigInt), row * length)
        mask.fill(1n, row * length, row * length + text.ids.length)
      }
      const values = await (await this.#session(n, length)).run({ ids, mask })
      assert(holds("f32", values.tokens) && holds("f32", values.pooled), "embeddings are not f32")
      for (const [row, { index, ids: own }] of batch.entries()) {
        const [first, end] = [row * length + 1, row * length + own.length - 1] // without the numbers at the ends
        tokens[index] = { data: values.tokens.slice(first * width, end * width), length: end - first }
        pooled[index] = values.pooled.slice(row * width, (row + 1) * width)
      }
    }
    return { pooled, tokens }
  }

  #session(n: number, length: number): Promise<Session> {
    const key = `${n}×${length}`
    const known = this.#sessions.get(key)
    if (known) return known
    const outputs = this.#network.graph(
      WeightBinder.over(null),
      input("ids", [n, length], "i64"),
      input("mask", [n, length], "i64"),
    )
    const session = Session.compile({ outputs: { ...outputs }, weights: this.#weights }, this.#options)
    this.#sessions.set(key, session)
    session.catch(() => this.#sessions.delete(key))
    return session
  }

  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).release()
    this.#sessions.clear()
  }
}
