/** The graphs of stage 1: embeddings of clips and texts, the losses between them and their gradients, of a batch at once or in chunks. */

import {
  add,
  cast,
  grad,
  input,
  mul,
  Session,
  type SessionOptions,
  sum,
  type Tensor,
  type Values,
} from "@fourtier/tensor"
import { constantInit, type Param, Scope } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import { type MapSize, placesOf } from "../model/map.ts"
import { buildProcessors, type ProcessorConfig } from "../model/processor.ts"
import { embedRows, embedVisual } from "../model/space.ts"
import { standardize } from "../model/standardize.ts"
import { infoNce } from "../objective/contrastive.ts"
import type { ContrastiveConfig } from "../schemas/contrastive.ts"
import { alone, type Collective } from "./collective.ts"
import type { FeatureKind } from "./features.ts"
import { clearGradients } from "./gradients.ts"

export interface AlignSpec {
  size: MapSize
  prompts: readonly string[]
  textWidth: number
  contrastive: ContrastiveConfig
  /** Channels that the map is brought to; null: all of its own. */
  width: number | null
  processors: ProcessorConfig
  /** Whether clips may lack the text of some prompt: they take no part in that prompt's loss. Default: each has all. */
  partial?: boolean
}

/** s [B,T,D] and t [B,N,D] as they lie in the store. */
const pooledInputs = (batch: number, { T, D, ...grid }: MapSize) => ({
  s: input("s", [batch, T, D], "f16"),
  t: input("t", [batch, placesOf(grid), D], "f16"),
})

/** Visual embeddings [B,E] by prompt, from pooled features. */
function embedClips(spec: AlignSpec, pooled: { s: Tensor; t: Tensor }) {
  const frozen = new Scope("standardize")
  const s = standardize(frozen, cast(pooled.s, "f32"), spec.width)
  const t = standardize(frozen, cast(pooled.t, "f32"), spec.width)
  const { values, params } = buildProcessors({ s, t }, spec.prompts, spec.processors, spec.textWidth)
  if (spec.processors.processors === "text") {
    const { similarity } = spec.contrastive
    const embeddings = new Map([...values].map(([prompt, v]) => [prompt, embedRows(v, similarity)] as const))
    return { embeddings, trained: params, frozen: frozen.params }
  }
  const projection = new Scope("projection")
  const embeddings = new Map(
    [...values].map(([prompt, v]) => {
      const space = { similarity: spec.contrastive.similarity, textWidth: spec.textWidth }
      return [prompt, embedVisual(projection.in(prompt), v, space)] as const
    }),
  )
  return { embeddings, trained: [...params, ...projection.params], frozen: frozen.params }
}

/** Text embeddings [B,E] by prompt, as graph inputs `text/<prompt>`. */
function embedTexts(spec: AlignSpec, batch: number): Map<string, Tensor> {
  const rows = spec.contrastive.similarity === "tokens" ? spec.size.T + placesOf(spec.size) : 1
  return new Map(
    spec.prompts.map((prompt) => {
      const text = input(`text/${prompt}`, [batch, rows, spec.textWidth])
      return [prompt, embedRows(text, spec.contrastive.similarity)] as const
    }),
  )
}

/** Sum of the prompts' losses, and each by name. */
function contrast(spec: AlignSpec, visual: ReadonlyMap<string, Tensor>, texts: ReadonlyMap<string, Tensor>) {
  const scope = new Scope("logit_scale")
  const start = constantInit(Math.log(1 / spec.contrastive.temperature))
  const [batch] = [...visual.values()][0]?.shape ?? [0]
  const mixing =
    spec.contrastive.mixup > 0 ? { partner: input("partner", [batch], "i64"), share: input("share", [batch]) } : null
  const losses: Record<string, Tensor> = {}
  let loss: Tensor | undefined
  for (const [prompt, v] of visual) {
    const e = texts.get(prompt)
    if (!e) throw new Error(`internal error: no texts for prompt ${prompt}`)
    const present = spec.partial ? input(`present/${prompt}`, [batch]) : null
    const scale = scope.param(prompt, [], start, { decay: false })
    const own = infoNce(v, e, scale, spec.contrastive, mixing, present)
    losses[`loss.${prompt}`] = own
    loss = loss ? add(loss, own) : own
  }
  if (!loss) throw new Error("internal error: stage 1 without prompts")
  return { loss, losses, params: scope.params }
}

/** The rows of a batch that a process computes, and who computes the others. */
export interface AlignShare {
  start: number
  end: number
  collective: Collective
}

/** Gradient caching (Gao et al. 2021): losses and gradients of the embeddings; then a chunk's weights' gradients. */
interface Cached {
  loss: Session
  backward: Session
  /** Trained weights of the loss itself: no chunk has a part in them. */
  own: readonly Param[]
}

