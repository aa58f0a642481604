/**
 * What V-JEPA 2 (Assran et al. 2025, arXiv 2506.09985) and 2.1 (arXiv 2603.14482) share. https://github.com/facebookresearch/vjepa2,
 * src/models/vision_transformer.py, app/vjepa_2_1/models/vision_transformer.py.
 *
 *   clip ─ tubelets ─ depth × ( x + attention(norm x), q and k turned by frame, row and column; x + mlp(norm x) )
 *
 * Frames of any height and width: positions are those of the input's own grid.
 */

import { add, concat, constant, FourtierError, gather, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { attendInHeads, headScale, linear, mlp, norm, packedProjection, TIMM_PACKED, toHeads } from "../blocks.ts"
import { activation, checkInput, count, type EncoderGraph, type Inputs, inputNamed, VIT_EPSILON } from "../graph.ts"
import { embedPatches, fromChannelsFirst, gridOf, patches } from "../patches.ts"
import { IMAGENET, type Preset, type TransformerSize } from "../presets.ts"
import { type RotaryStyle, rotate, rotationOf } from "../rotary.ts"
import type { WeightBinder } from "../weight-binder.ts"

/** A number, or a fraction in a text, as in `48/11`. */
const ratio = z.union([
  z.number().positive(),
  z.string().transform((text, context) => {
    const [over, under = 1] = text.split("/").map(Number)
    if (over / under > 0) return over / under
    context.addIssue({ code: "custom", message: "expected a number, or a fraction such as 48/11" })
    return z.NEVER
  }),
])

const rotaryStyle = z.string().transform((text, context): RotaryStyle => {
  if (/tiled/i.test(text)) return "tiled"
  if (/interleaved/i.test(text)) return "interleaved"
  context.addIssue({ code: "custom", message: "expected tiled or interleaved" })
  return z.NEVER
})

const level = z.int().nonnegative()

/** Keys of both networks. */
export const vjepaSizes = {
  /** The trained size and length: the input may have others. */
  img_size: z.union([count, z.tuple([count, count])]),
  num_frames: count,
  patch_size: count,
  tubelet_size: count,
  embed_dim: count,
  depth: count,
  num_heads: count,
  mlp_ratio: ratio.default(4),
  /** Hidden channels of the MLP; by default the ratio decides. */
  mlp_hidden: count.nullable().default(null),
  qkv_bias: z.boolean().default(true),
  activation: activation.default("gelu"),
  use_rope: z.literal(true, { error: "networks without rotary positions are not supported" }).default(true),
  rope_theta: z.number().positive().default(10_000),
  /** Rows and columns that positions are stretched to, where they are; null: patches of the trained size. */
  rope_reference_grid: count.nullable().default(null),
  /** Blocks whose normed outputs are an output of their own. */
  out_layers: z.array(level).min(1).nullable().default(null),
  /** Classes of the attentive probe; 0: there is none. */
  num_classes: z.int().nonnegative().default(0),
  probe_blocks: count.default(4),
  probe_heads: count.default(16),
  probe_mlp_ratio: ratio.default(4),
  probe_layer_norm_eps: z.number().positive().default(1e-5),
  /** Blocks whose tokens the probe reads, one after another; null: those of the last one. */
  probe_levels: z.array(level).min(1).nullable().default(null),
}

export const vjepaRope = (style: RotaryStyle, interpolate: boolean) => ({
  rope_style: rotaryStyle.default(style),
  interpolate_rope: z.boolean().default(interpolate),
})

const shared = z.object({ ...vjepaSizes, ...vjepaRope("tiled", false) })

/** Refuses levels that are no block of the network. */
export function checkLevels(
  { depth, out_layers, probe_levels }: Pick<z.infer<typeof shared>, "depth" | "out_layers" | "probe_levels">,
  context: z.RefinementCtx,
): void {
  for (const [key, levels] of Object.entries({ out_layers, probe_levels })) {
    if (levels === null || levels.every((one) => one < depth)) continue
    context.addIssue({ code: "custom", path: [key], message: `expected blocks 0 to ${depth - 1}` })
  }
}

/** Sizes of a network, whichever. */
export type VjepaConfig = z.infer<typeof shared> & { layer_norm_eps: number }

export const vjepaEpsilon = z.number().positive().default(VIT_EPSILON)

export const CLIP_AXES = "batch,3,time,height,width"

/** Tokens of a clip before the blocks, and the grid that they lie on. */
export interface Embedded {
  /** [B,T'·H'·W',C] */
  tokens: Tensor
  grid: { time: number; rows: number; columns: number }
}

/**
 * Cuts clips into tubelets and embeds them.
 *
 * @param clips [B,T,H,W,3], normalised
 * @param name of the tokenizer in the checkpoint
 * @param frames of a tubelet
 */
export function embedTubelets(
  binder: WeightBinder,
  { patch_size: p, embed_dim: width }: VjepaConfig,
  clips: Tensor,
  { name, frames: t }: { name: string; frames: number },
): Embedded {
  const [B, T, H, W] = clips.shape
  if (T < t) {
    throw new FourtierError({
      where: "frames",
      what: `a clip of ${T} ${T === 1 ? "frame" : "frames"} does not fill a tubelet of ${t}`,
      fix: "give a picture as a clip of equal frames",
    })
  }
  const grid = { time: Math.floor(T / t), rows: gridOf("height", H, p), columns: gridOf("width", W, p) }
  const pixels = reshape(patches(clips, [t, p, p]), [B, grid.time * grid.rows * grid.columns, t * p * p * 3])
  const tokens = embedPatches(binder, pixels, { name: `${name}.proj`, width, kernel: [t, p, p], bias: true })
  return { tokens, grid }
}

/** What the blocks make of the tokens. */
export interface Encoded {
  /** After each block, [B,L,C]. */
  states: Tensor[]
  /** Queries and keys of the first block as they meet, [B,heads,L,d], queries not scaled. */
  turned: { query: Tensor; key: Tensor }
  grid: Embedded["grid"]
}

/**
 * Runs the blocks.
 *
 * @param kept [B,K] i64: the tokens that are kept, which keep their positions; null: all
 */
export function encodeTokens(
  binder: WeightBinder,
  config: VjepaConfig,
  { tokens, grid }: Embedded,
  kept: Tensor | null = null,
): Encoded {
  const scale = headScale("num_heads", config.embed_dim, config.num_heads)
  const width = config.embed_dim / config.num_heads
  const positions = positionsOf(config, grid)
  const options = { style: config.rope_style, theta: config.rope_theta }
  const rotation = (factor?: number) => {
    const all = rotationOf(positions, width, options, factor)
    return kept ? { cos: factorsOf(all.cos, kept), sin: factorsOf(all.sin, kept) } : all
  }
  const [plain, scaled] = [rotation(), rotation(scale)]
  const states: Tensor[] = []
  let x = kept ? tokensOf(tokens, kept) : tokens
  let turned: Encoded["turned"] | null = null
  for (let i = 0; i < config.depth; i++) {
    const own = binder.in(`blocks.${i}`)
    const { q, k, v } = projections(own, config, norm(own, "norm1", x, config.layer_norm_eps))
    const key = rotate(k, plain)
    turned ??= { query: rotate(q, plain), key }
    x = add(x, linear(own, "attn.proj", attendInHeads(rotate(q, scaled), key, v), config.embed_dim))
    x = add(x, feedForward(own, config, norm(own, "norm2", x, config.layer_norm_eps)))
    states.push(x)
  }
  if (turned === null) throw new Error("internal error: a network without blocks")
  return { states, turned, grid }
}

/** q, k and v in heads, in one matrix in the official checkpoints and in three in Hugging Face's. */
function projections(binder: WeightBinder, { num_heads, qkv_bias }: VjepaConfig, x: Tensor) {
  const own = binder.in("attn")
  const packed = qkv_bias ? TIMM_PACKED : { ...TIMM_PACKED, bias: null }
  const project = (part: "q" | "k" | "v") =>
    own.has("qkv.weight") || !own.has(`${part}.weight`)
      ? packedProjection(own, x, part, packed)
      : linear(own, part, x, x.shape[2], { bias: qkv_bias })
  return {
    q: toHeads(project("q"), num_heads),
    k: toHeads(project("k"), num_heads),
    v: toHeads(project("v"), num_heads),
  }
}

function feedForward(binder: WeightBinder, { embed_dim, mlp_ratio, mlp_hidden, activation }: VjepaConfig, x: Tensor) {
  const hidden = mlp_hidden ?? Math.trunc(embed_dim * mlp_ratio)
  return mlp(binder, x, { names: ["mlp.fc1", "mlp.fc2"], hidden, activation })
}

/** Frame, row and column of every token; rows and columns stretched to the trained grid where that is so. */
function positionsOf(config: VjepaConfig, { time, rows, columns }: Embedded["grid"]): Float64Array[] {
  const stretch = config.interpolate_rope ? (length: number) => (gridSide(config) - 1) / (length - 1) : () => 1
  if (config.interpolate_rope && (rows === 1 || columns === 1)) {
    throw new FourtierError({
      where: "frames",
      what: "positions of a single row or column cannot be stretched to the trained grid",
      expected: `at least ${2 * config.patch_size}×${2 * config.patch_size} pixels`,
    })
  }
  const steps = [1, stretch(rows), stretch(columns)]
  const length = time * rows * columns
  const indices = (token: number) => [
    Math.floor(token / (rows * columns)),
    Math.floor(token / columns) % rows,
    token % columns,
  ]
  return steps.map((step, axis) => Float64Array.from({ length }, (_, token) => indices(token)[axis] * step))
}

/** Patches along a side of the pictures of training: 256 pixels in patches of 16, or 252 in patches of 14. */
function gridSide({ rope_reference_grid, patch_size }: VjepaConfig): number {
  const side = rope_reference_grid ?? { 14: 18, 16: 16 }[patch_size]
  if (side !== undefined) return side
  throw new FourtierError({
    where: "rope_reference_grid",
    what: `not known for patches of ${patch_size} pixels`,
    fix: "set it to the number of patches along a side of the pictures of training",
  })
}

/** Rows of the factors [L,d] at `kept` [B,K]: [B,1,K,d] */
function factorsOf(factors: Tensor, kept: Tensor): Tensor {
  const [B, K] = kept.shape
  return reshape(gather(factors, kept, 0), [B, 1, K, factors.shape[1]])
}

/** Tokens [B,L,C] at `kept` [B,K]: [B,K,C] */
function tokensOf(tokens: Tensor, kept: Tensor): Tensor {
  const [B, L, C] = tokens.shape
  checkInput("mask_indices", kept, [B, -1], "batch,token")
  const starts = constant(
    BigInt64Array.from({ length: B }, (_, b) => BigInt(b * L)),
    [B, 1],
    "i64",
  )
  return gather(reshape(tokens, [B * L, C]), add(kept, starts), 0)
}

/** Tokens [B,L,C] on their grid [B,T',H',W',C]. */
export function onGrid(tokens: Tensor, { time, rows, columns }: Embedded["grid"]): Tensor {
  const [B, , C] = tokens.shape
  return reshape(tokens, [B, time, rows, columns, C])
}

/** Outputs of several levels [B,T',H',W',C] as one: [B,levels,T',H',W',C] */
export function stackLevels(levels: readonly Tensor[]): Tensor {
  const open = levels.map((one) => reshape(one, [one.shape[0], 1, ...one.shape.slice(1)]))
  return concat(open, 1)
}

/** The clips of an input in channels-first order, where it is given. */
export function clipsOf(inputs: Inputs, name: string): Tensor | null {
  if (!inputs.has(name)) return null
  const clips = inputNamed(inputs, name, CLIP_AXES)
  checkInput(name, clips, [-1, 3, -1, -1, -1], CLIP_AXES)
  return fromChannelsFirst(clips)
}

/** Clips of another size or length, which give a map alone: `input_<name>`, `feature_map_<name>`. */
const OTHERS = ["nonsquare", "other"]

/** Names of the inputs of both networks, the needed one first. */
export const VJEPA_INPUTS = ["input", "mask_indices", ...OTHERS.map((name) => `input_${name}`)]

/**
 * Maps of the further clips that are given.
 *
 * @param mapOf the network's map [B,T',H',W',C] of clips [B,T,H,W,3]
 */
export function otherMaps(inputs: Inputs, mapOf: (clips: Tensor) => Tensor): EncoderGraph["outputs"] {
  const maps: EncoderGraph["outputs"] = {}
  for (const name of OTHERS) {
    const clips = clipsOf(inputs, `input_${name}`)
    if (clips) maps[`feature_map_${name}`] = mapOf(clips)
  }
  return maps
}

/** The input `mask_indices`, where it is given. */
export function maskOf(inputs: Inputs): Tensor | null {
  return inputs.has("mask_indices") ? inputNamed(inputs, "mask_indices", "batch,token", "i64") : null
}

/** Blocks by name. */
export function blocksByName(states: readonly Tensor[], prefix = ""): EncoderGraph["intermediates"] {
  return Object.fromEntries(states.map((state, i) => [`${prefix}block_${i}`, state]))
}

/** Official sizes: `heads` and the hidden width of the giant ones are their own. */
export const GIANT_22: TransformerSize = [1408, 40, 22]
export const GIGANTIC: TransformerSize = [1664, 48, 26]

export const vjepaPreset = (
  encoder: string,
  [embed_dim, depth, num_heads]: TransformerSize,
  resolution: number,
  mlp_ratio = 4,
): Preset => ({
  dimensions: { encoder, embed_dim, depth, num_heads, patch_size: 16, tubelet_size: 2, mlp_ratio },
  resolution,
  frames: 16,
  normalisation: IMAGENET,
})
