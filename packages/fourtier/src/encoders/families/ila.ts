/**
 * ILA (Tu et al. 2023): X-CLIP's layout with implicit temporal alignment in place of messages: pairs of neighbouring frames
 * predict a point each, and masks around the points pick what the frames share. https://github.com/Francis-Rings/ILA,
 * models/mat.py and align.py; branch SSV2 for the Something-Something version.
 *
 *   block: m = message_ln(message_fc(x)) ─ pairs (t,t+1) ─ convolutions ─┬─ points ─ masks · m ─ averaged by frame ─ aligned
 *                                                                        └─ halves averaged by frame ─ over time ─ interactive
 *          x + skip_align(aligned) + skip(interactive) ─ + attention(ln_1) ─ + mlp(ln_2)
 */

import {
  abs,
  add,
  clip,
  concat,
  constant,
  conv,
  div,
  matmul,
  max,
  mean,
  mul,
  narrow,
  pool,
  relu,
  reshape,
  sqrt,
  sub,
  sum,
  type Tensor,
  tanh,
  transpose,
} from "@fourtier/tensor"
import { z } from "zod"
import { type BlockOptions, clipBlock, linear, norm } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { count, type EncoderGraph, type Inputs, textIds } from "../graph.ts"
import { asImages, kernelMatrix, padAxis, squareMap, withoutClassToken } from "../patches.ts"
import type { SourceTensor, WeightBinder } from "../weight-binder.ts"
import { blockOptions, clipEmbedding, clipImageSizes, clipTextSizes } from "./clip.ts"
import {
  frameOutputs,
  frameStates,
  framesOf,
  integrateFrames,
  promptSizes,
  textsAlone,
  unusedByMap,
  type VideoTower,
  videoInput,
  videoOutputs,
  videoPresets,
  videoSizes,
  xclipName,
} from "./xclip.ts"

const alignment = {
  /** Frames of a clip: alignment needs a pair. */
  T: z.int().min(2),
  /** Channels of the alignment's convolutions; a half and a quarter of them follow. */
  alignment_hidden: z.int().multipleOf(8).positive().default(256),
  /** Average the masks of nine fixed offsets, as in training. */
  is_training_offsets: z.boolean().default(false),
  batch_norm_eps: z.number().positive().default(1e-5),
}

const ilaDimensions = z.object({
  encoder: z.literal("ila"),
  ...clipImageSizes.shape,
  ...clipTextSizes.shape,
  ...videoSizes,
  ...promptSizes,
  ...alignment,
})

const ssv2Dimensions = z.object({
  encoder: z.literal("ila_ssv2"),
  ...clipImageSizes.shape,
  ...videoSizes,
  ...alignment,
  num_classes: count,
})

type IlaConfig = z.infer<typeof ilaDimensions>
type IlaSsv2Config = z.infer<typeof ssv2Dimensions>
type TowerConfig = Omit<IlaSsv2Config, "encoder" | "num_classes"> & { encoder: "ila" | "ila_ssv2" }

/** Steps between the nine offsets of training, at their start. */
const OFFSET = 0.2
const OFFSETS = [
  [0, 0],
  [0, 1],
  [1, 0],
  [0, -1],
  [-1, 0],
  [1, 1],
  [-1, -1],
  [1, -1],
  [-1, 1],
].map(([x, y]) => [x * OFFSET, y * OFFSET])

interface ConvNorm {
  channels: number
  out: number
  kernel: number
  groups?: number
  epsilon: number
}

