/** Pooling is one thing: in a store, in stage 1 and in the shipped network, for the mean and for the largest value. */

import { evaluate, input, Rng, type Tensor } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { type NetworkSpec, onRawMap } from "../../src/model/network.ts"
import { type Pool, poolMap, poolRecord } from "../../src/model/pooling.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { difference, makeFeatures, RECORD, SIZE } from "../train/fixtures.ts"

const { T, N, D } = RECORD
const rng = new Rng("pooling")
const record = Float32Array.from({ length: T * N * D }, () => rng.normal())
const POOLS: readonly Pool[] = ["mean", "max"]

describe("pooling", () => {
  it.each(POOLS)("%s: arrays of the store equal the nodes of a graph", async (pool) => {
    const m = input("m", [1, T, N, D])
    const graph = await evaluate({ outputs: { ...poolMap(m, pool) } }, { m: record })
    const { s, t } = poolRecord(record, RECORD, pool)
    expect(difference(Array.from(graph.s, Number), s)).toBeLessThan(1e-6)
    expect(difference(Array.from(graph.t, Number), t)).toBeLessThan(1e-6)
  })

  it.each(POOLS.flatMap((pool) => [null, 5].map((width) => ({ pool, width }))))(
    "$pool, width $width: processors read the same rows in stage 2 as in stage 1",
    async ({ pool, width }) => {
      const { source, examples } = await makeFeatures({ clips: 12, views: 1 }, pool)
      const standardize = Object.fromEntries(await fitStandardize({ source, examples }, width))
      let rows: { s: Tensor; t: Tensor } | undefined
      const spec: NetworkSpec = {
        size: SIZE,
        classes: 2,
        width,
        pool,
        build: ({ m, pooled }) => {
          rows = pooled
          return { logits: m, trained: [], frozen: [] }
        },
      }
      onRawMap(input("m", [1, T, N, D]), spec, null)
      if (!rows) throw new Error("the network was not built")
      const stage2 = await evaluate({ outputs: { ...rows } }, { m: record, ...standardize })
      const stage1 = standardised(poolRecord(record, RECORD, pool), standardize, width)
      expect(difference(Array.from(stage2.s, Number), stage1.s)).toBeLessThan(1e-4)
      expect(difference(Array.from(stage2.t, Number), stage1.t)).toBeLessThan(1e-4)
    },
  )
})

/** Pooled rows brought to the common scale by plain arithmetic. */
function standardised(
  rows: { s: Float32Array; t: Float32Array },
  weights: Record<string, Float32Array>,
  width: number | null,
): { s: number[]; t: number[] } {
  const { "standardize.mean": mean, "standardize.scale": scale, "standardize.projection": projection } = weights
  const bring = (data: Float32Array) =>
    Array.from({ length: data.length / D }, (_, r) => {
      const row = Array.from({ length: D }, (_, d) => (data[r * D + d] - mean[d]) * scale[d])
      if (width === null) return row
      return Array.from({ length: width }, (_, k) => row.reduce((sum, x, d) => sum + x * projection[d * width + k], 0))
    }).flat()
  return { s: bring(rows.s), t: bring(rows.t) }
}
