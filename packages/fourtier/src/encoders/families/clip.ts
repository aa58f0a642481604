/**
 * CLIP's image and text towers (Radford et al. 2021), https://github.com/openai/CLIP, clip/model.py; the names are the same in
 * open_clip.
 *
 *   images ─ patches ─ class token, positions ─ ln_pre ─ blocks ─┬─ class token ─ ln_post ─ proj ─ image_embedding
 *                                                                └─ patches ─ ln_post ─ feature_map (as open_clip's tokens)
 *   ids ─ embedding, positions ─ causal blocks ─ ln_final ─ token of the largest id ─ text_projection ─ text_embedding
 */

import {
  add,
  argmax,
  cast,
  concat,
  exp,
  expand,
  gather,
  matmul,
  mul,
  narrow,
  reshape,
  type Tensor,
  takeAlong,
} from "@fourtier/tensor"
import { z } from "zod"
import { type BlockOptions, causalMask, clipBlock, norm, normalised } from "../blocks.ts"
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
  textIds,
} from "../graph.ts"
import { cosineLogits, frameMean } from "../joint.ts"
import {
  asImages,
  embedPatches,
  fromImages,
  type Grid,
  gridMap,
  gridOf,
  gridOfPictures,
  patches,
  prefixToken,
  withoutClassToken,
} from "../patches.ts"
import { gridTable, type Interpolation } from "../positions.ts"
import { BASE, HUGE, LARGE, type Normalisation, type Preset, type TransformerSize } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"

const imageSizes = {
  embed_dim: count,
  image_resolution: count,
  patch_size: count,
  vision_width: count,
  vision_layers: count,
  vision_heads: count,
}

const textSizes = {
  context_length: count,
  vocab_size: count,
  text_width: count,
  text_heads: count,
  text_layers: count,
}

const common = {
  mlp_ratio: z.number().positive().default(4),
  activation: activation.default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(CLIP_EPSILON),
}

const dimensions = z.object({ encoder: z.literal("clip"), ...imageSizes, ...textSizes, ...common })
type ClipConfig = z.infer<typeof dimensions>

export const clipImageSizes = z.object({ ...imageSizes, ...common })
export type ClipImageConfig = z.infer<typeof clipImageSizes>
export const clipTextSizes = z.object({ embed_dim: count, ...textSizes, ...common })
export type ClipTextConfig = z.infer<typeof clipTextSizes>

/** Entries of OpenAI's checkpoints that are no parameters. */
export const CLIP_SETTINGS = ["input_resolution", "context_length", "vocab_size"]

/**
 * OpenAI's names. Checkpoints of the image tower alone lack `visual.`; open_clip's custom text towers have `text.`.
 *
 * @param keys all keys of the checkpoint
 */
export function clipName(key: string, keys: ReadonlySet<string>): string | null {
  if (CLIP_SETTINGS.includes(key) || key.endsWith("attn_mask")) return null
  if (keys.has("class_embedding")) return `visual.${key}`
  return key.replace(/^text\.(?=transformer\.|token_embedding\.|positional_embedding|ln_final\.|text_projection)/, "")
}

/** Whether a parameter belongs to the text tower, or is the temperature of the similarity. */
export function isClipText(name: string): boolean {
  return /^(?:transformer\.|token_embedding\.|ln_final\.|positional_embedding$|text_projection$|logit_)/.test(name)
}

const INTERPOLATION: Interpolation = "bicubic-antialias"

export const blockOptions = (
  heads: number,
  { activation, layer_norm_eps, mlp_ratio }: Pick<ClipImageConfig, "activation" | "layer_norm_eps" | "mlp_ratio">,
): BlockOptions => ({ heads, activation, epsilon: layer_norm_eps, mlpRatio: mlp_ratio })

/**
 * Images as tokens before the first block: class token, patches, positions, ln_pre.
 *
 * @param binder below which `conv1`, `class_embedding`, ... lie
 * @param images [rows,1,H,W,3], normalised
 * @returns [rows,1+N,D]
 */
