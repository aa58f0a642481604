/**
 * The Perception Encoder's image and text towers (Bolya et al. 2025), https://github.com/facebookresearch/perception_models,
 * core/vision_encoder/pe.py. PE-Core as a whole; the image towers of PE-Lang and PE-Spatial have the same parts.
 *
 *   images ─ patches ─ class token, positions ─ ln_pre ─ rotary blocks ─ ln_post ─┬─ patches: feature_map
 *                                                                                 └─ attn_pool ─ proj ─ image_embedding
 *   clips  ─ image_embedding of each frame, normalised ─ mean ─ video_embedding
 *   ids    ─ CLIP's text tower with GELU ─ text_embedding
 *   attn_pool: probe attends over all tokens, then y + mlp(layernorm(y))
 */

import {
  add,
  concat,
  exp,
  expand,
  FourtierError,
  matmul,
  mean,
  mul,
  narrow,
  reshape,
  type Tensor,
} from "@fourtier/tensor"
import { z } from "zod"
import {
  asImages,
  attend,
  attendInHeads,
  clipBlock,
  embedPatches,
  fromImages,
  gridOf,
  headScale,
  linear,
  mlp,
  norm,
  normalised,
  PYTORCH_PACKED,
  packedProjection,
  patches,
  prefixToken,
  selfAttention,
  toHeads,
} from "../blocks.ts"
import { defineFamily } from "../family.ts"
import {
  activation,
  CLIP_EPSILON,
  checkInput,
  count,
  type EncoderGraph,
  type Inputs,
  inputNamed,
  textIds,
} from "../graph.ts"
import { cosineLogits, frameMean } from "../joint.ts"
import { gridRows } from "../positions.ts"
import { BASE, HALF, LARGE, type Preset, SMALL, TINY, type TransformerSize } from "../presets.ts"
import { type Rotation, rotate, rotationOf } from "../rotary.ts"
import type { WeightBinder } from "../weight-binder.ts"
import { type ClipTextConfig, clipName, clipTextTower, isClipText } from "./clip.ts"
import { framesOf } from "./xclip.ts"

/** Hidden channels over width: a number, or a fraction as "8960/1536". */
const ratio = z.union([z.number().positive(), z.string().transform(fraction)])

function fraction(text: string, context: z.RefinementCtx): number {
  const [above, below = "1", ...more] = text.split("/")
  const value = Number(above) / Number(below)
  if (value > 0 && Number.isFinite(value) && more.length === 0) return value
  context.addIssue({ code: "custom", message: 'expected a positive number, or a fraction such as "8960/1536"' })
  return z.NEVER
}

const dimensions = z.object({
  encoder: z.literal("pe_core"),
  image_size: count,
  patch_size: count,
  vision_width: count,
  vision_layers: count,
  vision_heads: count,
  vision_mlp_ratio: ratio.default(4),
  /** Hidden channels; null: width times ratio. */
  vision_mlp_hidden: count.nullable().default(null),
  /** Null: where the checkpoint has `class_embedding`. */
  use_cls_token: z.boolean().nullable().default(null),
  use_rope2d: z.boolean().default(true),
  rope_theta: z.number().positive().default(10000),
  /** Null: `attn` where the checkpoint has `attn_pool`, else `none`. */
  pool_type: z.enum(["attn", "tok", "avg", "none"]).nullable().default(null),
  attn_pooler_heads: count.default(8),
  /** Width of the joint space; not needed without `proj` and texts. */
  embed_dim: count.optional(),
  context_length: count.optional(),
  vocab_size: count.optional(),
  text_width: count.optional(),
  text_heads: count.optional(),
  text_layers: count.optional(),
  text_mlp_ratio: ratio.default(4),
  activation: activation.default("gelu"),
  layer_norm_eps: z.number().positive().default(CLIP_EPSILON),
})

type PeConfig = z.infer<typeof dimensions>

/** The reference's names. Checkpoints of the image tower alone may lack `visual.`. */
export function peName(key: string, keys: ReadonlySet<string>): string | null {
  return keys.has("conv1.weight") ? `visual.${key}` : clipName(key, keys)
}

interface ImageTower {
  /** After ln_pre and after each block: [B,L,D], the class token first where there is one */
  hiddenStates: Tensor[]
  /** After ln_post: [B,L,D] */
  tokens: Tensor
  /** Positions as added: [L,D]; null where there are none. */
  positions: Tensor | null
  /** Turned queries and keys of each block [B,heads,L,d], unscaled. */
  inside: Record<string, Tensor>
  /** Patches of tokens [B,L,D] as map [B,rows,columns,D] */
  map(tokens: Tensor): Tensor
  classToken: boolean
}

