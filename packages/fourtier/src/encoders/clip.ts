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
  div,
  exp,
  expand,
  gather,
  matmul,
  mul,
  narrow,
  reshape,
  sqrt,
  sum,
  type Tensor,
  takeAlong,
} from "@fourtier/tensor"
import { z } from "zod"
import {
  type BlockOptions,
  causalMask,
  clipBlock,
  embedPatches,
  fromImages,
  gridOf,
  leadToken,
  norm,
  patches,
} from "./blocks.ts"
import {
  activation,
  CLIP_EPSILON,
  checkInput,
  count,
  type EncoderGraph,
  type Inputs,
  inputNamed,
  RESIZE_FIX,
} from "./graph.ts"
import { gridTable, type Interpolation } from "./positions.ts"
import type { Net } from "./weight-binder.ts"

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

export const clipSchema = z.object({ encoder: z.literal("clip"), ...imageSizes, ...textSizes, ...common })
export type ClipConfig = z.infer<typeof clipSchema>

export const clipImageSizes = z.object({ ...imageSizes, ...common })
export type ClipImageConfig = z.infer<typeof clipImageSizes>
export const clipTextSizes = z.object({ embed_dim: count, ...textSizes, ...common })
export type ClipTextConfig = z.infer<typeof clipTextSizes>

/** Entries of OpenAI's files that are no weights. */
export const CLIP_SETTINGS = ["input_resolution", "context_length", "vocab_size"]

/**
 * Official names by the file's. Files of the image tower alone lack `visual.`; open_clip's custom text towers have `text.`.
 *
 * @param keys all keys of the file
 */
export function clipName(key: string, keys: ReadonlySet<string>): string | null {
  if (CLIP_SETTINGS.includes(key) || key.endsWith("attn_mask")) return null
  if (keys.has("class_embedding")) return `visual.${key}`
  return key.replace(/^text\.(?=transformer\.|token_embedding\.|positional_embedding|ln_final\.|text_projection)/, "")
}

/** Whether a name belongs to the text tower or joins the towers. */
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
 * @param net below which `conv1`, `class_embedding`, ... lie
 * @param images [rows,1,H,W,3], normalised
 * @returns [rows,1+N,D]
 */
export function clipEmbedding(
  net: Net,
  { image_resolution, patch_size: p, vision_width: width, layer_norm_eps }: ClipImageConfig,
  images: Tensor,
  interpolation: Interpolation = INTERPOLATION,
): Tensor {
  const [rows] = images.shape
  const grid = gridOf("image_resolution", image_resolution, p)
  const cut = reshape(patches(images, [1, p, p]), [rows, grid * grid, p * p * 3])
  const embedded = embedPatches(net, cut, { name: "conv1", width, kernel: [p, p], bias: false })
  return clipTokens(net, embedded, { grid, width, epsilon: layer_norm_eps, interpolation })
}

/** Adds class token and positions to patches [rows,N,D], then ln_pre: [rows,1+N,D] */
export function clipTokens(
  net: Net,
  embedded: Tensor,
  {
    grid,
    width,
    epsilon,
    interpolation,
  }: { grid: number; width: number; epsilon: number; interpolation: Interpolation },
): Tensor {
  const table = net.weight(
    "positional_embedding",
    [1 + grid * grid, width],
    gridTable({ extra: 1, time: 1, rows: grid, columns: grid, width, interpolation }),
  )
  const tokens = concat([leadToken(net.weight("class_embedding", [width]), embedded.shape[0]), embedded], 1)
  return norm(net, "ln_pre", add(tokens, table), epsilon)
}

export interface ClipImageTower {
  /** After ln_pre and after each block: [rows,1+N,D] */
  steps: Tensor[]
  /** After the last block and ln_post: [rows,1+N,D] */
  tokens: Tensor
}

/** @param net the image tower, `visual` */
export function clipImageTower(net: Net, config: ClipImageConfig, images: Tensor): ClipImageTower {
  let x = clipEmbedding(net, config, images)
  const steps = [x]
  for (let i = 0; i < config.vision_layers; i++) {
    x = clipBlock(net.in(`transformer.resblocks.${i}`), x, blockOptions(config.vision_heads, config))
    steps.push(x)
  }
  return { steps, tokens: norm(net, "ln_post", x, config.layer_norm_eps) }
}

