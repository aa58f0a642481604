/** Sets of clips in a form that one process sends to another. Not part of the entry. */

import type { Example, FeatureSet, FeatureSource, Taught } from "@fourtier/core/train"
import { FourtierError } from "@fourtier/tensor"
import { FeatureStore, type StoreReference } from "../features/store.ts"

export interface PackedClips {
  store: StoreReference
  ids: readonly string[]
  hashes: readonly string[]
  views: readonly (readonly number[])[]
  /** Null: probabilities of the classes, in the array of soft labels. */
  labels: readonly (number | null)[]
}

const SOFT = "soft labels"

/** A set in a form that can be sent. Soft labels go to `arrays`. */
export function packed(
  { source, examples }: FeatureSet<Example | Taught>,
  arrays: Map<string, Float32Array>,
): PackedClips {
  const labels = examples.map((example) => ("label" in example ? example.label : 0))
  const soft = labels.flatMap((label) => (typeof label === "number" ? [] : [Float32Array.from(label)]))
  if (soft.length > 0) arrays.set(SOFT, joined(soft))
  return {
    store: referenceOf(source),
    ids: examples.map(({ id }) => id),
    hashes: examples.map(({ hash }) => hash),
    views: examples.map(({ views }) => views),
    labels: labels.map((label) => (typeof label === "number" ? label : null)),
  }
}

/** The set, its features opened anew: close its source after use. */
export async function unpacked(clips: PackedClips, arrays: ReadonlyMap<string, Float32Array>) {
  const soft = arrays.get(SOFT) ?? new Float32Array()
  const count = clips.labels.filter((label) => label === null).length
  const width = soft.length / count
  let row = 0
  const examples = clips.ids.map((id, i): Taught => {
    const label = clips.labels[i] ?? soft.subarray(row * width, ++row * width)
    return { id, hash: clips.hashes[i], views: clips.views[i], label }
  })
  return { source: await FeatureStore.reopen(clips.store), examples }
}

function referenceOf(source: FeatureSource): StoreReference {
  if (source instanceof FeatureStore) return source.reference
  throw new FourtierError({
    where: source.id,
    what: "features that the other processes cannot read",
    expected: "a store on a file system that all of them see",
    fix: "train in one process, or extract the features first",
  })
}

/** Arrays one after another. */
export function joined(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const row of rows) {
    all.set(row, at)
    at += row.length
  }
  return all
}
