/** Clips of a split as training and test examples, and which labels may be used. */

import type { Example, Labelled } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { TextEmbeddingTable } from "../text/targets.ts"
import type { Clip } from "../video/manifest.ts"

/**
 * Clips with `views` views each in the store.
 *
 * @example
 * ```ts
 * import { examplesOf } from "fourtier/experiment"
 * import { clipOfFile } from "fourtier/video"
 *
 * examplesOf([clipOfFile("jump.mp4")], 3)[0].views // [0, 1, 2]
 * ```
 */
export function examplesOf(clips: readonly Clip[], views: number): Example[] {
  return clips.map(({ id, hash }) => ({ id, hash, views: [...Array(views).keys()] }))
}

/**
 * Those of the clips that have a label.
 *
 * @example
 * ```ts
 * import { labelledOf } from "fourtier/experiment"
 * import { clipOfFile } from "fourtier/video"
 *
 * const clip = { ...clipOfFile("jump.mp4"), label: "jump" }
 * labelledOf([clip], ["jump", "wave"], 1)[0].label // 0
 * ```
 */
export function labelledOf(clips: readonly Clip[], classes: readonly string[], views: number): Labelled[] {
  const labels = clips.map(({ label }) => (label === null ? -1 : classes.indexOf(label)))
  return examplesOf(clips, views).flatMap((example, i) => (labels[i] < 0 ? [] : [{ ...example, label: labels[i] }]))
}

/** The class number of a clip of no known class. */
export const NO_CLASS = -1

/**
 * The labelled clips of a test part; where there is none, all of them, for a model to be proven with that cannot be measured.
 *
 * @example
 * ```ts
 * import { provenBy } from "fourtier/experiment"
 * import { clipOfFile } from "fourtier/video"
 *
 * provenBy([clipOfFile("jump.mp4")], ["jump", "wave"], 1)[0].label // NO_CLASS
 * ```
 */
export function provenBy(clips: readonly Clip[], classes: readonly string[], views: number): Labelled[] {
  const labelled = labelledOf(clips, classes, views)
  return labelled.length > 0 ? labelled : examplesOf(clips, views).map((clip) => ({ ...clip, label: NO_CLASS }))
}

/**
 * Whether a clip has an answer to any of the prompts: others sit out stage 1. One that lacks some takes no part in their losses.
 *
 * @example
 * ```ts
 * import { isDescribed } from "fourtier/experiment"
 *
 * const table = new Map([["A", new Map([["jump/a", new Float32Array(512)]])]])
 * isDescribed("jump/a", ["A"], table) // true
 * isDescribed("jump/a", ["A", "B"], table) // true
 * isDescribed("jump/b", ["A", "B"], table) // false
 * ```
 */
export function isDescribed(clip: string, prompts: readonly string[], table: TextEmbeddingTable): boolean {
  return prompts.some((prompt) => table.get(prompt)?.has(clip))
}

/**
 * Whether some clip has answers to some prompts, but not to all.
 *
 * @example
 * ```ts
 * import { isPartlyDescribed } from "fourtier/experiment"
 *
 * const answer = new Float32Array(512)
 * const table = new Map([["A", new Map([["jump/a", answer], ["jump/b", answer]])], ["B", new Map([["jump/a", answer]])]])
 * isPartlyDescribed(["A", "B"], table) // true: jump/b has no answer to B
 * ```
 */
export function isPartlyDescribed(prompts: readonly string[], table: TextEmbeddingTable): boolean {
  const clips = new Set(prompts.flatMap((prompt) => [...(table.get(prompt)?.keys() ?? [])]))
  return prompts.some((prompt) => (table.get(prompt)?.size ?? 0) < clips.size)
}

/** Which of some clips lack answers. */
export interface Unanswered {
  /** How many of the clips lack an answer to any prompt. */
  clips: number
  /** How many lack an answer to this prompt, most first; prompts that all have are left out. */
  prompts: { prompt: string; clips: number /** Clips that lack no other answer. */; alone: number }[]
}

/**
 * How many of the clips lack an answer to a prompt of the table, and to which.
 *
 * @example
 * ```ts
 * import { unanswered } from "fourtier/experiment"
 *
 * const answer = new Float32Array(512)
 * const table = new Map([["A", new Map([["a", answer], ["b", answer]])], ["B", new Map([["a", answer]])]])
 * unanswered(["a", "b"], table) // { clips: 1, prompts: [{ prompt: "B", clips: 1, alone: 1 }] }
 * ```
 */
export function unanswered(clips: readonly string[], table: TextEmbeddingTable): Unanswered {
  const lacking = clips.map((clip) => [...table.keys()].filter((prompt) => !table.get(prompt)?.has(clip)))
  const prompts = [...table.keys()].map((prompt) => ({
    prompt,
    clips: lacking.filter((own) => own.includes(prompt)).length,
    alone: lacking.filter((own) => own.length === 1 && own[0] === prompt).length,
  }))
  return {
    clips: lacking.filter((own) => own.length > 0).length,
    prompts: prompts.filter((one) => one.clips > 0).sort((a, b) => b.clips - a.clips),
  }
}

/**
 * At most `perClass` clips of each class, drawn by the seed, in the order of `examples`; all with null.
 *
 * @example
 * ```ts
 * import { drawLabelled } from "fourtier/experiment"
 *
 * const clips = ["a", "b", "c"].map((id) => ({ id, hash: id, views: [0], label: 0 }))
 * drawLabelled(clips, 1, 0).length // 1
 * ```
 */
export function drawLabelled(
  examples: readonly Labelled[],
  perClass: number | null,
  seed: number,
): readonly Labelled[] {
  if (perClass === null) return examples
  const taken = new Map<number, number>()
  const drawn = Rng.fork(seed, "labelled")
    .shuffle(examples)
    .filter(({ label }) => {
      const count = (taken.get(label) ?? 0) + 1
      taken.set(label, count)
      return count <= perClass
    })
  const chosen = new Set(drawn)
  return examples.filter((example) => chosen.has(example))
}

/**
 * How many of the clips have a label that may be used.
 *
 * @example
 * ```ts
 * import { countLabelled } from "fourtier/experiment"
 * import { clipOfFile } from "fourtier/video"
 *
 * const clip = { ...clipOfFile("jump.mp4"), label: "jump" }
 * countLabelled([clip, clip, clip], 2) // 2
 * ```
 */
export function countLabelled(clips: readonly Clip[], perClass: number | null): number {
  const counts = new Map<string, number>()
  for (const { label } of clips) if (label !== null) counts.set(label, (counts.get(label) ?? 0) + 1)
  return [...counts.values()].reduce((sum, count) => sum + Math.min(count, perClass ?? count), 0)
}
