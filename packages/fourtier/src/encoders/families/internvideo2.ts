/**
 * InternVideo2 (Wang et al. 2024): the video tower of 1B and of the S, B and L distilled from it.
 * https://github.com/OpenGVLab/InternVideo, InternVideo2/single_modality/models/internvideo2.py; position tables as in
 * run_finetuning.py.
 *
 *   clip ─ tubelets ─ class token, + positions ─ depth × block ─┬─ feature_map [B,T',N,D]
 *                                                               └─ attention pool ─ pooled ─ fc_norm ─ head ─ logits
 */

import { add, concat, div, mean, mul, narrow, pow, reshape, sqrt, type Tensor } from "@fourtier/tensor"
import { rearrange } from "@fourtier/tensor/nn"
import { z } from "zod"
import {
  type Activation,
  attend,
  headScale,
  linear,
  mlp,
  norm,
  type Packed,
  packedProjection,
  project,
  transposed,
} from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { activation, checkInput, count, type EncoderGraph, type Inputs, inputNamed, RESIZE_FIX } from "../graph.ts"
import {
  embedPatches,
  fromChannelsFirst,
  gridOf,
  patches,
  prefixToken,
  squareMap,
  withoutClassToken,
} from "../patches.ts"
import { clipTable } from "../positions.ts"
import { BASE, GIANT, IMAGENET, LARGE, type Preset, SMALL, type TransformerSize } from "../presets.ts"
import type { SourceTensor, WeightBinder } from "../weight-binder.ts"

/** A number, or a fraction as in `48/11`. */
const ratio = z.union([
  z.number().positive(),
  z
    .string()
    .regex(/^\s*\d+(?:\.\d+)?(?:\s*\/\s*\d+(?:\.\d+)?)?\s*$/, "expected a number, or a fraction as in 48/11")
    .transform((text) => text.split("/").map(Number))
    .transform(([above, below = 1]) => above / below)
    .pipe(z.number().positive()),
])

/** Yes or no, or in words: how it is done, or `none`. */
const present = z.union([
  z.boolean(),
  z.string().transform((text) => !/^(?:none|no|off|false)?$/i.test(text.trim())),
  z.null().transform(() => false),
])

const dimensions = z.object({
  encoder: z.literal("internvideo2"),
  img_size: count,
  patch_size: count,
  num_frames: count,
  tubelet_size: count.default(1),
  embed_dim: count,
  depth: count,
  num_heads: count,
  /** Hidden channels of the MLP over its width. */
  mlp_ratio: ratio.default(4),
  /** The hidden channels themselves, where they are given. */
  mlp_hidden: count.nullable().default(null),
  qkv_bias: z.boolean().default(false),
  /** RMS norm of q and k over all heads together; by default where the checkpoint has it. */
  qk_normalization: present.optional(),
  /** LayerScale; by default where the checkpoint has it. */
  layer_scale: present.optional(),
  block_norm: z.string().regex(/^rms/i, "expected RMSNorm").default("RMSNorm"),
  rms_norm_eps: z.number().positive().default(1e-6),
  attn_pool_num_heads: count.default(16),
  /** Channels of the pooled vector. */
  clip_embed_dim: count.default(768),
  pool_layer_norm_eps: z.number().positive().default(1e-5),
  fc_norm_eps: z.number().positive().default(1e-5),
  /** 0: no head. */
  num_classes: z.int().nonnegative().default(0),
  /** Frames of the checkpoint's position table. */
  checkpoint_frames: count.default(8),
  activation: activation.default("gelu_tanh"),
})

type InternVideo2Config = z.infer<typeof dimensions>

/** Checkpoints of distillation have decoders beside the tower. */
function internVideo2Name(key: string): string | null {
  if (/^(?:clip_decoder|final_clip_decoder|mae_decoder)\.|^(?:clip|clip_img|mae)_pos_embed$/.test(key)) return null
  return key.replace(/^(?:backbone|encoder)\./, "")
}

