/**
 * UniFormerV2 (Li et al. 2022): CLIP's image tower over frames, with local relations over time inside the blocks and a query
 * that gathers a video token from several depths. https://github.com/OpenGVLab/UniFormerV2, uniformerv2_model.py.
 *
 *   clip ─ patches (stride 2 over time, where set) ─ class token, positions, ln_pre ─ [B·T',1+N,D]
 *   block: x + LMHRA(patches) ─ + attention(ln_1) ─ + LMHRA(patches) ─ + mlp(ln_2)        LMHRA: over time, places apart
 *          │ blocks of return_list
 *          └─ + depthwise 3×3×3 (dpe) ─ keys and values of all frames ─ global block ─ video token
 *   pooled = (1−σ(balance))·video token + σ(balance)·mean of class tokens ─ LayerNorm ─ head ─ logits
 */

import {
  add,
  concat,
  expand,
  FourtierError,
  mean,
  mul,
  narrow,
  reshape,
  sigmoid,
  slice,
  sub,
  type Tensor,
} from "@fourtier/tensor"
import { z } from "zod"
import { linear, norm } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import {
  activation,
  CLIP_EPSILON,
  checkInput,
  count,
  type EncoderGraph,
  type Inputs,
  inputNamed,
  RESIZE_FIX,
} from "../graph.ts"
import {
  embedPatches,
  fromChannelsFirst,
  type Grid,
  gridMap,
  gridOfPictures,
  padAxis,
  patches,
  withoutClassToken,
} from "../patches.ts"
import { BASE, LARGE, type Normalisation, type Preset, type TransformerSize } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"
import { clipTokens } from "./clip.ts"
import { dynamicPositions, globalBlock, localBlock } from "./uniformerv2-blocks.ts"

const dimensions = z
  .object({
    encoder: z.enum(["uniformerv2", "uniformerv2_k400", "uniformerv2_ssv2"]),
    input_resolution: count,
    patch_size: count,
    width: count,
    layers: count,
    heads: count,
    /** Frames of a clip. */
    t_size: count,
    /** Frames of a patch where time is halved. */
    kernel_size: count.default(3),
    temporal_downsample: z.boolean(),
    no_lmhra: z.boolean(),
    double_lmhra: z.boolean().default(true),
    /** Channels of the local relations: width over this. */
    dw_reduction: z.number().positive().default(1.5),
    /** Blocks, from 0, that are followed by a global block. */
    return_list: z.array(z.int().nonnegative()),
    n_layers: z.int().nonnegative(),
    n_dim: count,
    n_head: count,
    mlp_factor: z.number().positive().default(4),
    num_classes: count,
    /** Without `balance`: pooled is the video token. */
    frozen: z.boolean().default(false),
    activation: activation.default("quick_gelu"),
    layer_norm_eps: z.number().positive().default(CLIP_EPSILON),
    batch_norm_eps: z.number().positive().default(1e-5),
  })
  .refine(({ return_list, n_layers }) => new Set(return_list).size === n_layers && return_list.length === n_layers, {
    message: "must name n_layers different blocks",
    path: ["return_list"],
  })
  .refine(({ return_list, layers }) => return_list.every((block) => block < layers), {
    message: "names a block beyond layers",
    path: ["return_list"],
  })
  .refine(({ width, n_dim }) => width === n_dim, { message: "must equal width", path: ["n_dim"] })

type Uniformerv2Config = z.infer<typeof dimensions>

/** Names of `uniformerv2_model.py`: counters of batch norms and the prefix `backbone.` are dropped. */
function uniformerv2Name(key: string): string | null {
  return key.endsWith("num_batches_tracked") ? null : key.replace(/^backbone\./, "")
}

/** T', frames of the map. */
function framesOfMap({ t_size, temporal_downsample }: Uniformerv2Config): number {
  return temporal_downsample ? Math.floor(t_size / 2) : t_size
}

