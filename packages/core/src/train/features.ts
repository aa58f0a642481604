/** Training data of both stages: clips, their classes and where their features come from. */

import { FourtierError, floatToHalf, nonFinite, type Rng } from "@fourtier/tensor"
import { type Pool, poolRecord, type RecordSize } from "../model/pooling.ts"
import type { Target } from "../objective/classification.ts"

/** `m` [T,N,D] the frozen encoder's map, `s` [T,D] and `t` [N,D] its pooled rows. */
export type FeatureKind = "m" | "s" | "t"

/** Names one view of one clip. */
export interface RecordKey {
  /** The clip's content hash. */
  clip: string
  view: number
}

/** Where features are read: files in Node, memory in a page. */
export interface FeatureSource {
  /** Names what was computed: encoder, views, pooling. Equal ids, equal features. */
  readonly id: string
  readonly size: RecordSize
  /** A record as float16 bits, into `into` if given. */
  read(key: RecordKey, kind: FeatureKind, into?: Uint16Array): Promise<Uint16Array>
}

/** One clip with the views that were extracted of it. */
export interface Example {
  /** The clip's id in the manifest. */
  id: string
  /** Content hash: names the clip in the feature source. */
  hash: string
  /** Views to draw from, at least one. */
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

/** Examples and the source of their features. */
export interface FeatureSet<E extends Example = Labelled> {
  source: FeatureSource
  examples: readonly E[]
}

/** Above this, rounding to float16 gives infinity: the middle between 65504, the largest float16, and 65536. */
const HALF_LIMIT = 65520 - 2 ** -8

/**
 * A record as a store keeps it, in float16.
 *
 * @param m the map [T,N,D] in float32
 * @param where the clip, for errors
 * @throws FourtierError where a feature is NaN or infinite, or would be in float16
 *
 * @example
 * ```ts
 * import { halfRecord } from "@fourtier/core/train"
 *
 * const size = { T: 8, N: 36, D: 64 }
 * halfRecord(new Float32Array(8 * 36 * 64), size, "mean", "jump.mp4").s // [8, 64], float16
 * ```
 */
export function halfRecord(
  m: Float32Array,
  size: RecordSize,
  pool: Pool,
  where: string,
): Record<FeatureKind, Uint16Array> {
  const shape = [size.T, size.N, size.D]
  const broken = nonFinite(m, shape)
  if (broken !== null) {
    throw new FourtierError({
      where,
      what: "features that are no finite numbers, in [time,place,channel]",
      found: broken,
      fix: "check the encoder's weights, and its precision: float32 has the widest range",
    })
  }
  const large = nonFinite(m, shape, HALF_LIMIT)
  if (large !== null) {
    const most = m.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    throw new FourtierError({
      where,
      what: "features too large for float16, which they are stored in, in [time,place,channel]",
      expected: "65504 at most",
      found: large,
      fix: `scale the map down: set encoder.scale to ${2 ** Math.floor(Math.log2(HALF_LIMIT / most) - 1)}`,
    })
  }
  const { s, t } = poolRecord(m, size, pool)
  return { m: floatToHalf(m), s: floatToHalf(s), t: floatToHalf(t) }
}

/**
 * Features in memory, float16 as a store on disk keeps them.
 *
 * @example
 * ```ts
 * import { MemoryFeatures } from "@fourtier/core/train"
 *
 * const features = new MemoryFeatures("camera", { T: 8, N: 36, D: 64 })
 * features.add({ clip: "jump/a", view: 0 }, new Float32Array(8 * 36 * 64))
 * await features.read({ clip: "jump/a", view: 0 }, "s") // [8, 64], float16
 * ```
 */
export class MemoryFeatures implements FeatureSource {
  readonly id: string
  readonly size: RecordSize
  readonly #pool: Pool
  readonly #records = new Map<string, Record<FeatureKind, Uint16Array>>()

  constructor(id: string, size: RecordSize, pool: Pool = "mean") {
    this.id = id
    this.size = size
    this.#pool = pool
  }

  /** Adds a record: its map m [T,N,D] in float32. @throws FourtierError for features that float16 cannot hold */
  add({ clip, view }: RecordKey, m: Float32Array): void {
    this.#records.set(`${clip}/${view}`, halfRecord(m, this.size, this.#pool, `clip ${clip}, view ${view}`))
  }

  async read({ clip, view }: RecordKey, kind: FeatureKind, into?: Uint16Array): Promise<Uint16Array> {
    const record = this.#records.get(`${clip}/${view}`)
    if (!record) throw new Error(`internal error: no features of clip ${clip}, view ${view}`)
    if (!into) return record[kind]
    into.set(record[kind])
    return into
  }
}

/**
 * The records of `keys`, one after another, as float16 bits: [B, record..].
 *
 * @example
 * ```ts
 * import { MemoryFeatures, readBatch } from "@fourtier/core/train"
 *
 * const features = new MemoryFeatures("camera", { T: 8, N: 36, D: 64 })
 * const [a, b] = ["jump/a", "wave/b"].map((clip) => ({ clip, view: 0 }))
 * for (const key of [a, b]) features.add(key, new Float32Array(8 * 36 * 64))
 * await readBatch(features, [a, b, a], "t") // [3, 36, 64], float16
 * ```
 */
export async function readBatch(
  source: FeatureSource,
  keys: readonly RecordKey[],
  kind: FeatureKind,
): Promise<Uint16Array> {
  const { T, N, D } = source.size
  const length = { m: T * N * D, s: T * D, t: N * D }[kind]
  const batch = new Uint16Array(keys.length * length)
  await Promise.all(keys.map((key, i) => source.read(key, kind, batch.subarray(i * length, (i + 1) * length))))
  return batch
}

/**
 * A random view of each of the clips numbered `batch`; another one where a clip comes again, as long as it has others.
 *
 * @example
 * ```ts
 * import { drawViews, MemoryFeatures } from "@fourtier/core/train"
 * import { Rng } from "@fourtier/tensor"
 *
 * const source = new MemoryFeatures("camera", { T: 8, N: 36, D: 64 })
 * const examples = [{ id: "jump/a", hash: "5f1c", views: [0, 1, 2] }]
 * drawViews({ source, examples }, [0], Rng.fork(0, "step", 1)) // [{ clip: "5f1c", view: 0, 1 or 2 }]
 * ```
 */
export function drawViews({ examples }: FeatureSet<Example>, batch: readonly number[], rng: Rng): RecordKey[] {
  const taken = new Map<number, number[]>()
  return batch.map((i) => {
    const { hash, views } = examples[i]
    const before = taken.get(i) ?? []
    const left = views.filter((view) => !before.includes(view))
    const view = rng.pick(left.length > 0 ? left : views)
    taken.set(i, left.length > 0 ? [...before, view] : [view])
    return { clip: hash, view }
  })
}