export interface ClipTextTower {
  /** After each block: [rows,L,D] */
  steps: Tensor[]
  /** After ln_final: [rows,L,D] */
  tokens: Tensor
  /** [rows,E] */
  embedding: Tensor
}

/** @param ids i64 [rows,L], L up to the context; the end of the text has the largest id */
export function clipTextTower(net: Net, config: ClipTextConfig, ids: Tensor): ClipTextTower {
  const { context_length, vocab_size, text_width: width, text_heads, text_layers, embed_dim } = config
  const [rows, length] = ids.shape
  if (length > context_length) {
    checkInput("text_tokens", ids, [-1, context_length], "text,position", "cut the texts to the context")
  }
  const words = gather(net.weight("token_embedding.weight", [vocab_size, width]), ids, 0)
  const positions = narrow(net.weight("positional_embedding", [context_length, width]), 0, 0, length)
  let x = add(words, positions)
  const steps: Tensor[] = []
  const options = { ...blockOptions(text_heads, config), mask: causalMask(length) }
  for (let i = 0; i < text_layers; i++) {
    x = clipBlock(net.in(`transformer.resblocks.${i}`), x, options)
    steps.push(x)
  }
  const tokens = norm(net, "ln_final", x, config.layer_norm_eps)
  const end = expand(reshape(argmax(cast(ids, "i32"), 1), [rows, 1, 1]), [rows, 1, width])
  const last = reshape(takeAlong(tokens, end, 1), [rows, width])
  return { steps, tokens, embedding: matmul(last, net.weight("text_projection", [width, embed_dim])) }
}

/** x over its Euclidean length along the last axis. */
export function normalised(x: Tensor): Tensor {
  return div(x, sqrt(sum(mul(x, x), -1, true)))
}

export function clipGraph(net: Net, config: ClipConfig, inputs: Inputs): EncoderGraph {
  const images = inputNamed(inputs, "input", "batch,3,height,width")
  const side = config.image_resolution
  checkInput("input", images, [-1, 3, side, side], "batch,3,height,width", RESIZE_FIX)
  const visual = net.in("visual")
  const tower = clipImageTower(visual, config, fromImages(images))
  const [B, , width] = tower.tokens.shape
  const grid = gridOf("image_resolution", side, config.patch_size)
  const map = (x: Tensor) => reshape(narrow(x, 1, 1, 1 + grid * grid), [B, grid, grid, width])
  const first = (x: Tensor) => reshape(narrow(x, 1, 0, 1), [B, width])
  const [embedding, ...blocks] = tower.steps
  const last = tower.steps[tower.steps.length - 1]
  const outputs: EncoderGraph["outputs"] = {
    feature_map: map(tower.tokens),
    feature_map_before_ln_post: map(last),
    class_token_before_ln_post: first(last),
    class_feature: first(tower.tokens),
  }
  if (net.has("visual.proj")) {
    outputs.image_embedding = matmul(outputs.class_feature, visual.weight("proj", [width, config.embed_dim]))
  }
  const intermediates = {
    image_after_ln_pre: embedding,
    ...Object.fromEntries(blocks.map((block, i) => [`image_block_${i}`, block])),
  }
  const ids = inputs.get("text_tokens")
  if (!ids) {
    net.skip(isClipText)
    return { outputs, intermediates }
  }
  const text = clipTextTower(net, config, inputNamed(inputs, "text_tokens", "text,position"))
  outputs.text_token_features = text.tokens
  outputs.text_embedding = text.embedding
  if (outputs.image_embedding) {
    const scale = exp(net.weight("logit_scale", []))
    const similarity = matmul(normalised(outputs.image_embedding), normalised(text.embedding), { transposeB: true })
    outputs.logits_per_image = mul(similarity, scale)
  }
  const textSteps = Object.fromEntries(text.steps.map((block, i) => [`text_block_${i}`, block]))
  return { outputs, intermediates: { ...intermediates, ...textSteps } }
}