/** A `visual` tower of images [B,1,H,W,3] of any size. */
function imageTower(binder: WeightBinder, config: PeConfig, images: Tensor): ImageTower {
  const { patch_size: p, vision_width: width, vision_heads: heads, layer_norm_eps: epsilon } = config
  const [B, , H, W] = images.shape
  const [rows, columns] = [gridOf("input height", H, p), gridOf("input width", W, p)]
  const classToken = config.use_cls_token ?? binder.has("class_embedding")
  const extra = Number(classToken)
  const pixels = reshape(patches(images, [1, p, p]), [B, rows * columns, p * p * 3])
  const embedded = embedPatches(binder, pixels, { name: "conv1", width, kernel: [p, p], bias: false })
  const tokens = classToken
    ? concat([prefixToken(binder.weight("class_embedding", [width]), B), embedded], 1)
    : embedded
  const side = gridOf("image_size", config.image_size, p)
  const positions = binder.has("positional_embedding")
    ? gridRows(binder, "positional_embedding", side, { extra, rows, columns, width, interpolation: "bilinear" })
    : null
  const placed = positions ? add(tokens, positions) : tokens
  let x = binder.has("ln_pre.weight") ? norm(binder, "ln_pre", placed, epsilon) : placed
  const turns = config.use_rope2d ? turnsOf(config, { rows, columns, classToken }) : null
  const mlpHidden = config.vision_mlp_hidden ?? Math.trunc(width * config.vision_mlp_ratio)
  const hiddenStates = [x]
  const inside: Record<string, Tensor> = {}
  for (let i = 0; i < config.vision_layers; i++) {
    const block = binder.in(`transformer.resblocks.${i}`)
    const options = { heads, activation: config.activation, epsilon, mlpHidden }
    const attention = (normed: Tensor) => {
      if (!turns) return selfAttention(block.in("attn"), normed, { heads })
      const { out, query, key } = rotaryAttention(block.in("attn"), normed, heads, turns)
      inside[`image_block_${i}_query_rotated`] = query
      inside[`image_block_${i}_key_rotated`] = key
      return out
    }
    x = clipBlock(block, x, options, attention)
    hiddenStates.push(x)
  }
  return {
    hiddenStates,
    tokens: binder.has("ln_post.weight") ? norm(binder, "ln_post", x, epsilon) : x,
    positions,
    inside,
    map: (tokens) => reshape(narrow(tokens, 1, extra, extra + rows * columns), [B, rows, columns, width]),
    classToken,
  }
}

/** How queries and keys of a head turn; queries are scaled for the attention, too. */
interface Turns {
  plain: Rotation
  scaled: Rotation
}

/**
 * The first half of a head's channels turns with the column, the second half with the row. A class token in front does not turn,
 * and the grid's positions start at 1 behind it.
 *
 * @throws FourtierError where a head's channels make no pairs for rows and columns
 */
function turnsOf(
  { vision_width: width, vision_heads: heads, rope_theta: theta }: PeConfig,
  { rows, columns, classToken }: { rows: number; columns: number; classToken: boolean },
): Turns {
  const scale = headScale("vision_heads", width, heads)
  const channels = width / heads
  if (channels % 4 !== 0) {
    throw new FourtierError({
      where: "vision_heads",
      what: "rotary positions need heads of a multiple of 4 channels",
      expected: `${width} channels in heads of 4, 8, 12, …`,
      found: `${heads} heads`,
    })
  }
  const first = Number(classToken)
  const places = Array.from({ length: rows * columns }, (_, place) => place)
  const axis = (of: (place: number) => number) => [...(classToken ? [0] : []), ...places.map((at) => of(at) + first)]
  const positions = [axis((place) => place % columns), axis((place) => Math.floor(place / columns))]
  const options = { style: "interleaved", theta } as const
  return { plain: rotationOf(positions, channels, options), scaled: rotationOf(positions, channels, options, scale) }
}

/** Self-attention of x [B,L,C] with turned queries and keys. */
function rotaryAttention(binder: WeightBinder, x: Tensor, heads: number, { plain, scaled }: Turns) {
  const project = (part: "q" | "k" | "v") => toHeads(packedProjection(binder, x, part, PYTORCH_PACKED), heads)
  const [q, key] = [project("q"), rotate(project("k"), plain)]
  return {
    out: linear(binder, "out_proj", attendInHeads(rotate(q, scaled), key, project("v")), x.shape[2]),
    query: rotate(q, plain),
    key,
  }
}

