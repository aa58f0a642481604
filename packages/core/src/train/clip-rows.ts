/** One row of features for each clip, for what looks at clips as a whole. */

import { cast, concat, input, mean, reshape, Session, type SessionOptions } from "@fourtier/tensor"
import { Scope, selectWeights, type Weights } from "@fourtier/tensor/nn"
import { type MapSize, placesOf } from "../model/map.ts"
import { standardize } from "../model/standardize.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"

/** Views read at a time. */
const CHUNK = 32
/** Longer rows are averaged over frames and places. */
const LONGEST = 16384

/**
 * The standardised pooled rows of clips side by side [(T+N)·W], or their mean [W] where that is too long: the mean over each
 * clip's views, by clip id.
 * @param frozen `standardize.*`
 * @param width principal components of the map; null: all channels
 *
 * @example
 * ```ts
 * import { clipRows, type FeatureSet, fitStandardize } from "@fourtier/core/train"
 *
 * const rowsOf = async (clips: FeatureSet) =>
 *   clipRows(clips, await fitStandardize(clips, 64), { T: 8, H: 6, W: 6, D: 640 }, 64)
 * ```
 */
export async function clipRows(
  { source, examples }: FeatureSet<Example>,
  frozen: Weights,
  size: MapSize,
  width: number | null,
  runtime: SessionOptions = {},
): Promise<Map<string, Float32Array>> {
  const { T, D } = size
  const N = placesOf(size)
  const scope = new Scope("standardize")
  const bring = (kind: "s" | "t", count: number) =>
    standardize(scope, cast(input(kind, [CHUNK, count, D], "f16"), "f32"), width)
  const rows = concat([bring("s", T), bring("t", N)], 1) // [B,T+N,W]
  const long = (T + N) * rows.shape[2] > LONGEST
  const x = long ? mean(rows, 1) : reshape(rows, [CHUNK, -1])
  const session = await Session.compile({ outputs: { x } }, runtime)
  try {
    const weights = Object.fromEntries(selectWeights("features", scope.params, frozen))
    const F = x.shape[1]
    const sums = new Map(examples.map(({ id }) => [id, new Float32Array(F)] as const))
    const jobs = examples.flatMap(({ id, hash, views }) =>
      views.map((view) => ({ id, share: 1 / views.length, key: { clip: hash, view } })),
    )
    for (let i = 0; i < jobs.length; i += CHUNK) {
      const part = jobs.slice(i, i + CHUNK)
      // the last chunk is filled up with its own last record
      const keys = Array.from({ length: CHUNK }, (_, row) => part[Math.min(row, part.length - 1)].key)
      const [s, t] = [await readBatch(source, keys, "s"), await readBatch(source, keys, "t")]
      const found = await session.run({ ...weights, s, t })
      for (const [row, { id, share }] of part.entries()) {
        const sum = sums.get(id)
        if (sum) for (let f = 0; f < F; f++) sum[f] += share * Number(found.x[row * F + f])
      }
    }
    return sums
  } finally {
    await session.release()
  }
}
