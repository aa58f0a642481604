/**
 * Feature processors (paper Sec. 3.1, Fig. 2b; Table 1 of the appendix), one per prompt.
 *
 * ```
 * s [B,T,D] ── W_s, b_s ──┐
 *                         ├─ concat ── v_i [B,T+N,Dt]          shared: one matrix for frames, one for places
 * t [B,N,D] ── W_t, b_t ──┘
 *
 * s, t ── concat ── W_r of each row r, b ── v_i [B,T+N,Dt]     positional: keeps frame and place
 * ```
 * s and t are the encoder's map pooled over space and over time. Pooling has no weights and is shared by all processors.
 * With a hidden layer, W leads to it, and one matrix for all rows from its GELU to Dt.
 * The 1×1 Conv1d of the paper is a matrix product on token-major data. v_i has the text embeddings' width Dt, or with
 * `processors: visual` the map's own: then a projection that only stage 1 uses leads on to the text embeddings.
 */

import { add, concat, gelu, matmul, type Tensor, transpose } from "@fourtier/tensor"
import { glorot, type Init, identity, linear, type Param, Scope, zeros } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import type { Pooled } from "./pooling.ts"

/** What the processors are, as `ModelConfig` has it. */
export type ProcessorConfig = Pick<ModelConfig, "processors" | "processorWeights" | "processorHidden">

/** One processor: [B,T,D] and [B,N,D] to v_i [B,T+N,W]. */
function processor(scope: Scope, pooled: Pooled, config: ProcessorConfig, textWidth: number): Tensor {
  if (config.processors === "visual") return shared(scope, pooled, pooled.s.shape[2], identity)
  const width = config.processorHidden ?? textWidth
  const rows =
    config.processorWeights === "positional" ? positional(scope, pooled, width) : shared(scope, pooled, width, glorot)
  return config.processorHidden === null ? rows : linear(scope.in("out"), gelu(rows), textWidth, { init: glorot })
}

/** One matrix for all frames, one for all places. From the identity, v_i starts as the pooled map. */
function shared(scope: Scope, { s, t }: Pooled, width: number, init: Init): Tensor {
  return concat([linear(scope.in("temporal"), s, width, { init }), linear(scope.in("spatial"), t, width, { init })], 1)
}

function positional(scope: Scope, { s, t }: Pooled, width: number): Tensor {
  const rows = transpose(concat([s, t], 1), [1, 0, 2]) // [B,T+N,D] -> [T+N,B,D]
  const [R, , D] = rows.shape
  const weight = scope.param("weight", [R, D, width], glorot, { decay: true })
  const bias = scope.param("bias", [width], zeros, { decay: false })
  return add(transpose(matmul(rows, weight), [1, 0, 2]), bias) // [T+N,B,Dt] -> [B,T+N,Dt]
}

/**
 * The processors of all prompts on pooled features: v_i by prompt id, and their weights.
 * @param textWidth Dt
 *
 * @example
 * ```ts
 * import { buildProcessors, poolMap } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 *
 * const config = modelSchema.parse({ processors: "text" })
 * const { values } = buildProcessors(poolMap(input("m", [2, 8, 36, 64]), "mean"), ["A", "B"], config, 512)
 * values.get("B")?.shape // [2, 44, 512]
 * ```
 */
export function buildProcessors(
  pooled: Pooled,
  prompts: readonly string[],
  config: ProcessorConfig,
  textWidth: number,
): { values: Map<string, Tensor>; params: Param[] } {
  const scope = new Scope("processor")
  const values = new Map(prompts.map((prompt) => [prompt, processor(scope.in(prompt), pooled, config, textWidth)]))
  return { values, params: scope.params }
}
