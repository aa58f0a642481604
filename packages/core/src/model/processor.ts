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

import { concat, type Tensor } from "@fourtier/tensor"
import { identity, linear, type Param, Scope } from "@fourtier/tensor/nn"
import type { Pooled } from "./pooling.ts"

/**
 * One processor: [B,T,D] and [B,N,D] to v_i [B,T+N,D]. Starts as the identity, so v_i starts as the pooled map.
 *
 * @example
 * ```ts
 * import { poolMap, processor } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * processor(new Scope("processor.A"), poolMap(input("m", [2, 8, 36, 64]), "mean")).shape // [2, 44, 64]
 * ```
 */
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

/**
 * The processors of all prompts on pooled features: v_i [B,T+N,D] by prompt id, and their weights.
 *
 * @example
 * ```ts
 * import { buildProcessors, poolMap } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * const { values } = buildProcessors(poolMap(input("m", [2, 8, 36, 64]), "mean"), ["A", "B"])
 * values.get("B")?.shape // [2, 44, 64]
 * ```
 */
export function buildProcessors(
  pooled: Pooled,
  prompts: readonly string[],
): { values: Map<string, Tensor>; params: Param[] } {
  const scope = new Scope("processor")
  const values = new Map(prompts.map((prompt) => [prompt, processor(scope.in(prompt), pooled)]))
  return { values, params: scope.params }
}
