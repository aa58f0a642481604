/**
 * Feature processors (paper Sec. 3.1, Fig. 2b; Table 1 of the appendix), one per prompt.
 *
 * ```
 * s [B,T,D] ── W_s, b_s ──┐
 *                         ├─ concat ── v_i [B,T+N,D]
 * t [B,N,D] ── W_t, b_t ──┘
 * ```
 * s and t are the encoder's map pooled over space and over time. Pooling has no weights and is shared by all processors.
 * The 1×1 Conv1d of the paper is a matrix product on token-major data.
 */

import { linear } from "../tensor/nn/layers.ts"
import { identity, Scope } from "../tensor/nn/params.ts"
import { concat, max, mean } from "../tensor/ops/functions.ts"
import type { Tensor } from "../tensor/tensor.ts"

export type Pool = "mean" | "max"

export interface Pooled {
  /** [B,T,D], pooled over the N places of each frame */
  s: Tensor
  /** [B,N,D], pooled over the T frames of each place */
  t: Tensor
}

/** m [B,T,N,D] */
export function poolMap(m: Tensor, pool: Pool): Pooled {
  const over = pool === "mean" ? mean : max
  return { s: over(m, 2), t: over(m, 1) }
}

/** x [B,T,N,D] -> its means over the places of each frame and over the frames of each place: [B,T+N,D] */
export function pooledRows(x: Tensor): Tensor {
  const { s, t } = poolMap(x, "mean")
  return concat([s, t], 1)
}

/** One processor: [B,T,D] and [B,N,D] to v_i [B,T+N,D]. Starts as the identity, so v_i starts as the pooled map. */
export function processor(scope: Scope, { s, t }: Pooled): Tensor {
  const width = s.shape[2]
  return concat(
    [
      linear(scope.in("temporal"), s, width, { init: identity }),
      linear(scope.in("spatial"), t, width, { init: identity }),
    ],
    1,
  )
}

/** The processors of all prompts on pooled features: v_i [B,T+N,D] by prompt id, and their weights. */
export function buildProcessors(pooled: Pooled, prompts: readonly string[]) {
  const scope = new Scope("processor")
  const values = new Map(prompts.map((prompt) => [prompt, processor(scope.in(prompt), pooled)]))
  return { values, params: scope.params }
}
