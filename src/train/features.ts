/** Training data of both stages: clips, their classes and where their features lie. */

import type { FeatureKind, FeatureStore, RecordKey } from "../encoders/store.ts"
import type { Target } from "../objective/classification.ts"
import type { Rng } from "../util/random.ts"

/** One clip with the views that were extracted of it. */
export interface Example {
  /** The clip's id in the manifest. */
  id: string
  /** Content hash: names the clip in the feature store. */
  hash: string
  /** Views in the store to draw from, at least one. */
  views: readonly number[]
}

/** A clip whose class is known. */
export interface Labelled extends Example {
  /** Class number. */
  label: number
}

/** A clip that may be learned from: with its label, or with a pseudo-label. */
export interface Taught extends Example {
  label: Target
}

/** Examples and the store that holds their features. */
export interface FeatureSet<E extends Example = Labelled> {
  store: FeatureStore
  examples: readonly E[]
}

/** The records of `keys`, one after another, as float16 bits: [B, record..]. */
export async function readBatch(
  store: FeatureStore,
  keys: readonly RecordKey[],
  kind: FeatureKind,
): Promise<Uint16Array> {
  const { T, N, D } = store.size
  const length = { m: T * N * D, s: T * D, t: N * D }[kind]
  const batch = new Uint16Array(keys.length * length)
  await Promise.all(keys.map((key, i) => store.read(key, kind, batch.subarray(i * length, (i + 1) * length))))
  return batch
}

/** A random view of each of the clips numbered `batch`. */
export function drawViews({ examples }: FeatureSet<Example>, batch: readonly number[], rng: Rng): RecordKey[] {
  return batch.map((i) => ({ clip: examples[i].hash, view: rng.pick(examples[i].views) }))
}
