/**
 * Reading single regions of a clip's map (paper Sec. 4.2: action detection): who does what, where.
 *
 * ```
 * m ─ processors, integration, blocks ─ f [B,T,N,D] ─ mean over T ─► [B,D,H,W] ─ RoIAlign of K boxes ─► [B·K,D,7,7]
 *                                                                    ─ max over the cells ─ norm ─ linear ─► logits [B·K,C]
 * ```
 * Boxes are shares of the picture that the map is of: 0 and 1 are its edges. Each class is its own yes or no (sigmoid).
 */

import { constant, max, mean, mul, reshape, roiAlign, type Tensor, transpose } from "@fourtier/tensor"
import { type Dropout, drop, layerNorm, linear, type Param, Scope } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import { runBlocks } from "./classifier.ts"
import { fuse } from "./head.ts"
import type { MapSize } from "./map.ts"
import { type NetworkInput, poolStandardized } from "./network.ts"
import type { Pool } from "./pooling.ts"
import { attentiveProbe } from "./probes.ts"
import { buildProcessors } from "./processor.ts"

/** Cells of a region, along each side. */
export const REGION_CELLS = 7

/**
 * The cells of K regions of each map: x [B,D,H,W] and boxes [B,K,4] -> [B·K,D,7,7]. Samples are as dense as the map.
 *
 * @example
 * ```ts
 * import { regionCells } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * regionCells(input("x", [2, 64, 6, 8]), input("boxes", [2, 4, 4])).shape // [8, 64, 7, 7]
 * ```
 */
export function regionCells(x: Tensor, boxes: Tensor): Tensor {
  const [B, , H, W] = x.shape
  const K = boxes.shape[1]
  const places = mul(reshape(boxes, [B * K, 4]), constant(Float32Array.of(W, H, W, H), [4]))
  const maps = constant(
    BigInt64Array.from({ length: B * K }, (_, row) => BigInt(Math.floor(row / K))),
    [B * K],
    "i64",
  )
  return roiAlign(x, places, maps, { size: [REGION_CELLS, REGION_CELLS] })
}

/** f [B,T,N,D] -> its mean over time, channel-first: [B,D,H,W] */
function meanOverTime(f: Tensor, { H, W, D }: MapSize): Tensor {
  return reshape(transpose(mean(f, 1), [0, 2, 1]), [f.shape[0], D, H, W])
}

/**
 * What each region holds: f [B,T,N,D] and boxes [B,K,4] -> [B·K,D], the largest value of the region's cells.
 *
 * @example
 * ```ts
 * import { poolRegions } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * const size = { T: 8, H: 6, W: 8, D: 64 }
 * poolRegions(input("f", [2, 8, 48, 64]), input("boxes", [2, 4, 4]), size).shape // [8, 64]
 * ```
 */
export function poolRegions(f: Tensor, boxes: Tensor, size: MapSize): Tensor {
  return max(regionCells(meanOverTime(f, size), boxes), [2, 3])
}

/** What a method of detection may depend on. */
export interface RegionContext {
  /** Ids of the prompts, one processor each; only `full` has them. */
  prompts: readonly string[]
  model: ModelConfig
  /** Dt, the width of processors of the text space. */
  textWidth: number
}

export interface RegionNetwork {
  /** [B·K,C] */
  logits: Tensor
  trained: Param[]
  /** Weights of stage 1. */
  frozen: Param[]
}

/** Builds a network on the standardised map and the boxes [B,K,4] of people. */
export type BuildRegions = (
  input: NetworkInput,
  boxes: Tensor,
  size: MapSize,
  classes: number,
  dropout: Dropout | null,
) => RegionNetwork

export interface RegionSpec {
  /** Of the raw map. */
  size: MapSize
  classes: number
  /** Principal components that the map is brought to; null: all of its channels. */
  width: number | null
  /** How the rows that processors read are pooled; as the stored features are. */
  pool: Pool
  build: BuildRegions
}