/** x/√(mean x² + ε) times a weight, over the last axis (Zhang & Sennrich 2019). */
function rmsNorm(binder: WeightBinder, name: string, x: Tensor, epsilon: number): Tensor {
  const length = sqrt(add(mean(pow(x, 2), -1, true), epsilon))
  return mul(div(x, length), binder.weight(`${name}.weight`, [x.shape[x.rank - 1]]))
}

interface Attention {
  /** [B,L,C] */
  result: Tensor
  /** q and k by name as they meet, before the scale: [B,heads,L,C/heads]. */
  normed: Record<string, Tensor>
}

interface BlockOptions {
  activation: Activation
  /** Whether q and k are normed, and whether the blocks have LayerScale. */
  qkNorm: boolean
  layerScale: boolean
}

/** @param binder the block */
function attention(
  binder: WeightBinder,
  config: InternVideo2Config,
  x: Tensor,
  { qkNorm, layerScale }: BlockOptions,
): Attention {
  const { num_heads: heads, qkv_bias, rms_norm_eps: epsilon } = config
  const packed: Packed = { weight: "attn.qkv.weight", bias: qkv_bias ? "attn.qkv.bias" : null }
  const width = x.shape[2]
  const scale = headScale(binder.path(packed.weight), width, heads)
  const part = (label: "q" | "k") => {
    const projected = packedProjection(binder, x, label, packed)
    return qkNorm ? rmsNorm(binder, `attn.${label}_norm`, projected, epsilon) : projected
  }
  const [query, key] = [part("q"), part("k")]
  const mixed = attend(mul(query, scale), key, packedProjection(binder, x, "v", packed), heads)
  const split = (tensor: Tensor) => rearrange(tensor, "b l (h d) -> b h l d", { h: heads })
  return {
    result: linear(binder, "attn.proj", mixed, width, layerScale ? { layerScale: "ls1.gamma" } : {}),
    normed: qkNorm ? { query_normed: split(query), key_normed: split(key) } : {},
  }
}

function block(binder: WeightBinder, config: InternVideo2Config, x: Tensor, options: BlockOptions) {
  const { rms_norm_eps: epsilon, embed_dim: width, mlp_ratio, mlp_hidden } = config
  const { result, normed } = attention(binder, config, rmsNorm(binder, "norm1", x, epsilon), options)
  const attended = add(x, result)
  const names = ["mlp.fc1", "mlp.fc2"] as const
  const hidden = mlp_hidden ?? Math.trunc(width * mlp_ratio)
  const { activation, layerScale: isScaled } = options
  const layerScale = isScaled ? "ls2.gamma" : undefined
  const inner = rmsNorm(binder, "norm2", attended, epsilon)
  return { normed, out: add(attended, mlp(binder, inner, { names, hidden, activation, layerScale })) }
}

interface Tower {
  /** Patches alone, before the positions: [B,T'·N,D] */
  embedded: Tensor
  /** Class token first: [1,1+T'·N,D] */
  positions: Tensor
  /** After the positions and after each block: [B,1+T'·N,D] */
  hiddenStates: Tensor[]
  /** q and k of each block. */
  normed: Record<string, Tensor>[]
  /** T', the grid's side */
  time: number
  grid: number
}

/**
 * @param clips [B,T,H,H,3], normalised
 * @param label of the position table, which differs between sizes of clips
 */
