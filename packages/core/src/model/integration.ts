/**
 * Integration (paper Sec. 3.1, Fig. 3): spreads every processor's T+N rows over the T×N map, projects them and
 * adds them to the encoder's map.
 *
 * ```
 * v_i [B,T+N,D] ── W_i ──► [B,T+N,D] ── M_i ──► [B,T·N,D] ──┐
 * m [B,T,N,D] ─────────────────────────────────────────────┴─ + ── depth-wise 3×3, residual ──► f [B,T,N,D]
 * ```
 * `axial`: M_i is fixed replication, so row τ of the temporal part goes to every place of frame τ and row n of the spatial
 * part to place n of every frame: f[t,n] = m[t,n] + s'_t + t'_n. `learned`: M_i [T·N,T+N] starts as that and is trained.
 */

import { add, matmul, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { depthwise3x3, type Init, linear, type Scope, zeros } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import type { MapSize } from "./map.ts"

/**
 * M [T·N,T+N] that replicates: ones at (t·N+n, t) and (t·N+n, T+n).
 *
 * @example
 * ```ts
 * import { replication } from "@fourtier/core/model"
 *
 * replication(1, 2) // [1, 1, 0,  1, 0, 1]
 * ```
 */
export function replication(T: number, N: number): Float32Array {
  const matrix = new Float32Array(T * N * (T + N))
  for (let t = 0; t < T; t++) {
    for (let n = 0; n < N; n++) {
      const row = (t * N + n) * (T + N)
      matrix[row + t] = 1
      matrix[row + T + n] = 1
    }
  }
  return matrix
}

/**
 * Adds what the processors say to the map.
 * @param m encoder map [B,T,N,D]
 * @param values processor outputs v_i [B,T+N,D] by prompt id
 * @returns f [B,T,N,D]
 *
 * @example
 * ```ts
 * import { integrate } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const values = new Map([["A", input("v", [2, 8 + 36, 64])]])
 * integrate(new Scope(), input("m", [2, 8, 36, 64]), values, { integration: "axial" }).shape // [2, 8, 36, 64]
 * ```
 */
export function integrate(
  scope: Scope,
  m: Tensor,
  values: ReadonlyMap<string, Tensor>,
  config: Pick<ModelConfig, "integration">,
): Tensor {
  const [B, T, N, D] = m.shape
  let temporal: Tensor | undefined // Σ s'_i [B,T,D]
  let spatial: Tensor | undefined // Σ t'_i [B,N,D]
  let f = m
  for (const [prompt, v] of values) {
    const own = scope.in(prompt)
    // starts at zero, so training starts from the plain encoder map
    const projected = linear(own.in("projection"), v, D, { init: zeros, bias: false }) // [B,T+N,D]
    if (config.integration === "learned") {
      const start: Init = (data) => data.set(replication(T, N))
      const spread = own.param("spread", [T * N, T + N], start, { decay: false })
      f = add(f, reshape(matmul(spread, projected), [B, T, N, D]))
    } else {
      const s = narrow(projected, 1, 0, T)
      const t = narrow(projected, 1, T, T + N)
      temporal = temporal ? add(temporal, s) : s
      spatial = spatial ? add(spatial, t) : t
    }
  }
  if (temporal && spatial) f = add(f, add(reshape(temporal, [B, T, 1, D]), reshape(spatial, [B, 1, N, D])))
  return f
}

/**
 * f + depth-wise 3×3 of f over each frame's grid, zero at first. f [B,T,N,D]
 *
 * @example
 * ```ts
 * import { mixNeighbours } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * mixNeighbours(new Scope(), input("f", [2, 8, 36, 64]), { H: 6, W: 6 }).shape // [2, 8, 36, 64]
 * ```
 */
export function mixNeighbours(scope: Scope, f: Tensor, { H, W }: Pick<MapSize, "H" | "W">): Tensor {
  const [B, T, N, D] = f.shape
  const grid = reshape(f, [B, T, H, W, D])
  const weight = scope.param("weight", [3, 3, D], zeros, { decay: true })
  const bias = scope.param("bias", [D], zeros, { decay: false })
  return add(f, reshape(depthwise3x3(grid, weight, bias), [B, T, N, D]))
}