/**
 * Builds a network on the encoder's own map.
 * @param raw the encoder's map [B,T,N,D]
 * @param boxes [B,K,4], shares of what the map is of
 *
 * @example
 * ```ts
 * import { regionMethod, regionsOnRawMap } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 *
 * const build = regionMethod("baseline", { prompts: [], model: modelSchema.parse({}), textWidth: 0 })
 * const spec = { size: { T: 8, H: 6, W: 8, D: 64 }, classes: 12, width: null, pool: "mean" as const, build }
 * regionsOnRawMap(input("m", [1, 8, 48, 64]), input("boxes", [1, 3, 4]), spec, null).logits.shape // [3, 12]
 * ```
 */
export function regionsOnRawMap(raw: Tensor, boxes: Tensor, spec: RegionSpec, dropout: Dropout | null): RegionNetwork {
  const scope = new Scope("standardize")
  const size = { ...spec.size, D: spec.width ?? spec.size.D }
  const found = spec.build(poolStandardized(scope, raw, spec), boxes, size, spec.classes, dropout)
  return { logits: found.logits, trained: found.trained, frozen: [...scope.params, ...found.frozen] }
}

/** Methods that a comparison of detection may hold. */
export const REGION_METHODS = ["linear-probe", "attentive-probe", "baseline", "full"] as const
export type RegionMethod = (typeof REGION_METHODS)[number]

/**
 * The network of a method.
 *
 * - `linear-probe`: a linear layer on the pooled region of the frozen map
 * - `attentive-probe`: one learned query attends over the 7×7 cells of the region in every frame
 * - `baseline`: two blocks on the whole map, then the region
 * - `full`: the same with the processors of stage 1 and their integration
 *
 * @example
 * ```ts
 * import { regionMethod } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 *
 * const build = regionMethod("baseline", { prompts: [], model: modelSchema.parse({}), textWidth: 0 })
 * ```
 */
export function regionMethod(name: RegionMethod, context: RegionContext): BuildRegions {
  const { model } = context
  if (name === "linear-probe") {
    return ({ m }, boxes, size, classes) => {
      const scope = new Scope("probe")
      return {
        logits: linear(scope.in("linear"), poolRegions(m, boxes, size), classes),
        trained: scope.params,
        frozen: [],
      }
    }
  }
  if (name === "attentive-probe") {
    return ({ m }, boxes, size, classes) => {
      const scope = new Scope("probe")
      return { logits: attend(scope, m, boxes, size, classes, model.headWidth), trained: scope.params, frozen: [] }
    }
  }
  const prompts = name === "full" ? context.prompts : []
  return ({ m, pooled }, boxes, size, classes, dropout) => {
    const { values, params } = buildProcessors(pooled, prompts, model, context.textWidth)
    const scope = new Scope()
    const { placed } = fuse(scope, m, values, size, model)
    const x = runBlocks(scope.in("classifier"), placed, size, model, dropout)
    const region = layerNorm(scope.in("classifier.norm"), poolRegions(x, boxes, size))
    const logits = linear(scope.in("classifier.linear"), drop(region, dropout), classes)
    return { logits, trained: scope.params, frozen: params }
  }
}

/** One query over the cells of each region in every frame: [B·K,C]. */
function attend(scope: Scope, m: Tensor, boxes: Tensor, size: MapSize, classes: number, headWidth: number): Tensor {
  const { T, H, W, D } = size
  const [B, K] = boxes.shape
  const frames = transpose(reshape(m, [B, T, H, W, D]), [0, 1, 4, 2, 3]) // [B,T,D,H,W]
  // the frames' channels side by side: one pooling of a box serves all frames
  const cells = regionCells(reshape(frames, [B, T * D, H, W]), boxes) // [B·K,T·D,7,7]
  const tokens = transpose(reshape(cells, [B * K, T, D, REGION_CELLS ** 2]), [0, 1, 3, 2]) // [B·K,T,49,D]
  return attentiveProbe(scope, tokens, classes, headWidth)
}
