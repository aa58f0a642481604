/**
 * Blocks and classifier (Lu, Jian, Salah and Poppe, Sec. 3.1; Table 1 of the appendix).
 *
 * ```
 * f [B,T,N,D] ─► 2 × ( x + attention(norm x);  x + ffn(norm x) ) ─► pool ─► norm ─► linear ─► logits [B,C]
 *
 * classifierPooling mean: mean over T·N                                   [B,D],     linear has D·C weights
 * classifierPooling rows: means over N of each frame, over T of each place [B,T+N,D], linear has (T+N)·D·C weights
 * ```
 * The norm after the average keeps the scale of a pre-norm stack in hand; it adds 2·D weights to the paper's count.
 */

import { add, gelu, mean, reshape, type Tensor } from "@fourtier/tensor"
import {
  conv3x3,
  type Dropout,
  drop,
  layerNorm,
  linear,
  rearrange,
  type Scope,
  selfAttention,
  truncatedNormal,
  zeros,
} from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import { headsFor } from "./heads.ts"
import type { MapSize } from "./map.ts"
import { pooledRows } from "./pooling.ts"

/**
 * One pre-norm block on x [B,T,N,D].
 *
 * @example
 * ```ts
 * import { block } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const x = input("x", [2, 8, 36, 64])
 * block(new Scope(), x, { T: 8, H: 6, W: 6, D: 64 }, modelSchema.parse({}), null).shape // [2, 8, 36, 64]
 * ```
 */
export function block(scope: Scope, x: Tensor, size: MapSize, config: ModelConfig, dropout: Dropout | null): Tensor {
  const heads = headsFor(size.D, config.headWidth)
  const attended = config.attention === "joint" ? joint(scope, x, heads, dropout) : divided(scope, x, heads, dropout)
  const normed = layerNorm(scope.in("ffn.norm"), attended)
  const fed = config.ffn === "conv" ? convFfn(scope.in("ffn"), normed, size) : mlpFfn(scope.in("ffn"), normed)
  return add(attended, drop(fed, dropout))
}

/** Every token attends to all T·N. */
function joint(scope: Scope, x: Tensor, heads: number, dropout: Dropout | null): Tensor {
  const [B, T, N, D] = x.shape
  const tokens = reshape(layerNorm(scope.in("attention.norm"), x), [B, T * N, D])
  return add(x, drop(reshape(selfAttention(scope.in("attention"), tokens, heads), [B, T, N, D]), dropout))
}

/** First to the N places of its own frame, then to the T frames of its own place (TimeSformer, Bertasius et al. 2021). */
function divided(scope: Scope, x: Tensor, heads: number, dropout: Dropout | null): Tensor {
  const [B, T, N] = x.shape
  const frames = rearrange(layerNorm(scope.in("attention.norm"), x), "b t n d -> (b t) n d")
  const space = rearrange(selfAttention(scope.in("attention"), frames, heads), "(b t) n d -> b t n d", { b: B, t: T })
  const y = add(x, drop(space, dropout))
  const places = rearrange(layerNorm(scope.in("time.norm"), y), "b t n d -> (b n) t d")
  const time = rearrange(selfAttention(scope.in("time"), places, heads), "(b n) t d -> b t n d", { b: B, n: N })
  return add(y, drop(time, dropout))
}

function mlpFfn(scope: Scope, x: Tensor): Tensor {
  const width = x.shape[x.rank - 1]
  return linear(scope.in("out"), gelu(linear(scope.in("in"), x, 4 * width)), width)
}

function convFfn(scope: Scope, x: Tensor, { H, W }: MapSize): Tensor {
  const [B, T, N, D] = x.shape
  const weight = scope.param("conv.weight", [3, 3, D, D], truncatedNormal(0.02), { decay: true })
  const bias = scope.param("conv.bias", [D], zeros, { decay: false })
  return reshape(gelu(conv3x3(reshape(x, [B, T, H, W, D]), weight, bias)), [B, T, N, D])
}

/**
 * f [B,T,N,D] + an embedding of each frame [T,1,D] + one of each place [1,N,D]
 *
 * @example
 * ```ts
 * import { addPositions } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * addPositions(new Scope(), input("f", [2, 8, 36, 64])).shape // [2, 8, 36, 64]
 * ```
 */
export function addPositions(scope: Scope, f: Tensor): Tensor {
  const [, T, N, D] = f.shape
  const frame = scope.param("frame", [T, 1, D], zeros, { decay: false })
  const place = scope.param("place", [1, N, D], zeros, { decay: false })
  return add(f, add(frame, place))
}

export interface Classified {
  /** [B,C] */
  logits: Tensor
  /** Mean over all tokens of what the first block gives (of f where there is none), [B,D]: what Figures B4 and B5 show. */
  first: Tensor
}

/**
 * f [B,T,N,D] -> [B,T,N,D], through as many blocks as the configuration asks for.
 *
 * @example
 * ```ts
 * import { runBlocks } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const f = input("f", [2, 8, 36, 64])
 * runBlocks(new Scope(), f, { T: 8, H: 6, W: 6, D: 64 }, modelSchema.parse({}), null).shape // [2, 8, 36, 64]
 * ```
 */
export function runBlocks(
  scope: Scope,
  f: Tensor,
  size: MapSize,
  config: ModelConfig,
  dropout: Dropout | null,
): Tensor {
  return blockOutputs(scope, f, size, config, dropout)[config.blocks]
}

/** f, and what each block makes of it. */
function blockOutputs(scope: Scope, f: Tensor, size: MapSize, config: ModelConfig, dropout: Dropout | null): Tensor[] {
  const outputs = [f]
  for (let i = 0; i < config.blocks; i++) outputs.push(block(scope.in(`block${i}`), outputs[i], size, config, dropout))
  return outputs
}

/**
 * f [B,T,N,D] -> logits [B,C], and what the first block makes of the clip.
 *
 * @example
 * ```ts
 * import { classify } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const f = input("f", [2, 8, 36, 64])
 * classify(new Scope(), f, { T: 8, H: 6, W: 6, D: 64 }, 12, modelSchema.parse({}), null).logits.shape // [2, 12]
 * ```
 */
export function classify(
  scope: Scope,
  f: Tensor,
  size: MapSize,
  classes: number,
  config: ModelConfig,
  dropout: Dropout | null,
): Classified {
  const outputs = blockOutputs(scope, f, size, config, dropout)
  const x = outputs[config.blocks]
  const pooled = layerNorm(scope.in("norm"), config.classifierPooling === "rows" ? pooledRows(x) : mean(x, [1, 2])) // [B,T+N,D] or [B,D]
  const logits = linear(scope.in("linear"), drop(reshape(pooled, [x.shape[0], -1]), dropout), classes)
  return { logits, first: mean(outputs[Math.min(1, config.blocks)], [1, 2]) }
}