export function clipEmbedding(
  binder: WeightBinder,
  { patch_size: p, vision_width: width, layer_norm_eps }: ClipImageConfig,
  images: Tensor,
  interpolation: Interpolation = INTERPOLATION,
): Tensor {
  const [rows] = images.shape
  const grid = gridOfPictures(images, p)
  const pixels = reshape(patches(images, [1, p, p]), [rows, grid.rows * grid.columns, p * p * 3])
  const embedded = embedPatches(binder, pixels, { name: "conv1", width, kernel: [p, p], bias: false })
  return clipTokens(binder, embedded, { grid, width, epsilon: layer_norm_eps, interpolation })
}

/** Adds class token and positions to patches [rows,N,D], then ln_pre: [rows,1+N,D] */
export function clipTokens(
  binder: WeightBinder,
  embedded: Tensor,
  { grid, width, epsilon, interpolation }: { grid: Grid; width: number; epsilon: number; interpolation: Interpolation },
): Tensor {
  const table = binder.weight(
    "positional_embedding",
    [1 + grid.rows * grid.columns, width],
    gridTable({ extra: 1, time: 1, ...grid, width, interpolation }),
  )
  const tokens = concat([prefixToken(binder.weight("class_embedding", [width]), embedded.shape[0]), embedded], 1)
  return norm(binder, "ln_pre", add(tokens, table), epsilon)
}

interface ClipImageTower {
  /** After ln_pre and after each block: [rows,1+N,D] */
  hiddenStates: Tensor[]
  /** After the last block and ln_post: [rows,1+N,D] */
  tokens: Tensor
}

/** @param binder the image tower, `visual` */
function clipImageTower(binder: WeightBinder, config: ClipImageConfig, images: Tensor): ClipImageTower {
  let x = clipEmbedding(binder, config, images)
  const hiddenStates = [x]
  for (let i = 0; i < config.vision_layers; i++) {
    x = clipBlock(binder.in(`transformer.resblocks.${i}`), x, blockOptions(config.vision_heads, config))
    hiddenStates.push(x)
  }
  return { hiddenStates, tokens: norm(binder, "ln_post", x, config.layer_norm_eps) }
}

export interface ClipTextTower {
  /** After each block: [rows,L,D] */
  hiddenStates: Tensor[]
  /** After ln_final: [rows,L,D] */
  tokens: Tensor
  /** [rows,E] */
  embedding: Tensor
}

/** @param ids i64 [rows,L], L up to the context; the end of the text has the largest id */
export function clipTextTower(binder: WeightBinder, config: ClipTextConfig, ids: Tensor): ClipTextTower {
  const { context_length, vocab_size, text_width: width, text_heads, text_layers, embed_dim } = config
  const [rows, length] = ids.shape
  if (length > context_length) {
    checkInput("text_tokens", ids, [-1, context_length], "text,position", "cut the texts to the context")
  }
  const words = gather(binder.weight("token_embedding.weight", [vocab_size, width]), ids, 0)
  const positions = narrow(binder.weight("positional_embedding", [context_length, width]), 0, 0, length)
  let x = add(words, positions)
  const hiddenStates: Tensor[] = []
  const options = { ...blockOptions(text_heads, config), mask: causalMask(length) }
  for (let i = 0; i < text_layers; i++) {
    x = clipBlock(binder.in(`transformer.resblocks.${i}`), x, options)
    hiddenStates.push(x)
  }
  const tokens = norm(binder, "ln_final", x, config.layer_norm_eps)
  const end = expand(reshape(argmax(cast(ids, "i32"), 1), [rows, 1, 1]), [rows, 1, width])
  const last = reshape(takeAlong(tokens, end, 1), [rows, width])
  return { hiddenStates, tokens, embedding: matmul(last, binder.weight("text_projection", [width, embed_dim])) }
}

function clipGraph(binder: WeightBinder, config: ClipConfig, inputs: Inputs): EncoderGraph {
  const ids = textIds(inputs)
  const alone = ids !== null && !inputs.has("input")
  const image = alone ? { outputs: {}, intermediates: {} } : imageGraph(binder, config, inputs)
  if (alone) binder.skip((name) => name.startsWith("visual.") || name.startsWith("logit_"))
  if (!ids) {
    binder.skip(isClipText)
    return image
  }
  const text = clipTextTower(binder, config, ids)
  const outputs: EncoderGraph["outputs"] = {
    ...image.outputs,
    text_token_features: text.tokens,
    text_embedding: text.embedding,
  }
  if (outputs.image_embedding) {
    const scale = exp(binder.weight("logit_scale", []))
    const similarity = matmul(normalised(outputs.image_embedding), normalised(text.embedding), { transposeB: true })
    outputs.logits_per_image = mul(similarity, scale)
  }
  const textStates = Object.fromEntries(text.hiddenStates.map((block, i) => [`text_block_${i}`, block]))
  return { outputs, intermediates: { ...image.intermediates, ...textStates } }
}