/**
 * Compiled graphs of stage 1; weights are inputs.
 *
 * @example
 * ```ts
 * import { contrastiveSchema, modelSchema } from "@fourtier/core/schemas"
 * import { AlignGraphs } from "@fourtier/core/train"
 *
 * const settings = { contrastive: contrastiveSchema.parse({}), width: null, processors: modelSchema.parse({}) }
 * const spec = { size: { T: 8, H: 6, W: 6, D: 64 }, prompts: ["A", "B"], textWidth: 512, ...settings }
 * const graphs = await AlignGraphs.compile(spec, 64, 16) // batches of 64 clips, 16 in memory at once
 * await graphs.release()
 * ```
 */
export class AlignGraphs {
  readonly spec: AlignSpec
  readonly batch: number
  /** Clips whose features are in memory at once. */
  readonly chunk: number
  readonly trained: readonly Param[]
  readonly frozen: readonly Param[]
  /** Losses and all gradients of a batch; absent when the batch goes in chunks. */
  readonly #whole: Session | null
  readonly #cached: Cached | null
  readonly #embed: Session

  private constructor(
    spec: AlignSpec,
    batch: number,
    chunk: number,
    params: { trained: readonly Param[]; frozen: readonly Param[] },
    sessions: { whole: Session | null; cached: Cached | null; embed: Session },
  ) {
    this.spec = spec
    this.batch = batch
    this.chunk = chunk
    this.trained = params.trained
    this.frozen = params.frozen
    this.#whole = sessions.whole
    this.#cached = sessions.cached
    this.#embed = sessions.embed
  }

  /**
   * @param batch clips that are told apart at once
   * @param chunk clips in memory at once; a batch of several chunks uses gradient caching, with equal gradients, and so does one that
   * several processes share
   */
  static async compile(spec: AlignSpec, batch: number, chunk: number, runtime: SessionOptions = {}) {
    const inChunk = embedClips(spec, pooledInputs(chunk, spec.size))
    const embed = await Session.compile({ outputs: Object.fromEntries(inChunk.embeddings) }, runtime)
    const texts = embedTexts(spec, batch)
    if (chunk === batch) {
      const visual = embedClips(spec, pooledInputs(batch, spec.size))
      const { loss, losses, params } = contrast(spec, visual.embeddings, texts)
      const trained = [...visual.trained, ...params]
      const whole = await Session.compile({ outputs: { loss, ...losses, ...gradientsOf(loss, trained) } }, runtime)
      return new AlignGraphs(spec, batch, batch, { trained, frozen: visual.frozen }, { whole, cached: null, embed })
    }
    const held = new Map(
      [...inChunk.embeddings].map(
        ([prompt, { shape }]) => [prompt, input(`visual/${prompt}`, [batch, shape[1]])] as const,
      ),
    )
    const { loss, losses, params } = contrast(spec, held, texts)
    const toEmbeddings = grad(loss, [...held.values()])
    const cotangents = Object.fromEntries([...held.keys()].map((prompt, i) => [`cotangent/${prompt}`, toEmbeddings[i]]))
    const outputs = { loss, ...losses, ...cotangents, ...gradientsOf(loss, params) }
    // Σ embedding·cotangent has the chunk's share of the gradient
    let surrogate: Tensor | undefined
    for (const [prompt, embedding] of inChunk.embeddings) {
      const term = sum(mul(embedding, input(`cotangent/${prompt}`, embedding.shape)))
      surrogate = surrogate ? add(surrogate, term) : term
    }
    if (!surrogate) throw new Error("internal error: stage 1 without prompts")
    const backward = await Session.compile({ outputs: gradientsOf(surrogate, inChunk.trained) }, runtime)
    const cached = { loss: await Session.compile({ outputs }, runtime), backward, own: params }
    const trained = [...inChunk.trained, ...params]
    return new AlignGraphs(spec, batch, chunk, { trained, frozen: inChunk.frozen }, { whole: null, cached, embed })
  }

