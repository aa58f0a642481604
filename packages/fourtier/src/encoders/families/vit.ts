/**
 * Vision transformers with timm's names: ViT (Dosovitskiy et al. 2021), DeiT III (Touvron et al. 2022), DINOv2 (Oquab et al.
 * 2024), SigLIP's image tower (Zhai et al. 2023). https://github.com/huggingface/pytorch-image-models, vision_transformer.py.
 *
 *   images ─ patches ─ + positions, class and register tokens ─ depth × block ─ norm ─┬─ feature_map
 *                                                                                      └─ pooled ─ head ─ logits
 */

import { add, concat, max, mean, mul, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import {
  attend,
  headScale,
  linear,
  mlp,
  norm,
  type Packed,
  project,
  selfAttention,
  TIMM_PACKED,
  transposed,
} from "../blocks.ts"
import { defineFamily } from "../family.ts"
import {
  activation,
  checkInput,
  count,
  type EncoderGraph,
  type Inputs,
  inputNamed,
  RESIZE_FIX,
  VIT_EPSILON,
} from "../graph.ts"
import { cosineLogits, frameMean } from "../joint.ts"
import {
  asImages,
  embedPatches,
  fromImages,
  gridMap,
  gridOf,
  gridOfPictures,
  patches,
  prefixToken,
} from "../patches.ts"
import { gridTable, type Interpolation } from "../positions.ts"
import {
  BASE,
  HALF,
  HUGE,
  IMAGENET,
  LARGE,
  MEDIUM,
  type Normalisation,
  type Preset,
  SMALL,
  TINY,
  type TransformerSize,
} from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"

/** Sizes by timm's names. */
export const timmSizes = {
  img_size: count,
  patch_size: count,
  embed_dim: count,
  depth: count,
  num_heads: count,
  /** 0: no head. */
  num_classes: z.int().nonnegative(),
}

export const timmArithmetic = {
  activation: activation.default("gelu"),
  layer_norm_eps: z.number().positive().default(VIT_EPSILON),
}

const dimensions = z
  .object({
    encoder: z.enum(["vit_timm", "deit3_timm"]),
    ...timmSizes,
    mlp_ratio: z.number().positive().default(4),
    qkv_bias: z.boolean().default(true),
    class_token: z.boolean().default(true),
    reg_tokens: z.int().nonnegative().default(0),
    /** Positions have no rows for class and register tokens. */
    no_embed_class: z.boolean().default(false),
    /** LayerScale, where it is a number other than 0. */
    init_values: z.number().nullable().default(null),
    global_pool: z.enum(["token", "avg", "max", "avgmax", "map"]).default("token"),
    /** LayerNorm after pooling instead of before; by default where patches are pooled by mean or maximum. */
    fc_norm: z.boolean().nullable().default(null),
    pre_norm: z.boolean().default(false),
    ...timmArithmetic,
  })
  .refine(({ class_token, global_pool }) => class_token || global_pool !== "token", {
    message: "token needs class_token: true",
    path: ["global_pool"],
  })

type VitConfig = z.infer<typeof dimensions>

const INTERPOLATION: Interpolation = "bicubic-antialias"

/**
 * timm's names. Facebook's checkpoints call LayerScale gamma_1 and gamma_2, and register tokens register_tokens; open_clip's
 * have the image tower below visual.trunk.
 */
function vitName(key: string): string | null {
  if (key.startsWith("pre_logits.") || key === "mask_token") return null
  return key
    .replace(/\.gamma_([12])$/, ".ls$1.gamma")
    .replace(/^register_tokens$/, "reg_token")
    .replace(/^(?:visual\.trunk\.|trunk\.)/, "")
}

/** Whether a parameter belongs to the text tower beside SigLIP's image tower, or is the scale or offset of the similarity. */
function isSiglipText(name: string): boolean {
  return name.startsWith("text.") || name === "logit_scale" || name === "logit_bias"
}

/** Tokens before the patches. */
const prefixLength = ({ class_token, reg_tokens }: VitConfig) => (class_token ? 1 : 0) + reg_tokens

const usesFcNorm = ({ fc_norm, global_pool }: VitConfig) => fc_norm ?? ["avg", "max", "avgmax"].includes(global_pool)

/** What differs between the blocks of families with timm's names. */
export interface TimmNames {
  packed: Packed
  /** The two LayerScale vectors. */
  scales: readonly [string, string] | null
}

type TimmBlocks = Pick<VitConfig, "depth" | "num_heads" | "mlp_ratio" | "activation" | "layer_norm_eps">

/** Pre-norm blocks with timm's names: x [B,L,C], and the output of each block. */
export function timmBlocks(binder: WeightBinder, x: Tensor, config: TimmBlocks, names: TimmNames): Tensor[] {
  const hiddenStates = [x]
  for (let i = 0; i < config.depth; i++) {
    hiddenStates.push(timmBlock(binder.in(`blocks.${i}`), hiddenStates[i], config, names))
  }
  return hiddenStates
}

function timmBlock(binder: WeightBinder, x: Tensor, config: TimmBlocks, { packed, scales }: TimmNames): Tensor {
  const { num_heads: heads, mlp_ratio, activation, layer_norm_eps: epsilon } = config
  const [first, second] = scales ?? []
  const hidden = Math.trunc(x.shape[2] * mlp_ratio)
  const names = ["mlp.fc1", "mlp.fc2"] as const
  const attended = add(x, timmAttention(binder, norm(binder, "norm1", x, epsilon), heads, packed, first))
  return add(
    attended,
    mlp(binder, norm(binder, "norm2", attended, epsilon), { names, hidden, activation, layerScale: second }),
  )
}

function timmAttention(binder: WeightBinder, x: Tensor, heads: number, packed: Packed, layerScale?: string): Tensor {
  const inAttention: Packed = {
    weight: `attn.${packed.weight}`,
    bias:
      packed.bias === null || typeof packed.bias === "string"
        ? packed.bias && `attn.${packed.bias}`
        : { q: `attn.${packed.bias.q}`, v: `attn.${packed.bias.v}` },
  }
  return selfAttention(binder, x, { heads, packed: inAttention, out: "attn.proj", layerScale })
}

interface VitTower {
  /** After the embedding and after each block: [B,tokens,C] */
  hiddenStates: Tensor[]
  /** All tokens after the last block, and after the final norm where there is one. */
  tokens: Tensor
  /** Patches alone [B,N,C]. */
  map: Tensor
}

/** @param images [B,1,H,W,3], normalised */
function vitTower(binder: WeightBinder, config: VitConfig, images: Tensor): VitTower {
  const { patch_size: p, embed_dim: width, qkv_bias, init_values } = config
  const rows = images.shape[0]
  const grid = gridOfPictures(images, p)
  const N = grid.rows * grid.columns
  const prefix = prefixLength(config)
  const pixels = reshape(patches(images, [1, p, p]), [rows, N, p * p * 3])
  const name = "patch_embed.proj"
  const embedded = embedPatches(binder, pixels, { name, width, kernel: [p, p], bias: !config.pre_norm })
  const prefixTokens = [
    ...(config.class_token ? [prefixToken(binder.weight("cls_token", [1, 1, width]), rows)] : []),
    ...(config.reg_tokens > 0 ? [registers(binder, config.reg_tokens, width, rows)] : []),
  ]
  const extra = config.no_embed_class ? 0 : prefix
  const table = binder.weight(
    "pos_embed",
    [1, extra + N, width],
    gridTable({ extra, time: 1, ...grid, width, interpolation: INTERPOLATION }),
  )
  const placed = config.no_embed_class
    ? concat([...prefixTokens, add(embedded, table)], 1)
    : add(concat([...prefixTokens, embedded], 1), table)
  const first = config.pre_norm ? norm(binder, "norm_pre", placed, config.layer_norm_eps) : placed
  const hiddenStates = timmBlocks(binder, first, config, {
    packed: qkv_bias ? TIMM_PACKED : { ...TIMM_PACKED, bias: null },
    scales: init_values ? ["ls1.gamma", "ls2.gamma"] : null,
  })
  const last = hiddenStates[hiddenStates.length - 1]
  const tokens = usesFcNorm(config) ? last : norm(binder, "norm", last, config.layer_norm_eps)
  return { hiddenStates, tokens, map: narrow(tokens, 1, prefix, prefix + N) }
}

function registers(binder: WeightBinder, n: number, width: number, rows: number): Tensor {
  const token = binder.weight("reg_token", [1, n, width])
  return concat(
    Array.from({ length: rows }, () => token),
    0,
  )
}

/** The head's input [B,C]. */
function pooledOf(binder: WeightBinder, config: VitConfig, { tokens, map }: VitTower): Tensor {
  const all = (): Tensor => {
    switch (config.global_pool) {
      case "token":
        return reshape(narrow(tokens, 1, 0, 1), [tokens.shape[0], tokens.shape[2]])
      case "avg":
        return mean(map, 1)
      case "max":
        return max(map, 1)
      case "avgmax":
        return mul(add(max(map, 1), mean(map, 1)), 0.5)
      case "map":
        return attentionPool(binder.in("attn_pool"), config, tokens)
    }
  }
  return usesFcNorm(config) ? norm(binder, "fc_norm", all(), config.layer_norm_eps) : all()
}

/** timm's AttentionPoolLatent: one learned query over all tokens, then an MLP. [B,L,C] -> [B,C] */
function attentionPool(binder: WeightBinder, config: VitConfig, tokens: Tensor): Tensor {
  const { num_heads: heads, embed_dim: width, mlp_ratio, activation, layer_norm_eps } = config
  const [B] = tokens.shape
  const scale = headScale(binder.path("kv"), width, heads)
  const query = linear(binder, "q", binder.weight("latent", [1, 1, width]), width)
  const part = (label: string, first: number) => {
    const weight = binder.derive(
      `${label}.weight`,
      [{ name: "kv.weight", shape: [2 * width, width] }],
      [width, width],
      (v) => transposed(v.subarray(first * width, (first + width) * width), width, width),
    )
    const bias = binder.derive(`${label}.bias`, [{ name: "kv.bias", shape: [2 * width] }], [width], (v) =>
      v.slice(first, first + width),
    )
    return { weight, bias }
  }
  const [k, v] = [part("k", 0), part("v", width)]
  const apply = ({ weight, bias }: typeof k) => add(project(tokens, weight), bias)
  const rows = concat(
    Array.from({ length: B }, () => mul(query, scale)),
    0,
  )
  const out = linear(binder, "proj", attend(rows, apply(k), apply(v), heads), width)
  const names = ["mlp.fc1", "mlp.fc2"] as const
  const hidden = Math.trunc(width * mlp_ratio)
  return reshape(add(out, mlp(binder, norm(binder, "norm", out, layer_norm_eps), { names, hidden, activation })), [
    B,
    width,
  ])
}

function vitGraph(binder: WeightBinder, config: VitConfig, inputs: Inputs): EncoderGraph {
  const images = inputNamed(inputs, "input", "batch,3,height,width")
  checkInput("input", images, [-1, 3, config.img_size, config.img_size], "batch,3,height,width", RESIZE_FIX)
  binder.skip(isSiglipText)
  const tower = vitTower(binder, config, fromImages(images))
  const [B, , width] = tower.tokens.shape
  const grid = gridOf("img_size", config.img_size, config.patch_size)
  const outputs: EncoderGraph["outputs"] = { feature_map: reshape(tower.map, [B, grid, grid, width]) }
  if (config.class_token) outputs.class_feature = reshape(narrow(tower.tokens, 1, 0, 1), [B, width])
  outputs.pooled = pooledOf(binder, config, tower)
  if (config.num_classes === 0) binder.skip((name) => name.startsWith("head."))
  else if (binder.has("head.weight")) {
    outputs.logits = linear(binder, "head", outputs.pooled, config.num_classes)
  }
  const [embedding, ...blocks] = tower.hiddenStates
  const afterBlocks = Object.fromEntries(blocks.map((block, i) => [`block_${i}`, block]))
  return { outputs, intermediates: { after_embedding: embedding, ...afterBlocks } }
}

/** Sizes of a ViT by timm's names. */
export const timmSizesOf = ([width, depth, heads]: TransformerSize, patch: number) => ({
  embed_dim: width,
  depth,
  num_heads: heads,
  patch_size: patch,
  num_classes: 0,
})

const preset = (sizes: Preset["dimensions"], resolution: number, normalisation: Normalisation): Preset => ({
  dimensions: { encoder: "vit_timm", ...sizes },
  resolution,
  frames: 8,
  normalisation,
})

const deit3 = (size: TransformerSize, patch: number, resolution = 224): Preset => {
  const sizes = { ...timmSizesOf(size, patch), encoder: "deit3_timm", no_embed_class: true, init_values: 1e-6 }
  return preset(sizes, resolution, IMAGENET)
}

const dinov2 = (size: TransformerSize): Preset => preset({ ...timmSizesOf(size, 14), init_values: 1e-5 }, 224, IMAGENET)

const siglip = (sizes: Preset["dimensions"], resolution: number): Preset =>
  preset({ ...sizes, class_token: false, global_pool: "map" }, resolution, HALF)

export const vit = defineFamily({
  dimensions,
  inputs: () => ["input"],
  parameterName: vitName,
  graph: vitGraph,
  visual: {
    kind: "vit",
    models: {
      "Ti/16": preset(timmSizesOf(TINY, 16), 224, HALF),
      "S/16": preset(timmSizesOf(SMALL, 16), 224, HALF),
      "B/32": preset(timmSizesOf(BASE, 32), 224, HALF),
      "B/16": preset(timmSizesOf(BASE, 16), 224, HALF),
      "L/16": preset(timmSizesOf(LARGE, 16), 224, HALF),
      "deit3-S/16": deit3(SMALL, 16),
      "deit3-M/16": deit3(MEDIUM, 16),
      "deit3-B/16": deit3(BASE, 16),
      "deit3-B/16@384": deit3(BASE, 16, 384),
      "deit3-L/16": deit3(LARGE, 16),
      "deit3-L/16@384": deit3(LARGE, 16, 384),
      "deit3-H/14": deit3(HUGE, 14),
      "dinov2-S/14": dinov2(SMALL),
      "dinov2-B/14": dinov2(BASE),
      "dinov2-L/14": dinov2(LARGE),
      "siglip-B/16": siglip(timmSizesOf(BASE, 16), 224),
      "siglip-L/16": siglip(timmSizesOf(LARGE, 16), 256),
      "siglip-So400m/14": siglip({ ...timmSizesOf([1152, 27, 16], 14), mlp_ratio: 3.7362 }, 224),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "img_size" },
    anyShape: true,
    unused: (name) => /^(?:head|fc_norm|attn_pool)\./.test(name) || isSiglipText(name),
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const { map } = vitTower(binder, config, asImages(clips))
      return gridMap(map, B, T, gridOfPictures(clips, config.patch_size))
    },
    joint: {
      tower: ({ global_pool }) => (global_pool === "map" ? "siglip" : null),
      rows: (binder, config, clips) =>
        frameMean(pooledOf(binder, config, vitTower(binder, config, asImages(clips))), clips.shape[1]),
      logits: (binder, _, rows, texts) => cosineLogits(binder, rows, texts),
    },
  },
})