/** What the image tower gives. */
function imageGraph(binder: WeightBinder, config: ClipConfig, inputs: Inputs): EncoderGraph {
  const images = inputNamed(inputs, "input", "batch,3,height,width")
  const side = config.image_resolution
  checkInput("input", images, [-1, 3, side, side], "batch,3,height,width", RESIZE_FIX)
  const visual = binder.in("visual")
  const tower = clipImageTower(visual, config, fromImages(images))
  const [B, , width] = tower.tokens.shape
  const grid = gridOf("image_resolution", side, config.patch_size)
  const map = (x: Tensor) => reshape(narrow(x, 1, 1, 1 + grid * grid), [B, grid, grid, width])
  const first = (x: Tensor) => reshape(narrow(x, 1, 0, 1), [B, width])
  const [embedding, ...blocks] = tower.hiddenStates
  const last = tower.hiddenStates[tower.hiddenStates.length - 1]
  const outputs: EncoderGraph["outputs"] = {
    feature_map: map(tower.tokens),
    feature_map_before_ln_post: map(last),
    class_token_before_ln_post: first(last),
    class_feature: first(tower.tokens),
  }
  if (binder.has("visual.proj")) {
    outputs.image_embedding = matmul(outputs.class_feature, visual.weight("proj", [width, config.embed_dim]))
  }
  const states = Object.fromEntries(blocks.map((block, i) => [`image_block_${i}`, block]))
  return { outputs, intermediates: { image_after_ln_pre: embedding, ...states } }
}

/** Mean and standard deviation of the pictures that CLIP is trained on. */
const NORMALISATION: Normalisation = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
}

function clipSizes([width, depth, heads]: TransformerSize, patch: number, embed: number, textLayers = 12) {
  return {
    embed_dim: embed,
    patch_size: patch,
    vision_width: width,
    vision_layers: depth,
    vision_heads: heads,
    context_length: 77,
    vocab_size: 49408,
    text_width: embed,
    text_heads: embed / 64,
    text_layers: textLayers,
  }
}

/** Sizes of both towers: X-CLIP and ILA start from these, too. */
export const CLIP_SIZES = {
  "B/32": clipSizes(BASE, 32, 512),
  "B/16": clipSizes(BASE, 16, 512),
  "L/14": clipSizes(LARGE, 14, 768),
}

const preset = (sizes: Preset["dimensions"], resolution = 224): Preset => ({
  dimensions: { encoder: "clip", ...sizes },
  resolution,
  frames: 8,
  normalisation: NORMALISATION,
})

export const clip = defineFamily({
  dimensions,
  inputs: () => ["input", "text_tokens"],
  parameterName: clipName,
  graph: clipGraph,
  visual: {
    kind: "clip",
    models: {
      "B/32": preset(CLIP_SIZES["B/32"]),
      "B/16": preset(CLIP_SIZES["B/16"]),
      "L/14": preset(CLIP_SIZES["L/14"]),
      "L/14@336": preset(CLIP_SIZES["L/14"], 336),
      "H/14": preset({ ...clipSizes(HUGE, 14, 1024, 24), activation: "gelu" }),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "image_resolution" },
    anyShape: true,
    unused: (name) => !name.startsWith("visual.") || name === "visual.proj",
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const { tokens } = clipImageTower(binder.in("visual"), config, asImages(clips))
      return gridMap(withoutClassToken(tokens), B, T, gridOfPictures(clips, config.patch_size))
    },
    joint: {
      tower: () => "clip",
      rows(binder, config, clips) {
        const visual = binder.in("visual")
        const { tokens } = clipImageTower(visual, config, asImages(clips))
        const [rows, , width] = tokens.shape
        const first = reshape(narrow(tokens, 1, 0, 1), [rows, width])
        return frameMean(matmul(first, visual.weight("proj", [width, config.embed_dim])), clips.shape[1])
      },
      logits: (binder, _, rows, texts) => cosineLogits(binder, rows, texts),
    },
  },
})
