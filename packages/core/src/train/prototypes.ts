/**
 * Stage 1 on its own, by class prototypes (Snell et al. 2017): clips are scored against the mean text embedding of each class's
 * training answers, without any classifier. Shows how much of the classes the alignment has learned.
 */

import type { Weights } from "@fourtier/tensor/nn"
import { softmax } from "../metrics/views.ts"
import { MAX_LOGIT_SCALE } from "../model/space.ts"
import type { TextTargets } from "./align.ts"
import type { AlignGraphs } from "./align-graphs.ts"
import { type Example, type FeatureSet, type Labelled, readBatch } from "./features.ts"

/** By prompt, a unit vector for each class [C][E]. */
export type Prototypes = ReadonlyMap<string, readonly Float32Array[]>

/**
 * Unit vector per class [C][E] of one prompt: mean of the class's unit text embeddings. Null where a class has none.
 *
 * @example
 * ```ts
 * import { classPrototypes } from "@fourtier/core/train"
 *
 * const texts = new Map([["jump/a", Float32Array.of(3, 4)]])
 * classPrototypes(texts, [{ id: "jump/a", hash: "5f1c", views: [0], label: 0 }], 1, 2) // [[0.6, 0.8]]
 * ```
 */
export function classPrototypes(
  texts: ReadonlyMap<string, Float32Array>,
  examples: readonly Labelled[],
  classes: number,
  rowWidth: number,
): Float32Array[] | null {
  const sums: (Float32Array | null)[] = Array<Float32Array | null>(classes).fill(null)
  for (const { id, label } of examples) {
    const text = texts.get(id)
    if (!text) continue
    const unit = unitRows(text, rowWidth)
    const sum = sums[label] ?? new Float32Array(unit.length)
    for (let i = 0; i < unit.length; i++) sum[i] += unit[i]
    sums[label] = sum
  }
  const prototypes = sums.flatMap((sum) => (sum ? [unitRows(sum, sum.length)] : []))
  return prototypes.length === classes ? prototypes : null
}

/** Rows of `width` scaled to length 1. */
function unitRows(values: Float32Array, width: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let i = 0; i < values.length; i += width) {
    let square = 1e-12
    for (let d = 0; d < width; d++) square += values[i + d] ** 2
    for (let d = 0; d < width; d++) out[i + d] = values[i + d] / Math.sqrt(square)
  }
  return out
}

/**
 * Class probabilities of each example by prompt, at stage 1's temperatures, and their mean over the prompts under
 * `all`.
 *
 * @example
 * ```ts
 * import { type AlignGraphs, type FeatureSet, type Prototypes, prototypeProbabilities } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * // Class probabilities [C] of each clip after stage 1 alone.
 * async function afterStage1(graphs: AlignGraphs, clips: FeatureSet, weights: Weights, prototypes: Prototypes) {
 *   return (await prototypeProbabilities(graphs, clips, weights, prototypes)).get("all")
 * }
 * ```
 */
export async function prototypeProbabilities(
  graphs: AlignGraphs,
  set: FeatureSet<Example>,
  weights: Weights,
  prototypes: Prototypes,
): Promise<Map<string, Float32Array[]>> {
  const feeds = Object.fromEntries([...graphs.trained, ...graphs.frozen].map(({ name }) => [name, weights.get(name)]))
  const checked = Object.fromEntries(Object.entries(feeds).flatMap(([name, data]) => (data ? [[name, data]] : [])))
  const jobs = set.examples.flatMap(({ hash, views }, clip) =>
    views.map((view) => ({ clip, key: { clip: hash, view } })),
  )
  const prompts = [...prototypes.keys()]
  const classes = prototypes.get(prompts[0])?.length ?? 0
  const cosines = new Map(prompts.map((prompt) => [prompt, set.examples.map(() => new Float32Array(classes))]))
  for (let i = 0; i < jobs.length; i += graphs.chunk) {
    const part = jobs.slice(i, i + graphs.chunk)
    const keys = Array.from({ length: graphs.chunk }, (_, row) => part[Math.min(row, part.length - 1)].key)
    const [s, t] = [await readBatch(set.source, keys, "s"), await readBatch(set.source, keys, "t")]
    for (const [prompt, rows] of await graphs.embed(checked, { s, t })) {
      const width = rows.length / graphs.chunk
      for (const [row, { clip }] of part.entries()) {
        for (const [c, prototype] of (prototypes.get(prompt) ?? []).entries()) {
          const cosine = dot(rows, row * width, prototype)
          const own = cosines.get(prompt)
          if (own) own[clip][c] += cosine / set.examples[clip].views.length
        }
      }
    }
  }
  const byPrompt = new Map(
    [...cosines].map(([prompt, rows]) => {
      const scale = Math.min(Math.exp(weights.get(`logit_scale.${prompt}`)?.[0] ?? 0), MAX_LOGIT_SCALE)
      return [prompt, rows.map((row) => softmax(row.map((cosine) => cosine * scale)))]
    }),
  )
  const all = set.examples.map((_, clip) => {
    const mean = new Float32Array(classes)
    for (const rows of byPrompt.values()) for (let c = 0; c < classes; c++) mean[c] += rows[clip][c] / prompts.length
    return mean
  })
  return byPrompt.set("all", all)
}

/**
 * The prototypes as weights of `model/prototypes.ts`: [C,E] by prompt.
 *
 * @example
 * ```ts
 * import { prototypeWeights } from "@fourtier/core/train"
 *
 * const prototypes = new Map([["A", [Float32Array.of(1, 0), Float32Array.of(0, 1)]]])
 * prototypeWeights(prototypes).get("prototype.A") // [1, 0,  0, 1]
 * ```
 */
export function prototypeWeights(prototypes: Prototypes): Weights {
  return new Map(
    [...prototypes].map(([prompt, rows]) => {
      const width = rows[0].length
      const data = new Float32Array(rows.length * width)
      for (const [c, row] of rows.entries()) data.set(row, c * width)
      return [`prototype.${prompt}`, data]
    }),
  )
}

function dot(rows: Float32Array, offset: number, other: Float32Array): number {
  let sum = 0
  for (let i = 0; i < other.length; i++) sum += rows[offset + i] * other[i]
  return sum
}

/**
 * Prototypes of every prompt from the labelled clips' texts; null where a class has no such text.
 *
 * @example
 * ```ts
 * import { prototypesOf } from "@fourtier/core/train"
 *
 * const texts = { width: 2, embeddings: new Map([["A", new Map([["jump/a", Float32Array.of(3, 4)]])]]) }
 * prototypesOf(texts, [{ id: "jump/a", hash: "5f1c", views: [0], label: 0 }], 1)?.get("A") // [[0.6, 0.8]]
 * ```
 */
export function prototypesOf(texts: TextTargets, labelled: readonly Labelled[], classes: number): Prototypes | null {
  const prototypes = new Map<string, readonly Float32Array[]>()
  for (const [prompt, byClip] of texts.embeddings) {
    const own = classPrototypes(byClip, labelled, classes, texts.width)
    if (!own) return null
    prototypes.set(prompt, own)
  }
  return prototypes
}
