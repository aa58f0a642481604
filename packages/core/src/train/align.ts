/**
 * Stage 1 (paper Sec. 3.2, Fig. 4): the feature processors learn to meet the text embeddings of the VLM's answers.
 *
 * ```
 * s, t float16 ─ standardise ─ processor i ─ v_i ─ project D→Dt ─┐
 *                                                               ├─ InfoNCE_i ─ Σ_i ─ gradients
 * e_i of the clip's answer to prompt i ──────────────────────────┘
 * ```
 * Encoder, VLM and text encoder are frozen. Processors of the text space need no projection; with processors of the map's space it
 * serves this stage alone.
 */

import type { Values } from "@fourtier/tensor"
import { selectWeights, type Weights } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import { drawMixing, mixRecords } from "../objective/mixup.ts"
import type { AlignGraphs } from "./align-graphs.ts"
import { drawViews, type Example, type FeatureKind, type FeatureSet, readBatch } from "./features.ts"
import type { TrainTask } from "./task.ts"
import { unit } from "./vectors.ts"

/** Text embeddings of the clips' answers. */
export interface TextTargets {
  /** Width Dt. */
  width: number
  /** By prompt id, then by clip id: [Dt] for `pooled` similarity, [T+N,Dt] for `tokens`. Where `AlignSpec.partial`, some may lack. */
  embeddings: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>
}

/**
 * Unit visual embeddings of clips by prompt, the mean over their views: [E] each.
 * @param weights every weight of the graphs, frozen ones included
 *
 * @example
 * ```ts
 * import { type AlignGraphs, embedExamples, type FeatureSet } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * // How far two clips are apart in what prompt A asks for.
 * async function distance(graphs: AlignGraphs, pair: FeatureSet, weights: Weights) {
 *   const [a, b] = (await embedExamples(graphs, pair, weights)).get("A") ?? []
 *   return Math.hypot(...a.map((x, d) => x - b[d]))
 * }
 * ```
 */
export async function embedExamples(
  graphs: AlignGraphs,
  { source, examples }: FeatureSet<Example>,
  weights: Weights,
): Promise<Map<string, Float32Array[]>> {
  const feeds = Object.fromEntries(selectWeights("stage 1", [...graphs.trained, ...graphs.frozen], weights))
  const jobs = examples.flatMap(({ hash, views }, clip) => views.map((view) => ({ clip, key: { clip: hash, view } })))
  const sums = new Map<string, Float32Array[]>()
  for (let i = 0; i < jobs.length; i += graphs.chunk) {
    const part = jobs.slice(i, i + graphs.chunk)
    // the last chunk is filled up with its own last record
    const keys = Array.from({ length: graphs.chunk }, (_, row) => part[Math.min(row, part.length - 1)].key)
    const [s, t] = [await readBatch(source, keys, "s"), await readBatch(source, keys, "t")]
    for (const [prompt, rows] of await graphs.embed(feeds, { s, t })) {
      const width = rows.length / graphs.chunk
      const own = sums.get(prompt) ?? examples.map(() => new Float32Array(width))
      sums.set(prompt, own)
      for (const [row, { clip }] of part.entries()) {
        for (let d = 0; d < width; d++) own[clip][d] += rows[row * width + d]
      }
    }
  }
  return new Map([...sums].map(([prompt, rows]) => [prompt, rows.map(unit)]))
}

/**
 * Stage 1 as a training task. Without validation clips it always runs to its end.
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { scheduleSchema } from "@fourtier/core/schemas"
 * import * as core from "@fourtier/core/train"
 *
 * async function stage1(graphs: core.AlignGraphs, clips: core.FeatureSet, texts: core.TextTargets) {
 *   const standardize = await core.fitStandardize(clips, null)
 *   const data = { train: clips, val: { ...clips, examples: [] } }
 *   const task = core.alignmentTask(graphs, data, texts, standardize, async () => null)
 *   const schedule = scheduleSchema.parse({ epochs: 50, batch: 64, learningRate: 1e-3 })
 *   return core.train(task, { schedule, seed: 0, reporter: silent })
 * }
 * ```
 */
export function alignmentTask(
  graphs: AlignGraphs,
  data: { train: FeatureSet<Example>; val: FeatureSet<Example> },
  texts: TextTargets,
  frozen: Weights,
  validate: (weights: Weights) => Promise<({ score: number } & Record<string, number>) | null>,
): TrainTask {
  const fixed = Object.fromEntries(selectWeights("stage 1", graphs.frozen, frozen))
  let bound: AdamW | null = null
  return {
    name: "stage 1",
    params: graphs.trained,
    examples: data.train.examples.length,
    microBatch: graphs.batch,
    joint: true,

    async gradients({ clips: batch, start, end, rng, collective }, optimizer) {
      if (bound !== optimizer) graphs.bind(optimizer)
      bound = optimizer
      const keys = drawViews(data.train, batch, rng)
      const weights: Values = { ...fixed }
      for (const { name } of graphs.trained) weights[name] = optimizer.parameter(name)
      const ids = batch.map((i) => data.train.examples[i].id)
      const { mixup } = graphs.spec.contrastive
      const mixing = drawMixing(batch.length, mixup, rng)
      const read = async (i: number, j: number, kind: FeatureKind) => {
        const own = await readBatch(data.train.source, keys.slice(i, j), kind)
        if (mixup === 0) return own
        const partners = Array.from(mixing.partner.subarray(i, j), (partner) => keys[Number(partner)])
        return mixRecords(own, await readBatch(data.train.source, partners, kind), mixing.share.subarray(i, j))
      }
      const targets = {
        ...(graphs.spec.partial ? partialTextBatch(texts, ids) : textBatch(texts, ids)),
        ...(mixup > 0 ? { partner: mixing.partner, share: mixing.share } : {}),
      }
      const share = { start, end, collective }
      return { loss: 0, ...(await graphs.gradients(weights, targets, read, optimizer, share)) }
    },

    async validate(parameter) {
      const weights: Weights = new Map(frozen)
      for (const { name } of graphs.trained) weights.set(name, parameter(name))
      return validate(weights)
    },
  }
}

/** Text rows of clips, one after another, by input name. */
function textBatch(texts: TextTargets, ids: readonly string[]): Values {
  const feeds: Values = {}
  for (const [prompt, byClip] of texts.embeddings) {
    const rows = ids.map((id) => {
      const row = byClip.get(id)
      if (!row) throw new Error(`internal error: clip ${id} has no text for prompt ${prompt}`)
      return row
    })
    const all = new Float32Array(rows.length * rows[0].length)
    for (const [i, row] of rows.entries()) all.set(row, i * row.length)
    feeds[`text/${prompt}`] = all
  }
  return feeds
}

/** The same where texts may lack: rows of zeros in their place, and under `present/<prompt>` which are there. */
function partialTextBatch({ embeddings }: TextTargets, ids: readonly string[]): Values {
  const feeds: Values = {}
  for (const [prompt, byClip] of embeddings) {
    const [{ length }] = byClip.size > 0 ? byClip.values() : [new Float32Array()]
    const all = new Float32Array(ids.length * length)
    const present = new Float32Array(ids.length)
    for (const [i, id] of ids.entries()) {
      const row = byClip.get(id)
      if (!row) continue
      all.set(row, i * length)
      present[i] = 1
    }
    feeds[`text/${prompt}`] = all
    feeds[`present/${prompt}`] = present
  }
  return feeds
}