function internVideo2Tower(
  binder: WeightBinder,
  config: InternVideo2Config,
  clips: Tensor,
  label = "pos_embed",
  activation: Activation = config.activation,
): Tower {
  const { img_size, num_frames, patch_size: p, tubelet_size: t, embed_dim: width, checkpoint_frames } = config
  const [B, T, H] = clips.shape
  const [time, grid] = [gridOf("num_frames", T, t), gridOf("img_size", H, p)]
  const length = time * grid * grid
  const pixels = reshape(patches(clips, [t, p, p]), [B, length, t * p * p * 3])
  const embedded = embedPatches(binder, pixels, { name: "patch_embed.proj", width, kernel: [t, p, p], bias: true })
  const configured = { time: gridOf("num_frames", num_frames, t), side: gridOf("img_size", img_size, p) }
  const steps = [checkpoint_frames, checkpoint_frames / t]
  const shape = [1, 1 + length, width]
  const adapt = clipTable({ extra: 1, time, side: grid, width, steps, configured })
  const positions = binder.derive(label, [{ name: "pos_embed", shape, adapt }], shape, (values) => values)
  const token = prefixToken(binder.weight("cls_token", [1, 1, width]), B)
  const hiddenStates = [add(concat([token, embedded], 1), positions)]
  const normed: Tower["normed"] = []
  const options: BlockOptions = {
    activation,
    qkNorm: config.qk_normalization ?? binder.has("blocks.0.attn.q_norm.weight"),
    layerScale: config.layer_scale ?? binder.has("blocks.0.ls1.gamma"),
  }
  for (let i = 0; i < config.depth; i++) {
    const next = block(binder.in(`blocks.${i}`), config, hiddenStates[i], options)
    hiddenStates.push(next.out)
    normed.push(next.normed)
  }
  return { embedded, positions, hiddenStates, normed, time, grid }
}

const lastOf = ({ hiddenStates }: Tower) => hiddenStates[hiddenStates.length - 1]

/** One query, the mean of all tokens, asks all tokens [B,L,D]; each of q, k and v has its own norm. -> [B,E] */
function attentionPool(binder: WeightBinder, config: InternVideo2Config, tokens: Tensor): Tensor {
  const { attn_pool_num_heads: heads, clip_embed_dim, pool_layer_norm_eps: epsilon } = config
  const [B, , width] = tokens.shape
  const part = (label: "q" | "k" | "v", x: Tensor) => {
    const product = linear(binder, `cross_attn.${label}`, norm(binder, `norm1_${label}`, x, epsilon), width, {
      bias: false,
    })
    return add(product, binder.weight(`cross_attn.${label}_bias`, [width]))
  }
  const scale = headScale(binder.path("cross_attn"), width, heads)
  const query = mul(part("q", mean(tokens, 1, true)), scale)
  const pooled = attend(query, part("k", tokens), part("v", tokens), heads)
  return reshape(linear(binder, "cross_attn.proj", pooled, clip_embed_dim), [B, clip_embed_dim])
}

/** Classes of Kinetics-710, which begin with those of Kinetics-400. */
const [K710, K400] = [710, 400]

/** A head of Kinetics-710 serves Kinetics-400 with its first rows, as in run_finetuning.py. */
function rowsOfHead(classes: number, inner: readonly number[]): SourceTensor["adapt"] {
  return {
    fits: (found) => classes === K400 && String(found) === String([K710, ...inner]),
    make: (values) => values.slice(0, (values.length / K710) * K400),
  }
}

function headOf(binder: WeightBinder, x: Tensor, classes: number): Tensor {
  const width = x.shape[1]
  const rows = { name: "head.weight", shape: [classes, width], adapt: rowsOfHead(classes, [width]) }
  const weight = binder.derive("head.weight", [rows], [width, classes], (v) => transposed(v, classes, width))
  return add(project(x, weight), binder.weight("head.bias", [classes], rowsOfHead(classes, [])))
}

interface Pooled {
  pooled?: Tensor
  pooled_normed?: Tensor
  logits?: Tensor
}

/** What follows the tower, as far as the checkpoint has it. */
function pooledOf(binder: WeightBinder, config: InternVideo2Config, tokens: Tensor): Pooled {
  if (config.num_classes === 0) binder.skip((name) => name.startsWith("head."))
  if (!binder.has("clip_projector.norm1_q.weight")) return {}
  const pooled = attentionPool(binder.in("clip_projector"), config, tokens)
  if (!binder.has("fc_norm.weight")) return { pooled }
  const pooled_normed = norm(binder, "fc_norm", pooled, config.fc_norm_eps)
  if (config.num_classes === 0 || !binder.has("head.weight")) return { pooled, pooled_normed }
  return { pooled, pooled_normed, logits: headOf(binder, pooled_normed, config.num_classes) }
}