/** One learned query over all tokens [B,L,D], then an MLP of ratio 4: [B,D] */
function attentionPool(binder: WeightBinder, config: PeConfig, tokens: Tensor): Tensor {
  const { vision_width: width, attn_pooler_heads: heads, activation, layer_norm_eps } = config
  const [B] = tokens.shape
  const attention = binder.in("attn")
  const probe = expand(binder.weight("probe", [1, 1, width]), [B, 1, width])
  const scale = headScale("attn_pooler_heads", width, heads)
  const q = packedProjection(attention, probe, "q", PYTORCH_PACKED, scale)
  const k = packedProjection(attention, tokens, "k", PYTORCH_PACKED)
  const v = packedProjection(attention, tokens, "v", PYTORCH_PACKED)
  const y = linear(attention, "out_proj", attend(q, k, v, heads), width)
  const names = ["mlp.c_fc", "mlp.c_proj"] as const
  const fed = mlp(binder, norm(binder, "layernorm", y, layer_norm_eps), { names, hidden: 4 * width, activation })
  return reshape(add(y, fed), [B, width])
}

/** What stands for a picture: [B,D], or all tokens [B,L,D] where nothing is pooled. */
function pooledOf(binder: WeightBinder, config: PeConfig, { tokens }: ImageTower): Tensor {
  const [B, , width] = tokens.shape
  switch (config.pool_type ?? (binder.has("attn_pool.probe") ? "attn" : "none")) {
    case "attn":
      return attentionPool(binder.in("attn_pool"), config, tokens)
    case "tok":
      return reshape(narrow(tokens, 1, 0, 1), [B, width])
    case "avg":
      return mean(tokens, 1)
    case "none":
      return tokens
  }
}

/** The pooled picture in the joint space [..,E], not normalised; as it is where there is no projection. */
function projected(binder: WeightBinder, config: PeConfig, pooled: Tensor): Tensor {
  if (!binder.has("proj")) return pooled
  if (config.embed_dim === undefined) {
    throw new FourtierError({ where: "embed_dim", what: "missing: the checkpoint projects into the joint space" })
  }
  return matmul(pooled, binder.weight("proj", [config.vision_width, config.embed_dim]))
}

/** The text tower's sizes, under the names that CLIP's has. */
export const peTextSizes = z
  .object({
    embed_dim: count,
    context_length: count,
    vocab_size: count,
    text_width: count,
    text_heads: count,
    text_layers: count,
    text_mlp_ratio: ratio.default(4),
    activation: activation.default("gelu"),
    layer_norm_eps: z.number().positive().default(CLIP_EPSILON),
  })
  .transform(({ text_mlp_ratio, ...sizes }): ClipTextConfig => ({ ...sizes, mlp_ratio: text_mlp_ratio }))

/** @throws FourtierError that lists those sizes of the text tower that the configuration lacks */
function textSizesOf(config: PeConfig): ClipTextConfig {
  const parsed = peTextSizes.safeParse(config)
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: "sizes of the text tower",
    what: "missing in the configuration",
    found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  })
}

/** Each frame's normalised embedding, their mean: clips [B,T,H,W,3] -> [B,E], not normalised again */
function videoEmbedding(visual: WeightBinder, config: PeConfig, clips: Tensor): Tensor {
  const [B, T] = clips.shape
  const frames = projected(visual, config, pooledOf(visual, config, imageTower(visual, config, asImages(clips))))
  return mean(reshape(normalised(frames), [B, T, ...frames.shape.slice(1)]), 1)
}

const IMAGE_AXES = "batch,3,height,width"
const VIDEO_AXES = "batch,time,3,height,width"

/** Images of any size: the input `name` as [B,1,H,W,3] */
function imagesNamed(inputs: Inputs, name: string): Tensor {
  const images = inputNamed(inputs, name, IMAGE_AXES)
  checkInput(name, images, [-1, 3, -1, -1], IMAGE_AXES)
  return fromImages(images)
}

