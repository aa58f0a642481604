/** Clips of a split as training and test examples, and which labels may be used. */

import type { Example, Labelled } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { TextEmbeddingTable } from "../text/targets.ts"
import type { Clip } from "../video/manifest.ts"

/** Clips with `views` views each in the store. */
export function examplesOf(clips: readonly Clip[], views: number): Example[] {
  return clips.map(({ id, hash }) => ({ id, hash, views: [...Array(views).keys()] }))
}

/** Those of the clips that have a label. */
export function labelledOf(clips: readonly Clip[], classes: readonly string[], views: number): Labelled[] {
  const labels = clips.map(({ label }) => (label === null ? -1 : classes.indexOf(label)))
  return examplesOf(clips, views).flatMap((example, i) => (labels[i] < 0 ? [] : [{ ...example, label: labels[i] }]))
}

/** Whether a clip has an answer to every prompt: others sit out stage 1. */
export function isDescribed(clip: string, prompts: readonly string[], table: TextEmbeddingTable): boolean {
  return prompts.every((prompt) => table.get(prompt)?.has(clip))
}

/** At most `perClass` clips of each class, drawn by the seed, in the order of `examples`; all with null. */
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

/** How many of the clips have a label that may be used. */
export function countLabelled(clips: readonly Clip[], perClass: number | null): number {
  const counts = new Map<string, number>()
  for (const { label } of clips) if (label !== null) counts.set(label, (counts.get(label) ?? 0) + 1)
  return [...counts.values()].reduce((sum, count) => sum + Math.min(count, perClass ?? count), 0)
}
