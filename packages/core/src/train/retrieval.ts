/** Whether unseen clips find their own answers: how well stage 1 has learned what is said of clips, told without any label. */

import type { Weights } from "@fourtier/tensor/nn"
import { embedExamples, type TextTargets } from "./align.ts"
import type { AlignGraphs } from "./align-graphs.ts"
import type { Example, FeatureSet } from "./features.ts"
import { dot, unit } from "./vectors.ts"

/** How well clips that were held out find their own answers. */
export interface Retrieval {
  /** 1 where every unseen clip finds its own answer first, 0 where answers are found by chance. */
  skill: number
  /** Standard errors that the skill lies above chance. */
  z: number
}

/**
 * Where each clip's own target stands among its set's by cosine: 0 first, 1 last; those that are equal do not count.
 * @param found predicted embeddings [clips][Dt], of any length
 * @param targets unit text embeddings of the same clips
 * @param sets data set of each clip, whose targets alone are compared
 *
 * @example
 * ```ts
 * import { retrievalRanks } from "@fourtier/core/train"
 *
 * const targets = [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * retrievalRanks([Float32Array.of(2, 1), Float32Array.of(3, 1)], targets, ["", ""]) // [0, 1]
 * ```
 */
export function retrievalRanks(
  found: readonly ArrayLike<number>[],
  targets: readonly ArrayLike<number>[],
  sets: readonly string[],
): number[] {
  return found.map((z, i) => {
    const cosines = targets.flatMap((target, j) => (sets[j] === sets[i] ? [dot(z, target)] : []))
    const own = dot(z, targets[i])
    const before = cosines.filter((cosine) => cosine > own + 1e-9).length
    const after = cosines.filter((cosine) => cosine < own - 1e-9).length
    return before + after === 0 ? 0.5 : before / (before + after)
  })
}

/**
 * Skill and significance of ranks. By chance ranks are uniform on [0,1]: the skill has mean 0 and deviation 1/√(3n).
 *
 * @example
 * ```ts
 * import { retrievalOf } from "@fourtier/core/train"
 *
 * retrievalOf([0, 0, 0]) // { skill: 1, z: 3 }
 * ```
 */
export function retrievalOf(ranks: readonly number[]): Retrieval {
  const skill = 1 - (2 * ranks.reduce((total, rank) => total + rank, 0)) / ranks.length
  return { skill, z: skill * Math.sqrt(3 * ranks.length) }
}

/**
 * By prompt: how well clips find their own answers with these weights. A prompt counts the clips that have its text.
 * @param weights every weight of the graphs, frozen ones included
 * @param sets data set of each clip, by clip id, where they come from several: a clip is compared with those of its own
 *
 * @example
 * ```ts
 * import { type AlignGraphs, type FeatureSet, retrievalBy, type TextTargets } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * async function skillOfA(graphs: AlignGraphs, unseen: FeatureSet, texts: TextTargets, weights: Weights) {
 *   return (await retrievalBy(graphs, unseen, texts, weights)).get("A")?.skill ?? 0
 * }
 * ```
 */
export async function retrievalBy(
  graphs: AlignGraphs,
  set: FeatureSet<Example>,
  texts: TextTargets,
  weights: Weights,
  sets: ReadonlyMap<string, string> = new Map(),
): Promise<Map<string, Retrieval>> {
  const found = await embedExamples(graphs, set, weights)
  return new Map(
    [...found].flatMap(([prompt, rows]) => {
      const own = set.examples.flatMap((clip, i) => (texts.embeddings.get(prompt)?.has(clip.id) ? [{ clip, i }] : []))
      if (own.length === 0) return []
      const clips = own.map(({ clip }) => clip)
      const ranks = retrievalRanks(
        own.map(({ i }) => rows[i]),
        unitTargets(texts, prompt, clips),
        clips.map(({ id }) => sets.get(id) ?? ""),
      )
      return [[prompt, retrievalOf(ranks)] as const]
    }),
  )
}

/**
 * Unit text embedding [Dt] of each clip; rows of `tokens` similarity are averaged first.
 *
 * @example
 * ```ts
 * import { unitTargets } from "@fourtier/core/train"
 *
 * const embeddings = new Map([["A", new Map([["jump/a", Float32Array.of(3, 4)]])]])
 * unitTargets({ width: 2, embeddings }, "A", [{ id: "jump/a", hash: "5f1c", views: [0] }]) // [[0.6, 0.8]]
 * ```
 */
export function unitTargets(
  { width, embeddings }: TextTargets,
  prompt: string,
  examples: readonly Example[],
): Float32Array[] {
  return examples.map(({ id }) => {
    const vector = embeddings.get(prompt)?.get(id)
    if (!vector) throw new Error(`internal error: clip ${id} has no text for prompt ${prompt}`)
    const row = new Float32Array(width)
    for (let i = 0; i < vector.length; i++) row[i % width] += vector[i]
    return unit(row)
  })
}