function peGraph(binder: WeightBinder, config: PeConfig, inputs: Inputs): EncoderGraph {
  const visual = binder.in("visual")
  const outputs: EncoderGraph["outputs"] = {}
  const intermediates: EncoderGraph["intermediates"] = {}
  if (inputs.has("input")) {
    const tower = imageTower(visual, config, imagesNamed(inputs, "input"))
    const { hiddenStates, tokens, map, inside } = tower
    const layers = config.vision_layers
    outputs.feature_map = map(tokens)
    outputs.feature_map_before_norm = map(hiddenStates[layers])
    outputs.feature_map_layer_minus_2 = map(hiddenStates[Math.max(layers - 1, 1)])
    if (tower.classToken) outputs.class_token = reshape(narrow(tokens, 1, 0, 1), [tokens.shape[0], tokens.shape[2]])
    outputs.pooled = pooledOf(visual, config, tower)
    outputs.image_embedding = projected(visual, config, outputs.pooled)
    const [first, ...blocks] = hiddenStates
    Object.assign(intermediates, inside, { image_after_ln_pre: first })
    for (const [i, block] of blocks.entries()) intermediates[`image_block_${i}`] = block
  }
  if (inputs.has("input_other")) {
    const tower = imageTower(visual, config, imagesNamed(inputs, "input_other"))
    outputs.feature_map_other = tower.map(tower.tokens)
    outputs.image_embedding_other = projected(visual, config, pooledOf(visual, config, tower))
    if (tower.positions) intermediates.position_other = reshape(tower.positions, [1, ...tower.positions.shape])
  }
  if (inputs.has("input_video")) {
    const clips = inputNamed(inputs, "input_video", VIDEO_AXES)
    checkInput("input_video", clips, [-1, -1, 3, -1, -1], VIDEO_AXES)
    const [B, T] = clips.shape
    const frames = framesOf(clips) // [B·T,1,H,W,3]
    outputs.video_embedding = videoEmbedding(visual, config, reshape(frames, [B, T, ...frames.shape.slice(2)]))
  }
  if (Object.keys(outputs).length === 0) binder.skip((name) => name.startsWith("visual."))
  const ids = textIds(inputs)
  if (!ids) {
    binder.skip(isClipText)
    return { outputs, intermediates }
  }
  const text = clipTextTower(binder, textSizesOf(config), ids)
  outputs.text_token_features = text.tokens
  outputs.text_embedding = text.embedding
  for (const [i, block] of text.hiddenStates.entries()) intermediates[`text_block_${i}`] = block
  if (binder.has("logit_scale")) {
    const scale = exp(binder.weight("logit_scale", []))
    outputs.logit_scale_exp = reshape(scale, [1])
    if (outputs.image_embedding?.rank === 2) {
      const [image, texts] = [normalised(outputs.image_embedding), normalised(text.embedding)]
      outputs.logits_per_image = mul(matmul(image, texts, { transposeB: true }), scale)
    }
  }
  return { outputs, intermediates }
}

type TowerSize = readonly [...TransformerSize, embed: number]

const preset = (
  [width, depth, heads]: TransformerSize,
  patch: number,
  resolution: number,
  [textWidth, textLayers, textHeads, embed]: TowerSize,
  others: Preset["dimensions"] = {},
): Preset => ({
  dimensions: {
    encoder: "pe_core",
    patch_size: patch,
    vision_width: width,
    vision_layers: depth,
    vision_heads: heads,
    use_cls_token: true,
    embed_dim: embed,
    context_length: 32,
    vocab_size: 49408,
    text_width: textWidth,
    text_layers: textLayers,
    text_heads: textHeads,
    ...others,
  },
  resolution,
  frames: 8,
  normalisation: HALF,
})

const SMALL_TEXT: TowerSize = [512, 12, 8, 512]
const LARGE_TEXT: TowerSize = [1024, 24, 16, 1024]

export const peCore = defineFamily({
  dimensions,
  inputs: () => ["input", "input_other", "input_video", "text_tokens"],
  parameterName: peName,
  graph: peGraph,
  visual: {
    kind: "pe_core",
    models: {
      "T/16@384": preset(TINY, 16, 384, SMALL_TEXT),
      "S/16@384": preset(SMALL, 16, 384, SMALL_TEXT),
      "B/16": preset(BASE, 16, 224, LARGE_TEXT),
      "L/14@336": preset(LARGE, 14, 336, LARGE_TEXT),
      "G/14@448": preset([1536, 50, 16], 14, 448, [1280, 24, 20, 1280], {
        vision_mlp_ratio: "8960/1536",
        use_cls_token: false,
        context_length: 72,
      }),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "image_size" },
    unused: (name) => !name.startsWith("visual.") || /^visual\.(?:proj$|attn_pool\.)/.test(name),
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const { map, tokens } = imageTower(binder.in("visual"), config, asImages(clips))
      const whole = map(tokens)
      return reshape(whole, [B, T, ...whole.shape.slice(1)])
    },
    joint: {
      tower: ({ pool_type }) => (pool_type === "none" ? null : "pe_core"),
      rows(binder, config, clips) {
        const visual = binder.in("visual")
        const pooled = pooledOf(visual, config, imageTower(visual, config, asImages(clips)))
        return frameMean(projected(visual, config, pooled), clips.shape[1])
      },
      logits: (binder, _, rows, texts) => cosineLogits(binder, rows, texts),
    },
  },
})