/** A convolution with its batch norm folded in, borders of zeros that keep the size. x [rows,C,H,W] */
function convNorm(
  binder: WeightBinder,
  x: Tensor,
  [name, normName]: readonly [string, string],
  options: ConvNorm,
): Tensor {
  const { channels, out, kernel, groups = 1, epsilon } = options
  const shape = [out, channels / groups, kernel, kernel]
  const statistic = (key: string): SourceTensor => ({ name: `${normName}.${key}`, shape: [out] })
  const scale = [statistic("weight"), statistic("running_var")]
  const factor = (gain: Float32Array, variance: Float32Array, o: number) => gain[o] / Math.sqrt(variance[o] + epsilon)
  const perOut = shape[1] * kernel * kernel
  const weight = binder.derive(
    `${name}.weight`,
    [{ name: `${name}.weight`, shape }, ...scale],
    shape,
    (w, gain, variance) => w.map((value, i) => value * factor(gain, variance, Math.floor(i / perOut))),
  )
  const bias = binder.derive(
    `${name}.bias`,
    [{ name: `${name}.bias`, shape: [out] }, ...scale, statistic("bias"), statistic("running_mean")],
    [out],
    (b, gain, variance, shift, mu) => b.map((value, o) => (value - mu[o]) * factor(gain, variance, o) + shift[o]),
  )
  const border: [number, number] = [(kernel - 1) / 2, (kernel - 1) / 2]
  return conv(x, weight, bias, { groups, pads: [border, border] })
}

/** PyTorch's `nn.Conv1d` of kernel 1 in two groups, on vectors: [..,in] -> [..,out] */
function groupedLinear(binder: WeightBinder, name: string, x: Tensor, out: number): Tensor {
  const width = x.shape[x.rank - 1]
  const [rows, columns] = [width / 2, out / 2]
  const weight = binder.derive(
    `${name}.weight`,
    [{ name: `${name}.weight`, shape: [out, rows, 1] }],
    [width, out],
    (w) => {
      const full = new Float32Array(width * out)
      for (let o = 0; o < out; o++) {
        const first = Math.floor(o / columns) * rows
        for (let i = 0; i < rows; i++) full[(first + i) * out + o] = w[o * rows + i]
      }
      return full
    },
  )
  return add(matmul(x, weight), binder.weight(`${name}.bias`, [out]))
}

/** What two neighbouring frames have in common. pairs [B·(T−1),2D,G,G] -> [B·(T−1),hidden,G,G] */
function interact(
  binder: WeightBinder,
  pairs: Tensor,
  { encoder, alignment_hidden: hidden, batch_norm_eps: epsilon }: TowerConfig,
) {
  const channels = pairs.shape[1]
  const block = binder.in("interactive_block")
  const inner = { channels: hidden, out: hidden, kernel: 3, epsilon }
  if (encoder === "ila_ssv2") {
    const first = relu(convNorm(block, pairs, ["0", "1"], { channels, out: hidden, kernel: 3, epsilon }))
    return relu(convNorm(block, first, ["3", "4"], inner))
  }
  const depthwise = { channels, out: channels, kernel: 3, groups: channels, epsilon }
  const spread = relu(convNorm(block.in("0.depthwise_conv"), pairs, ["0", "1"], depthwise))
  const mixed = relu(
    convNorm(block.in("0.pointwise_conv"), spread, ["0", "1"], { channels, out: hidden, kernel: 1, epsilon }),
  )
  return relu(convNorm(block, mixed, ["1", "2"], inner))
}

/** Points (x,y) of the earlier and of the later frame of each pair: [B·(T−1),4], within ±0.75 */
function predictPoints(
  binder: WeightBinder,
  features: Tensor,
  { alignment_hidden, batch_norm_eps: epsilon }: TowerConfig,
): Tensor {
  const block = binder.in("prediction_block")
  const half = alignment_hidden / 2
  const first = convNorm(block, features, ["0", "1"], { channels: alignment_hidden, out: half, kernel: 3, epsilon })
  const second = convNorm(block, relu(pool(first, "max", [2, 2])), ["4", "5"], {
    channels: half,
    out: half,
    kernel: 3,
    epsilon,
  })
  const strongest = max(relu(pool(second, "max", [2, 2])), [2, 3]) // [B·(T−1),half]
  const inner = relu(groupedLinear(block, "10", strongest, half / 2))
  return mul(tanh(groupedLinear(block, "12", inner, 4)), 0.75)
}

