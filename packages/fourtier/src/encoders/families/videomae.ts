/**
 * VideoMAE (Tong et al. 2022) and VideoMAE V2 (Wang et al. 2023): a plain ViT over tubelets.
 * https://github.com/MCG-NJU/VideoMAE, modeling_finetune.py.
 *
 *   clip ─ tubelets of 2 frames ─ + fixed sinusoids ─ depth × block ─┬─ feature_map [B,T/2,N,D]
 *                                                                    └─ mean over all ─ fc_norm ─ pooled ─ head ─ logits
 */

import { add, constant, mean, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { linear, norm, type Packed } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { checkInput, count, type EncoderGraph, type Inputs, inputNamed, RESIZE_FIX } from "../graph.ts"
import { embedPatches, fromChannelsFirst, gridOf, patches, squareMap } from "../patches.ts"
import { gridTable, sinusoids } from "../positions.ts"
import { BASE, GIANT, HUGE, IMAGENET, LARGE, type Preset, SMALL, type TransformerSize } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"
import { timmArithmetic, timmBlocks, timmSizes, timmSizesOf } from "./vit.ts"

const dimensions = z.object({
  encoder: z.literal("videomae"),
  ...timmSizes,
  /** Frames of a clip. */
  all_frames: count,
  tubelet_size: count,
  mlp_ratio: z.number().positive().default(4),
  /** Whether q and v have biases; k never has one. */
  qkv_bias: z.union([z.boolean(), z.string().transform(() => true)]).default(true),
  /** Otherwise the last block is followed by `norm` and pooled is the first token. */
  use_mean_pooling: z.boolean().default(true),
  /** LayerScale, where above 0. */
  init_values: z.number().nullable().default(0),
  /** A learned table instead of the sinusoids. */
  use_learnable_pos_emb: z.boolean().default(false),
  ...timmArithmetic,
})

type VideomaeConfig = z.infer<typeof dimensions>

/** Names of `modeling_finetune.py`. Checkpoints of pre-training have the encoder beside a decoder. */
function videomaeName(key: string): string | null {
  if (/^(?:decoder\.|encoder_to_decoder\.|mask_token$)/.test(key)) return null
  return key.replace(/^(?:encoder|backbone)\./, "")
}

const PACKED: Packed = { weight: "qkv.weight", bias: { q: "q_bias", v: "v_bias" } }

interface VideomaeTower {
  embedded: Tensor
  positions: Tensor
  /** After the positions and after each block: [B,T'·N,D] */
  hiddenStates: Tensor[]
  /** After the last block, and `norm` where there is one. */
  tokens: Tensor
  /** T', the grid's side */
  time: number
  grid: number
}

/** @param clips [B,T,H,W,3], normalised */
function videomaeTower(binder: WeightBinder, config: VideomaeConfig, clips: Tensor): VideomaeTower {
  const { img_size, patch_size: p, tubelet_size: t, embed_dim: width, all_frames } = config
  const grid = gridOf("img_size", img_size, p)
  const time = gridOf("all_frames", all_frames, t)
  const length = time * grid * grid
  const pixels = reshape(patches(clips, [t, p, p]), [clips.shape[0], length, t * p * p * 3])
  const embedded = embedPatches(binder, pixels, { name: "patch_embed.proj", width, kernel: [t, p, p], bias: true })
  const positions = config.use_learnable_pos_emb
    ? binder.weight(
        "pos_embed",
        [1, length, width],
        gridTable({ extra: 0, time, rows: grid, columns: grid, width, interpolation: "bicubic" }),
      )
    : constant(sinusoids(length, width), [1, length, width], "f32", "positions")
  const hiddenStates = timmBlocks(binder, add(embedded, positions), config, {
    packed: config.qkv_bias ? PACKED : { ...PACKED, bias: null },
    scales: config.init_values ? ["gamma_1", "gamma_2"] : null,
  })
  const last = hiddenStates[hiddenStates.length - 1]
  const tokens = config.use_mean_pooling ? last : norm(binder, "norm", last, config.layer_norm_eps)
  if (config.use_mean_pooling) binder.skip((name) => name.startsWith("norm."))
  return { embedded, positions, hiddenStates, tokens, time, grid }
}

function videomaeGraph(binder: WeightBinder, config: VideomaeConfig, inputs: Inputs): EncoderGraph {
  const axes = "batch,3,time,height,width"
  const clips = inputNamed(inputs, "input", axes)
  checkInput("input", clips, [-1, 3, config.all_frames, config.img_size, config.img_size], axes, RESIZE_FIX)
  const { embedded, positions, hiddenStates, tokens, time, grid } = videomaeTower(
    binder,
    config,
    fromChannelsFirst(clips),
  )
  const [B, , width] = tokens.shape
  const outputs: EncoderGraph["outputs"] = {
    feature_map: reshape(tokens, [B, time, grid, grid, width]),
    position_table: positions,
  }
  if (config.use_mean_pooling) {
    outputs.mean_before_norm = mean(tokens, 1)
    if (binder.has("fc_norm.weight")) {
      outputs.pooled = norm(binder, "fc_norm", outputs.mean_before_norm, config.layer_norm_eps)
    }
  } else {
    outputs.pooled = reshape(narrow(tokens, 1, 0, 1), [B, width])
  }
  if (config.num_classes === 0) binder.skip((name) => name.startsWith("head."))
  else if (outputs.pooled && binder.has("head.weight")) {
    outputs.logits = linear(binder, "head", outputs.pooled, config.num_classes)
  }
  const [placed, ...blocks] = hiddenStates
  return {
    outputs,
    intermediates: {
      patch_embedding: embedded,
      after_position: placed,
      ...Object.fromEntries(blocks.map((block, i) => [`block_${i}`, block])),
    },
  }
}

const preset = (size: TransformerSize, patch: number, mlp_ratio = 4): Preset => ({
  dimensions: { encoder: "videomae", ...timmSizesOf(size, patch), tubelet_size: 2, mlp_ratio },
  resolution: 224,
  frames: 16,
  normalisation: IMAGENET,
})

export const videomae = defineFamily({
  dimensions,
  inputs: () => ["input"],
  parameterName: videomaeName,
  graph: videomaeGraph,
  visual: {
    kind: "videomae",
    models: {
      "S/16": preset(SMALL, 16),
      "B/16": preset(BASE, 16),
      "L/16": preset(LARGE, 16),
      "H/16": preset(HUGE, 16),
      "g/14": preset(GIANT, 14, 48 / 11),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "img_size", frames: "all_frames" },
    unused: (name) => /^(?:head|fc_norm)\./.test(name),
    featureMap(binder, config, clips) {
      const { tokens, time } = videomaeTower(binder, config, clips)
      return squareMap(tokens, clips.shape[0], time)
    },
  },
})
