/** The Perception Encoder's image tower (`pe-core.ts`), its pooling and projection, and the sizes of both towers. */

import { add, concat, expand, FourtierError, matmul, mean, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import {
  attend,
  attendInHeads,
  clipBlock,
  headScale,
  linear,
  mlp,
  norm,
  PYTORCH_PACKED,
  packedProjection,
  selfAttention,
  toHeads,
} from "../blocks.ts"
import { activation, CLIP_EPSILON, count } from "../graph.ts"
import { embedPatches, gridOf, patches, prefixToken } from "../patches.ts"
import { gridRows } from "../positions.ts"
import { type Rotation, rotate, rotationOf } from "../rotary.ts"
import type { WeightBinder } from "../weight-binder.ts"

/** Hidden channels over width: a number, or a fraction as "8960/1536". */
export const ratio = z.union([z.number().positive(), z.string().transform(fraction)])

function fraction(text: string, context: z.RefinementCtx): number {
  const [above, below = "1", ...more] = text.split("/")
  const value = Number(above) / Number(below)
  if (value > 0 && Number.isFinite(value) && more.length === 0) return value
  context.addIssue({ code: "custom", message: 'expected a positive number, or a fraction such as "8960/1536"' })
  return z.NEVER
}

export const dimensions = z.object({
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

export type PeConfig = z.infer<typeof dimensions>

export interface ImageTower {
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
export function imageTower(binder: WeightBinder, config: PeConfig, images: Tensor): ImageTower {
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
export function pooledOf(binder: WeightBinder, config: PeConfig, { tokens }: ImageTower): Tensor {
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
export function projected(binder: WeightBinder, config: PeConfig, pooled: Tensor): Tensor {
  if (!binder.has("proj")) return pooled
  if (config.embed_dim === undefined) {
    throw new FourtierError({ where: "embed_dim", what: "missing: the checkpoint projects into the joint space" })
  }
  return matmul(pooled, binder.weight("proj", [config.vision_width, config.embed_dim]))
}