  /** Sends gradients straight into the optimiser's buffers. */
  bind(optimizer: AdamW): void {
    for (const session of [this.#whole, this.#cached?.loss, this.#cached?.backward]) {
      for (const name of session?.outputs.keys() ?? []) {
        if (name.startsWith("grad/")) session?.bind(name, optimizer.gradientBuffer(name.slice("grad/".length)))
      }
    }
  }

  /**
   * Losses of a batch; this share's part of the gradients goes where `bind` said, some of it accumulated before.
   * @param texts of the whole batch
   * @param read gives the features of clips i to j of the batch
   */
  async gradients(
    weights: Values,
    texts: Values,
    read: (start: number, end: number, kind: FeatureKind) => Promise<Uint16Array>,
    optimizer: AdamW,
    share: AlignShare = { start: 0, end: this.batch, collective: alone },
  ): Promise<Record<string, number>> {
    const { batch, chunk } = this
    if (this.#whole) {
      const [s, t] = [await read(0, batch, "s"), await read(0, batch, "t")]
      const losses = lossesIn(await this.#whole.run({ ...weights, ...texts, s, t }))
      if (share.collective.rank > 0) clearGradients(optimizer, this.trained)
      return losses
    }
    if (!this.#cached) throw new Error("internal error: stage 1 has no gradient graph")
    const { loss, backward, own } = this.#cached
    const chunks: { start: number; end: number }[] = []
    for (let start = share.start; start < share.end; start += chunk) {
      chunks.push({ start, end: Math.min(share.end, start + chunk) })
    }
    const pooled = async ({ start, end }: { start: number; end: number }) => ({
      s: filledUp(await read(start, end, "s"), end - start, chunk),
      t: filledUp(await read(start, end, "t"), end - start, chunk),
    })
    const held = await this.#embedAll(weights, chunks, pooled, share)
    const visual = Object.fromEntries([...held].map(([prompt, rows]) => [`visual/${prompt}`, rows]))
    const results = await loss.run({ ...weights, ...texts, ...visual })
    if (share.collective.rank > 0) clearGradients(optimizer, own)
    if (chunks.length === 0) clearGradients(optimizer, this.trained)
    for (const [i, part] of chunks.entries()) {
      const cotangents: Values = {}
      for (const [prompt, { length }] of held) {
        const width = length / batch
        const name = `cotangent/${prompt}`
        const rows = Float32Array.from(results[name].slice(width * part.start, width * part.end), Number)
        cotangents[name] = withZeros(rows, width * chunk)
      }
      if (i > 0) {
        await optimizer.accumulate(1)
        clearGradients(optimizer, own)
      }
      await backward.run({ ...weights, ...cotangents, ...(await pooled(part)) })
    }
    return lossesIn(results)
  }

  /** Embeddings of the whole batch by prompt, those of other shares from their ranks: [batch,E]. */
  async #embedAll(
    weights: Values,
    chunks: readonly { start: number; end: number }[],
    pooled: (part: { start: number; end: number }) => Promise<{ s: Uint16Array; t: Uint16Array }>,
    { start, collective }: AlignShare,
  ): Promise<Map<string, Float32Array>> {
    const { batch } = this
    const rows = Math.ceil(batch / collective.size)
    const widths = new Map([...this.#embed.outputs].map(([prompt, { shape }]) => [prompt, shape[1]] as const))
    const width = [...widths.values()].reduce((sum, own) => sum + own, 0)
    // [row][prompt][E], so that the rows of all ranks follow each other
    const own = new Float32Array(rows * width)
    for (const part of chunks) {
      let column = 0
      const embedded = await this.embed(weights, await pooled(part))
      for (const [prompt, E] of widths) {
        const values = embedded.get(prompt) ?? new Float32Array()
        for (let row = part.start; row < part.end; row++) {
          own.set(values.subarray((row - part.start) * E, (row - part.start + 1) * E), (row - start) * width + column)
        }
        column += E
      }
    }
    const all = await collective.gather(own)
    let column = 0
    const held = new Map<string, Float32Array>()
    for (const [prompt, E] of widths) {
      const values = new Float32Array(batch * E)
      for (let row = 0; row < batch; row++) {
        values.set(all.subarray(row * width + column, row * width + column + E), row * E)
      }
      held.set(prompt, values)
      column += E
    }
    return held
  }

  /** Visual embeddings of `chunk` clips by prompt: [chunk,E]. */
  async embed(weights: Values, pooled: { s: Uint16Array; t: Uint16Array }): Promise<Map<string, Float32Array>> {
    const results = await this.#embed.run({ ...weights, ...pooled })
    return new Map(Object.entries(results).map(([prompt, data]) => [prompt, Float32Array.from(data, Number)]))
  }

  async release(): Promise<void> {
    await this.#embed.release()
    await this.#whole?.release()
    await this.#cached?.loss.release()
    await this.#cached?.backward.release()
  }
}

function withZeros(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values
  const longer = new Float32Array(length)
  longer.set(values)
  return longer
}

/** Rows of a chunk, filled up with the last of them. */
function filledUp(rows: Uint16Array, count: number, chunk: number): Uint16Array {
  if (count === chunk) return rows
  const width = rows.length / count
  const all = new Uint16Array(chunk * width)
  all.set(rows)
  for (let row = count; row < chunk; row++) all.copyWithin(row * width, (count - 1) * width, count * width)
  return all
}

function gradientsOf(loss: Tensor, params: readonly Param[]): Record<string, Tensor> {
  const gradients = grad(
    loss,
    params.map(({ tensor }) => tensor),
  )
  return Object.fromEntries(params.map(({ name }, i) => [`grad/${name}`, gradients[i]]))
}

function lossesIn(results: Values): Record<string, number> {
  return Object.fromEntries(
    Object.entries(results).flatMap(([name, data]) => (name.startsWith("loss") ? [[name, Number(data[0])]] : [])),
  )
}