/** Weights of a grid around points [rows,2], x along columns: [rows,G·G,1], 1 within 0.25, then falling to 0. */
function maskAround(points: Tensor, grid: number, offsets: readonly (readonly number[])[]): Tensor {
  const [rows] = points.shape
  const places = constant(
    Float32Array.from({ length: grid }, (_, i) => (i / (grid - 1)) * 2 - 1),
    [1, grid],
  )
  const along = (axis: number, offset: number) => {
    const distance = abs(sub(places, add(narrow(points, 1, axis, axis + 1), offset)))
    return clip(sub(1, mul(sub(distance, 0.25), 1.5)), 0, 1) // [rows,G]
  }
  const masks = offsets.map(([x, y]) =>
    mul(reshape(along(1, y), [rows, grid, 1]), reshape(along(0, x), [rows, 1, grid])),
  )
  return reshape(mul(masks.reduce(add), 1 / masks.length), [rows, grid * grid, 1])
}

/** One version of each frame from its roles in two pairs: earlier and later [B,T−1,..] -> [B,T,..] */
function byFrame(earlier: Tensor, later: Tensor): Tensor {
  const pairs = earlier.shape[1]
  const first = narrow(earlier, 1, 0, 1)
  const last = narrow(later, 1, pairs - 1, pairs)
  if (pairs === 1) return concat([first, last], 1)
  const between = mul(add(narrow(earlier, 1, 1, pairs), narrow(later, 1, 0, pairs - 1)), 0.5)
  return concat([first, between, last], 1)
}

interface Aligned {
  /** [B,T−1,4] */
  points: Tensor
  /** [B,T,1+N,D] */
  frames: Tensor
  /** [B,T,1+N,D] */
  interactive: Tensor
}

/** @param m [B,T,1+N,D] */
function align(binder: WeightBinder, m: Tensor, config: TowerConfig): Aligned {
  const [B, T, length, width] = m.shape
  const [N, half] = [length - 1, config.alignment_hidden / 2]
  const grid = Math.round(Math.sqrt(N))
  const classTokens = narrow(m, 2, 0, 1)
  const patchTokens = narrow(m, 2, 1, length)
  const earlier = narrow(patchTokens, 1, 0, T - 1)
  const later = narrow(patchTokens, 1, 1, T)
  const joined = reshape(concat([earlier, later], 3), [B * (T - 1), grid, grid, 2 * width])
  const features = interact(binder, transpose(joined, [0, 3, 1, 2]), config)
  const points = predictPoints(binder, features, config)

  const offsets = config.is_training_offsets ? OFFSETS : [[0, 0]]
  const masked = (x: Tensor, first: number) => {
    const mask = maskAround(narrow(points, 1, first, first + 2), grid, offsets)
    return mul(x, reshape(mask, [B, T - 1, N, 1]))
  }
  const frames = concat([classTokens, byFrame(masked(earlier, 0), masked(later, 2))], 2)

  const tokens = transpose(reshape(features, [B, T - 1, 2 * half, N]), [0, 1, 3, 2]) // [B,T−1,N,hidden]
  const shared = byFrame(narrow(tokens, 3, 0, half), narrow(tokens, 3, half, 2 * half)) // [B,T,N,half]
  const interactive = concat([classTokens, linear(binder, "fc", overTime(binder, shared), width)], 2)
  return { points: reshape(points, [B, T - 1, 4]), frames, interactive }
}

/** `nn.Conv3d` of kernel (3,1,1), zeros around, on [B,T,N,C]. */
function overTime(binder: WeightBinder, x: Tensor): Tensor {
  const [, T, , width] = x.shape
  const padded = padAxis(x, 1, 1, 1)
  const taps = concat(
    [0, 1, 2].map((tap) => narrow(padded, 1, tap, tap + T)),
    3,
  )
  const shape = [width, width, 3, 1, 1]
  const weight = binder.derive("conv.weight", [{ name: "conv.weight", shape }], [3 * width, width], (values) =>
    kernelMatrix(values, width, width),
  )
  return add(matmul(taps, weight), binder.weight("conv.bias", [width]))
}

