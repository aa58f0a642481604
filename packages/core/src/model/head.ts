/**
 * The trained part of the method, end to end (paper Figure 2a). What comes before it is frozen, what comes after it is a
 * softmax.
 *
 * ```
 * m [B,T,N,D] ─┬─ pool ─ s, t ─ processor A … D ─ v_i ─┐
 *              └──────────────────────────────── integrate ─ f ─ blocks ─ pool ─ linear ─ logits [B,C]
 * ```
 * The classifier pools by the mean over all tokens, [B,D], or with `classifierPooling: rows` by the means of every frame and of
 * every place, [B,T+N,D].
 */

import type { Tensor } from "@fourtier/tensor"
import { type Dropout, type Param, Scope } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import { addPositions, classify } from "./classifier.ts"
import { integrate, mixNeighbours } from "./integration.ts"
import type { MapSize } from "./map.ts"

export interface Head {
  /** [B,C] */
  logits: Tensor
  /** f [B,T,N,D] */
  fused: Tensor
  /** What the first block makes of the clip, [B,D]: see `classify`. */
  first: Tensor
  /** Weights of integration, blocks and classifier: trained in stage 2. */
  trained: Param[]
}

/**
 * The head on a standardised map m [B,T,N,D] and the processors' outputs.
 * @param values v_i [B,T+N,·] by prompt id; none gives the baseline network (Table 7, group 1)
 * @param dropout for training; null in evaluation and in shipped models
 *
 * @example
 * ```ts
 * import { buildHead } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 *
 * const m = input("m", [2, 8, 36, 64])
 * const baseline = buildHead(m, new Map(), { T: 8, H: 6, W: 6, D: 64 }, 12, modelSchema.parse({}))
 * baseline.logits.shape // [2, 12]
 * ```
 */
export function buildHead(
  m: Tensor,
  values: ReadonlyMap<string, Tensor>,
  size: MapSize,
  classes: number,
  config: ModelConfig,
  dropout: Dropout | null = null,
): Head {
  const scope = new Scope()
  const { fused, placed } = fuse(scope, m, values, size, config)
  const { logits, first } = classify(scope.in("classifier"), placed, size, classes, config, dropout)
  return { logits, fused, first, trained: scope.params }
}

/**
 * What the blocks read: the map with what the processors say, and that with the embeddings of frame and place where the
 * configuration has them.
 * @param m standardised map [B,T,N,D]
 * @param values v_i [B,T+N,·] by prompt id
 *
 * @example
 * ```ts
 * import { fuse } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const m = input("m", [2, 8, 36, 64])
 * fuse(new Scope(), m, new Map(), { T: 8, H: 6, W: 6, D: 64 }, modelSchema.parse({})).placed.shape // [2, 8, 36, 64]
 * ```
 */
export function fuse(
  scope: Scope,
  m: Tensor,
  values: ReadonlyMap<string, Tensor>,
  size: MapSize,
  config: ModelConfig,
): { fused: Tensor; placed: Tensor } {
  const summed = integrate(scope.in("integration"), m, values, config)
  const fused = config.mix && size.H > 1 ? mixNeighbours(scope.in("integration.mix"), summed, size) : summed
  const placed = config.positions ? addPositions(scope.in("classifier.positions"), fused) : fused
  return { fused, placed }
}