/** Patches of clips [B,T,H,W,3] as [B,T',N,D]. */
function embedClips(binder: WeightBinder, config: Uniformerv2Config, clips: Tensor): Tensor {
  const { patch_size: p, width, kernel_size: k, temporal_downsample } = config
  const options = { name: "conv1", width, bias: false }
  const pixels = patches(clips, [1, p, p]) // [B,T,N,p·p·3]
  if (!temporal_downsample) return embedPatches(binder, pixels, { ...options, kernel: [1, p, p] })
  const [B, T, N, values] = pixels.shape
  const border = Math.floor((k - 1) / 2)
  const time = framesOfMap(config)
  if (Math.floor((T + 2 * border - k) / 2) + 1 !== time) {
    throw new FourtierError({
      where: "t_size",
      what: "time cannot be halved",
      expected: "an even number",
      found: `${T}`,
    })
  }
  const padded = padAxis(pixels, 1, border, border)
  // frame i of every patch: i, i+2, i+4, ...
  const taps = Array.from({ length: k }, (_, i) =>
    slice(padded, [0, i, 0, 0], [B, i + 2 * (time - 1) + 1, N, values], [1, 2, 1, 1]),
  )
  return embedPatches(binder, concat(taps, 3), { ...options, kernel: [k, p, p] })
}

interface Uniformerv2Tower {
  /** T' */
  time: number
  grid: Grid
  /** After ln_pre and after each block [B·T',1+N,D]. */
  hiddenStates: Tensor[]
  /** Video token after each global block [B,1,D]. */
  videoTokens: Tensor[]
  /** The map that the last global block sees [B,T',N,D]. */
  lastKeys: Tensor | null
}

/**
 * @param clips [B,T,H,W,3], normalised
 * @param globals whether the global blocks are built
 */
function uniformerv2Tower(
  binder: WeightBinder,
  config: Uniformerv2Config,
  clips: Tensor,
  globals = true,
): Uniformerv2Tower {
  const { patch_size, width, layers, layer_norm_eps: epsilon, return_list } = config
  const [B] = clips.shape
  const grid = gridOfPictures(clips, patch_size)
  const N = grid.rows * grid.columns
  const time = framesOfMap(config)
  const embedded = reshape(embedClips(binder, config, clips), [B * time, N, width])
  let x = clipTokens(binder, embedded, { grid, width, epsilon, interpolation: "bicubic" })
  const hiddenStates = [x]
  const transformer = binder.in("transformer")
  const videoTokens: Tensor[] = []
  let lastKeys: Tensor | null = null
  let token = globals ? expand(transformer.weight("temporal_cls_token", [1, 1, width]), [B, 1, width]) : null
  for (let i = 0; i < layers; i++) {
    x = localBlock(transformer.in(`resblocks.${i}`), x, time, config)
    hiddenStates.push(x)
    if (!token || !return_list.includes(i)) continue
    const j = videoTokens.length
    const patchTokens = gridMap(narrow(x, 1, 1, 1 + N), B, time, grid)
    const placed = add(patchTokens, dynamicPositions(transformer, `dpe.${j}`, patchTokens))
    lastKeys = reshape(placed, [B, time, N, width])
    const classTokens = reshape(narrow(x, 1, 0, 1), [B, time, 1, width])
    const tokens = reshape(concat([classTokens, lastKeys], 2), [B, time * (1 + N), width])
    token = globalBlock(transformer.in(`dec.${j}`), token, tokens, config)
    videoTokens.push(token)
  }
  return { time, grid, hiddenStates, videoTokens, lastKeys }
}

/** The clip's vector [B,D], which its normalisation and classification layer read. */
function pooledToken(
  binder: WeightBinder,
  config: Uniformerv2Config,
  { hiddenStates, videoTokens, time, grid }: Uniformerv2Tower,
): Tensor {
  const { width, frozen } = config
  const last = hiddenStates[hiddenStates.length - 1]
  const B = last.shape[0] / time
  const transformer = binder.in("transformer")
  const lastToken = videoTokens.at(-1) ?? expand(transformer.weight("temporal_cls_token", [1, 1, width]), [B, 1, width])
  const token = reshape(lastToken, [B, width])
  if (frozen) return token
  const frames = reshape(narrow(reshape(last, [B, time, 1 + grid.rows * grid.columns, width]), 2, 0, 1), [
    B,
    time,
    width,
  ])
  return balanced(transformer, token, mean(frames, 1))
}