const AXES = "batch,3,time,height,width"

function internVideo2Graph(binder: WeightBinder, config: InternVideo2Config, inputs: Inputs): EncoderGraph {
  const graph: EncoderGraph = { outputs: {}, intermediates: {} }
  if (inputs.has("input") || !inputs.has("input_other")) configuredSize(binder, config, inputs, graph)
  if (inputs.has("input_other")) otherSize(binder, config, inputs, graph)
  return graph
}

/** Adds what is computed from clips of the configuration's size. */
function configuredSize(binder: WeightBinder, config: InternVideo2Config, inputs: Inputs, graph: EncoderGraph): void {
  const given = inputNamed(inputs, "input", AXES)
  checkInput("input", given, [-1, 3, config.num_frames, config.img_size, config.img_size], AXES, RESIZE_FIX)
  const clips = fromChannelsFirst(given)
  const tower = internVideo2Tower(binder, config, clips)
  const tokens = lastOf(tower)
  const [B, , width] = tokens.shape
  graph.outputs.feature_map = squareMap(withoutClassToken(tokens), B, tower.time)
  graph.outputs.class_token = reshape(narrow(tokens, 1, 0, 1), [B, width])
  Object.assign(graph.outputs, pooledOf(binder, config, tokens))
  if (graph.outputs.logits && config.activation === "gelu_tanh") {
    const exact = lastOf(internVideo2Tower(binder, config, clips, "pos_embed", "gelu"))
    const { logits } = pooledOf(binder, config, exact)
    if (logits) graph.outputs.logits_exact_gelu = logits
  }
  graph.intermediates.patch_embedding = tower.embedded
  for (const [i, state] of tower.hiddenStates.entries()) {
    graph.intermediates[i === 0 ? "after_position" : `block_${i - 1}`] = state
  }
  for (const [i, normed] of tower.normed.entries()) {
    for (const [name, tensor] of Object.entries(normed)) graph.intermediates[`block_${i}_${name}`] = tensor
  }
}

/** Adds what is computed from clips of any other size, for which the position table is resized. */
function otherSize(binder: WeightBinder, config: InternVideo2Config, inputs: Inputs, graph: EncoderGraph): void {
  const given = inputNamed(inputs, "input_other", AXES)
  const height = given.shape[3]
  checkInput("input_other", given, [-1, 3, -1, height, height], AXES, "frames have to be square")
  const tower = internVideo2Tower(binder, config, fromChannelsFirst(given), "pos_embed_other")
  const tokens = lastOf(tower)
  graph.outputs.position_interpolated = tower.positions
  graph.outputs.feature_map_other = squareMap(withoutClassToken(tokens), tokens.shape[0], tower.time)
  const { logits } = pooledOf(binder, config, tokens)
  if (logits) graph.outputs.logits_other = logits
}

const preset = ([embed_dim, depth, num_heads]: TransformerSize, mlp_ratio = 4): Preset => ({
  dimensions: { encoder: "internvideo2", embed_dim, depth, num_heads, mlp_ratio, patch_size: 14, num_classes: 0 },
  resolution: 224,
  frames: 8,
  normalisation: IMAGENET,
})

export const internvideo2 = defineFamily({
  dimensions,
  inputs: () => ["input", "input_other"],
  parameterName: internVideo2Name,
  graph: internVideo2Graph,
  visual: {
    kind: "internvideo2",
    models: {
      "S/14": preset(SMALL),
      "B/14": preset(BASE),
      "L/14": preset(LARGE),
      "1B/14": preset(GIANT, 48 / 11),
    },
    defaultModel: "B/14",
    clipKeys: { resolution: "img_size", frames: "num_frames" },
    unused: (name) => /^(?:clip_projector|fc_norm|head)\./.test(name),
    featureMap(binder, config, clips) {
      const tower = internVideo2Tower(binder, config, clips)
      return squareMap(withoutClassToken(lastOf(tower)), clips.shape[0], tower.time)
    },
  },
})
