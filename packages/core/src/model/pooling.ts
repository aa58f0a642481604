/**
 * How the encoder's map becomes the rows that processors see (paper Sec. 3.1): pooled over space and over time. Here for graphs
 * and for arrays, so that features in a store and the shipped network pool alike.
 *
 * ```
 * m [T,N,D] ─┬─ over the N places of each frame ─► s [T,D]
 *            └─ over the T frames of each place ─► t [N,D]
 * ```
 */

import { concat, max, mean, type Tensor } from "@fourtier/tensor"
import type { ModelConfig } from "../schemas/model.ts"

export type Pool = ModelConfig["pool"]

export interface Pooled {
  /** [B,T,D], pooled over the N places of each frame */
  s: Tensor
  /** [B,N,D], pooled over the T frames of each place */
  t: Tensor
}

/**
 * m [B,T,N,D] -> s [B,T,D], t [B,N,D], as nodes of its graph.
 *
 * @example
 * ```ts
 * import { poolMap } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * const { s, t } = poolMap(input("m", [2, 8, 36, 64]), "mean") // [2, 8, 64] and [2, 36, 64]
 * ```
 */
export function poolMap(m: Tensor, pool: Pool): Pooled {
  const over = pool === "mean" ? mean : max
  return { s: over(m, 2), t: over(m, 1) }
}

/**
 * x [B,T,N,D] -> its means over the places of each frame and over the frames of each place: [B,T+N,D]
 *
 * @example
 * ```ts
 * import { pooledRows } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * pooledRows(input("x", [2, 8, 36, 64])).shape // [2, 44, 64]
 * ```
 */
export function pooledRows(x: Tensor): Tensor {
  const { s, t } = poolMap(x, "mean")
  return concat([s, t], 1)
}

/** Axis lengths of one clip's features. */
export interface RecordSize {
  T: number
  N: number
  D: number
}

/**
 * The arrays of `poolMap` for one clip: m [T,N,D] -> s [T,D], t [N,D].
 *
 * @example
 * ```ts
 * import { poolRecord } from "@fourtier/core/model"
 *
 * poolRecord(Float32Array.of(1, 2, 3, 4), { T: 2, N: 2, D: 1 }, "mean") // { s: [1.5, 3.5], t: [2, 3] }
 * ```
 */
export function poolRecord(m: Float32Array, { T, N, D }: RecordSize, pool: Pool): { s: Float32Array; t: Float32Array } {
  const first = pool === "mean" ? 0 : Number.NEGATIVE_INFINITY
  const s = new Float32Array(T * D).fill(first)
  const t = new Float32Array(N * D).fill(first)
  for (let frame = 0; frame < T; frame++) {
    for (let place = 0; place < N; place++) {
      const from = (frame * N + place) * D
      for (let d = 0; d < D; d++) {
        const value = m[from + d]
        const [inFrame, inPlace] = [frame * D + d, place * D + d]
        s[inFrame] = pool === "mean" ? s[inFrame] + value / N : Math.max(s[inFrame], value)
        t[inPlace] = pool === "mean" ? t[inPlace] + value / T : Math.max(t[inPlace], value)
      }
    }
  }
  return { s, t }
}