function uniformerv2Graph(binder: WeightBinder, config: Uniformerv2Config, inputs: Inputs): EncoderGraph {
  const axes = "batch,3,time,height,width"
  const clips = inputNamed(inputs, "input", axes)
  const side = config.input_resolution
  checkInput("input", clips, [-1, 3, config.t_size, side, side], axes, RESIZE_FIX)
  const tower = uniformerv2Tower(binder, config, fromChannelsFirst(clips))
  const { time, grid, hiddenStates, videoTokens, lastKeys } = tower
  const { width, num_classes, layer_norm_eps } = config
  const [B] = clips.shape
  const N = grid.rows * grid.columns
  const byFrame = (x: Tensor) => reshape(x, [B, time, 1 + N, width])
  const map = (x: Tensor) => gridMap(narrow(byFrame(x), 2, 1, 1 + N), B, time, grid)
  const last = hiddenStates[hiddenStates.length - 1]
  const frameTokens = reshape(narrow(byFrame(last), 2, 0, 1), [B, time, width])
  const transformer = binder.in("transformer")
  const lastToken = videoTokens.at(-1) ?? expand(transformer.weight("temporal_cls_token", [1, 1, width]), [B, 1, width])
  const token = reshape(lastToken, [B, width])
  const outputs: EncoderGraph["outputs"] = {
    feature_map: map(last),
    frame_class_tokens: frameTokens,
    ...(lastKeys ? { feature_map_dpe: gridMap(lastKeys, B, time, grid) } : {}),
    video_token: token,
    pooled: pooledToken(binder, config, tower),
  }
  if (transformer.has("proj.0.weight")) {
    outputs.pooled_normed = norm(transformer, "proj.0", outputs.pooled, layer_norm_eps)
    if (transformer.has("proj.2.weight")) {
      outputs.logits = linear(transformer, "proj.2", outputs.pooled_normed, num_classes)
    }
  }
  const [embedding, ...blocks] = hiddenStates
  return {
    outputs,
    intermediates: {
      after_ln_pre: byFrame(embedding),
      ...Object.fromEntries(blocks.map((x, i) => [`block_${i}`, byFrame(x)])),
      ...Object.fromEntries(videoTokens.map((x, j) => [`video_token_after_global_block_${j}`, reshape(x, [B, width])])),
    },
  }
}

/** (1−w)·token + w·frames, w = σ(balance); both [B,D]. */
function balanced(binder: WeightBinder, token: Tensor, frames: Tensor): Tensor {
  const share = sigmoid(binder.weight("balance", [token.shape[1]]))
  return add(mul(sub(1, share), token), mul(share, frames))
}

/** SlowFast's, whose code trains UniFormerV2. */
const NORMALISATION: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] }

/** @param globals how many of the last blocks are followed by a global block */
function preset(
  [width, layers, heads]: TransformerSize,
  patch: number,
  globals: number,
  { resolution = 224, frames = 8, ...switches }: { resolution?: number; frames?: number } & Preset["dimensions"] = {},
): Preset {
  const dimensions = {
    encoder: "uniformerv2",
    patch_size: patch,
    width,
    layers,
    heads,
    temporal_downsample: false,
    no_lmhra: true,
    return_list: Array.from({ length: globals }, (_, i) => layers - globals + i),
    n_layers: globals,
    n_dim: width,
    n_head: heads,
    num_classes: 400,
    ...switches,
  }
  return { dimensions, resolution, frames, normalisation: NORMALISATION }
}

const SOMETHING_SOMETHING = { temporal_downsample: true, no_lmhra: false, frames: 16, num_classes: 174 }

export const uniformerv2 = defineFamily({
  dimensions,
  inputs: () => ["input"],
  parameterName: uniformerv2Name,
  graph: uniformerv2Graph,
  visual: {
    kind: "uniformerv2",
    models: {
      "B/16": preset(BASE, 16, 4),
      "L/14": preset(LARGE, 14, 4),
      "L/14@336": preset(LARGE, 14, 4, { resolution: 336 }),
      "L/14@336-frozen": preset(LARGE, 14, 4, { resolution: 336, frozen: true }),
      "B/16-ssv2": preset(BASE, 16, 8, SOMETHING_SOMETHING),
      "L/14-ssv2": preset(LARGE, 14, 16, SOMETHING_SOMETHING),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "input_resolution", frames: "t_size" },
    anyShape: true,
    unused: (name) => /^transformer\.(?:temporal_cls_token|balance|dpe\.|dec\.|proj\.)/.test(name),
    whole: (binder, config, clips) => pooledToken(binder, config, uniformerv2Tower(binder, config, clips)),
    featureMap(binder, config, clips) {
      const { hiddenStates, time, grid } = uniformerv2Tower(binder, config, clips, false)
      return gridMap(withoutClassToken(hiddenStates[hiddenStates.length - 1]), clips.shape[0], time, grid)
    },
  },
})
