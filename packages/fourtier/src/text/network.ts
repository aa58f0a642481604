/**
 * Text encoders from checkpoints: CLIP's text tower, its relatives', and BERT.
 *
 *   texts ──tokeniser──► ids [n,L], mask [n,L] ──► tokens [n,L,Dt], pooled [n,Dt]
 *
 * CLIP, X-CLIP, PE-Core: pooled is the projected vector of the end of the text, and the vectors of the words are projected in the
 * same way. SigLIP: pooled is the vector of the last position. BERT: pooled is the mean over words and [SEP], as in VideoCLIP.
 */

import { assert, holds, input, Session, type SessionOptions } from "@fourtier/tensor"
import { hashFile, hashJson, requireFile } from "@fourtier/tensor/node"
import { findWeights } from "../encoders/checkpoint/source.ts"
import { jointSpace } from "../encoders/joint.ts"
import { WeightBinder, type WeightSource } from "../encoders/weight-binder.ts"
import type { TextEmbeddings, TextEncoder, TokenVectors } from "./embed.ts"
import type { TextNetworkConfig } from "./settings.ts"
import { TEXT_NETWORKS, type TextNetwork, type TextNetworkKind } from "./towers.ts"

/** Texts that go through the network together, and the lengths L that they are padded to. */
const BATCH = 16
const LENGTHS = [16, 32, 64, 128, 256, 512]

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
  const network = await TEXT_NETWORKS[kind](config)
  const weights = await findWeights(config.checkpoint, "text.network.checkpoint", config)
  const source = await weights.open(network)
  try {
    const { checkpoint: _, section: __, prefix: ___, vocabulary, ...settings } = config
    const identity = await weights.identity()
    const id = hashJson({
      weights: identity,
      vocabulary: await hashFile(vocabulary),
      kind,
      ...settings,
    })
    const space = network.tower && jointSpace(network.tower, identity)
    const { notes } = weights
    return new NetworkTextEncoder({ id, space, notes, network, weights: await weightsOf(network, source), options })
  } finally {
    await source.close()
  }
}

/** All weights of the network, by their names in the graph. */
async function weightsOf(network: TextNetwork, source: WeightSource): Promise<ReadonlyMap<string, Float32Array>> {
  const binder = WeightBinder.over(source.shapes && new Set(source.shapes.keys()))
  const length = network.padding.whole ? network.limit : 2
  network.graph(binder, input("ids", [1, length], "i64"), input("mask", [1, length], "i64"))
  return binder.load(source)
}

interface LoadedNetwork {
  id: string
  space: string | null
  notes: readonly string[]
  network: TextNetwork
  weights: ReadonlyMap<string, Float32Array>
  options: SessionOptions
}

class NetworkTextEncoder implements TextEncoder {
  readonly id: string
  readonly notes: readonly string[]
  readonly width: number
  readonly space: string | null
  readonly #network: TextNetwork
  readonly #weights: ReadonlyMap<string, Float32Array>
  readonly #options: SessionOptions
  /** By "n×L". */
  readonly #sessions = new Map<string, Promise<Session>>()

  constructor({ id, space, notes, network, weights, options }: LoadedNetwork) {
    this.id = id
    this.space = space
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
    const { limit, padding, prefix } = this.#network
    for (let start = 0; start < encoded.length; start += BATCH) {
      const batch = encoded.slice(start, start + BATCH)
      const longest = batch[batch.length - 1].ids.length
      const length = padding.whole ? limit : Math.min(limit, LENGTHS.find((l) => l >= longest) ?? longest)
      const n = batch.length === 1 ? 1 : BATCH
      const ids = new BigInt64Array(n * length).fill(BigInt(padding.id))
      const mask = new BigInt64Array(n * length)
      for (let row = 0; row < n; row++) {
        const text = batch[Math.min(row, batch.length - 1)]
        ids.set(text.ids.map(BigInt), row * length)
        mask.fill(1n, row * length, row * length + text.ids.length)
      }
      const values = await (await this.#session(n, length)).run({ ids, mask })
      assert(holds("f32", values.tokens) && holds("f32", values.pooled), "embeddings are not f32")
      for (const [row, { index, ids: own }] of batch.entries()) {
        const [first, end] = [row * length + prefix, row * length + own.length - 1] // without the numbers at the ends
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