/** A block with alignment. x [B·T,1+N,D] */
function alignBlock(
  binder: WeightBinder,
  x: Tensor,
  config: TowerConfig,
  options: BlockOptions,
): { x: Tensor; aligned: Aligned } {
  const [rows, length, width] = x.shape
  const sent = norm(binder, "message_ln", linear(binder, "message_fc", x, width), options.epsilon)
  const m = reshape(sent, [rows / config.T, config.T, length, width])
  const aligned = align(binder.in("message_attn"), m, config)
  const skip = (name: string, tokens: Tensor) => linear(binder, name, reshape(tokens, x.shape), width)
  const joined = add(
    add(x, skip("temporal_skip_align_fc", aligned.frames)),
    skip("temporal_skip_fc", aligned.interactive),
  )
  return { x: clipBlock(binder, joined, options), aligned }
}

/** @param frames [B·T,1,H,W,3], normalised */
function ilaTower(binder: WeightBinder, config: TowerConfig, frames: Tensor): VideoTower {
  const options = blockOptions(config.vision_heads, config)
  let x = clipEmbedding(binder, config, frames, "bicubic")
  const hiddenStates = [x]
  const inside: Record<string, Tensor> = {}
  for (let i = 0; i < config.vision_layers; i++) {
    const block = alignBlock(binder.in(`transformer.resblocks.${i}`), x, config, options)
    x = block.x
    hiddenStates.push(x)
    inside[`align_points_${i}`] = block.aligned.points
    inside[`aligned_frame_${i}`] = block.aligned.frames
    inside[`interactive_feature_${i}`] = block.aligned.interactive
  }
  return { hiddenStates, inside }
}

function ilaGraph(binder: WeightBinder, config: IlaConfig | IlaSsv2Config, inputs: Inputs): EncoderGraph {
  const texts = config.encoder === "ila" ? textsAlone(binder, config, inputs) : null
  if (texts) return texts
  const { hiddenStates, inside } = ilaTower(binder.in("visual"), config, framesOf(videoInput(inputs, config)))
  const last = hiddenStates[hiddenStates.length - 1]
  const outputs =
    config.encoder === "ila" ? videoOutputs(binder, config, last, textIds(inputs)) : classified(binder, config, last)
  return { outputs, intermediates: { ...frameStates(hiddenStates, config.T), ...inside } }
}

/** The Something-Something version's end: mean over time, length 1, LayerNorm, head. */
function classified(binder: WeightBinder, config: IlaSsv2Config, last: Tensor): EncoderGraph["outputs"] {
  const outputs: EncoderGraph["outputs"] = { ...frameOutputs(binder.in("visual"), last, config) }
  const mit = binder.in("mit")
  const video = mean(integrateFrames(mit, outputs.frame_class_embeddings, config), 1)
  outputs.video_embedding_normalised = div(video, sqrt(sum(mul(video, video), -1, true)))
  if (mit.has("classify_head.2.weight")) {
    const normed = norm(mit, "classify_head.0", outputs.video_embedding_normalised, config.layer_norm_eps)
    outputs.logits = linear(mit, "classify_head.2", normed, config.num_classes)
  }
  return outputs
}

export const ila = defineFamily({
  dimensions: z.discriminatedUnion("encoder", [ilaDimensions, ssv2Dimensions]),
  inputs: ({ encoder }) => (encoder === "ila" ? ["input", "text_tokens"] : ["input"]),
  parameterName: xclipName,
  graph: ilaGraph,
  visual: {
    kind: "ila",
    models: videoPresets("ila"),
    defaultModel: "B/16",
    clipKeys: { resolution: "image_resolution", frames: "T" },
    unused: unusedByMap,
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const { hiddenStates } = ilaTower(binder.in("visual"), config, asImages(clips))
      return squareMap(withoutClassToken(hiddenStates[hiddenStates.length - 1]), B, T)
    },
  },
})
