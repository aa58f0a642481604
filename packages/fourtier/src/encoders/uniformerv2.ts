/**
 * UniFormerV2 (Li et al. 2022): CLIP's image tower over frames, with local relations over time inside the blocks and a query
 * that gathers a video token from several depths. https://github.com/OpenGVLab/UniFormerV2, uniformerv2_model.py.
 *
 *   clip ─ patches (stride 2 over time, where set) ─ class token, positions, ln_pre ─ [B·T',1+N,D]
 *   block: x + LMHRA(patches) ─ + attention(ln_1) ─ + LMHRA(patches) ─ + mlp(ln_2)        LMHRA: over time, places apart
 *          │ blocks of return_list
 *          └─ + depthwise 3×3×3 (dpe) ─ keys and values of all frames ─ global block ─ video token
 *   pooled = (1−σ(balance))·video token + σ(balance)·mean of class tokens ─ LayerNorm ─ head ─ logits
 *
 * The one query of a global block meets keys and values before their projections, since (q·W_k)·y = q·(W_k·y): the
 * projections of all T'·(1+N) tokens are never computed.
 */

import {
  add,
  concat,
  conv,
  expand,
  FourtierError,
  matmul,
  mean,
  mul,
  narrow,
  reshape,
  sigmoid,
  slice,
  softmax,
  sub,
  type Tensor,
  transpose,
} from "@fourtier/tensor"
import { z } from "zod"
import {
  clipMlp,
  embedPatches,
  fromChannelsFirst,
  gridOf,
  headScale,
  linear,
  mlp,
  norm,
  PYTORCH_PACKED,
  packedProjection,
  padAxis,
  patches,
  project,
  selfAttention,
  transposed,
} from "./blocks.ts"
import { clipTokens } from "./clip.ts"
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
import type { Net } from "./weight-binder.ts"

export const uniformerv2Schema = z
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

export type Uniformerv2Config = z.infer<typeof uniformerv2Schema>

/** Official names by the file's: `backbone.` is dropped. */
export function uniformerv2Name(key: string): string | null {
  return key.endsWith("num_batches_tracked") ? null : key.replace(/^backbone\./, "")
}

/** T', frames of the map. */
export function uniformerv2Time({ t_size, temporal_downsample }: Uniformerv2Config): number {
  return temporal_downsample ? Math.floor(t_size / 2) : t_size
}

/** Patches of clips [B,T,H,W,3] as [B,T',N,D]. */
function embedClips(net: Net, config: Uniformerv2Config, clips: Tensor): Tensor {
  const { patch_size: p, width, kernel_size: k, temporal_downsample } = config
  const options = { name: "conv1", width, bias: false }
  const cut = patches(clips, [1, p, p]) // [B,T,N,p·p·3]
  if (!temporal_downsample) return embedPatches(net, cut, { ...options, kernel: [1, p, p] })
  const [B, T, N, values] = cut.shape
  const border = Math.floor((k - 1) / 2)
  const time = uniformerv2Time(config)
  if (Math.floor((T + 2 * border - k) / 2) + 1 !== time) {
    throw new FourtierError({
      where: "t_size",
      what: "time cannot be halved",
      expected: "an even number",
      found: `${T}`,
    })
  }
  const padded = padAxis(cut, 1, border, border)
  // frame i of every patch: i, i+2, i+4, ...
  const taps = Array.from({ length: k }, (_, i) =>
    slice(padded, [0, i, 0, 0], [B, i + 2 * (time - 1) + 1, N, values], [1, 2, 1, 1]),
  )
  return embedPatches(net, concat(taps, 3), { ...options, kernel: [k, p, p] })
}

/**
 * Local relations over time: batch norm, 1×1×1, depthwise over three frames, 1×1×1. The norm is folded into the first
 * convolution; frames outside the clip are zeros after it.
 *
 * @param x [B,T,N,D]
 */
function localRelations(net: Net, x: Tensor, { dw_reduction, batch_norm_eps }: Uniformerv2Config): Tensor {
  const [B, T, N, width] = x.shape
  const inner = Math.trunc(Math.floor(width / dw_reduction))
  const statistics = ["weight", "bias", "running_mean", "running_var"].map((name) => ({
    name: `0.${name}`,
    shape: [width],
  }))
  const first = [
    { name: "1.weight", shape: [inner, width, 1, 1, 1] },
    { name: "1.bias", shape: [inner] },
  ]
  const scaleOf = (scale: Float32Array, variance: Float32Array) =>
    scale.map((value, i) => value / Math.sqrt(variance[i] + batch_norm_eps))
  const reduce = net.derive(
    "reduce.weight",
    [first[0], ...statistics],
    [width, inner],
    (weight, scale, _bias, _mean, variance) => {
      const factors = scaleOf(scale, variance)
      const result = transposed(weight, inner, width)
      return result.map((value, i) => value * factors[Math.floor(i / inner)])
    },
  )
  const reduceBias = net.derive(
    "reduce.bias",
    [first[1], first[0], ...statistics],
    [inner],
    (bias, weight, scale, shift, mu, variance) => {
      const factors = scaleOf(scale, variance)
      return bias.map((value, r) =>
        factors.reduce((sum, factor, c) => sum + weight[r * width + c] * (shift[c] - mu[c] * factor), value),
      )
    },
  )
  const reduced = add(project(x, reduce), reduceBias) // [B,T,N,inner]
  const kernel = net.derive("depthwise.weight", [{ name: "2.weight", shape: [inner, 1, 3, 1, 1] }], [3, inner], (w) =>
    transposed(w, inner, 3),
  )
  const padded = padAxis(reduced, 1, 1, 1)
  const mixed = [0, 1, 2]
    .map((tap) =>
      mul(slice(padded, [0, tap, 0, 0], [B, tap + T, N, inner]), reshape(narrow(kernel, 0, tap, tap + 1), [inner])),
    )
    .reduce(add)
  const last = { name: "3.weight", shape: [width, inner, 1, 1, 1] }
  const expandWeight = net.derive("expand.weight", [last], [inner, width], (weight) => transposed(weight, width, inner))
  const expandBias = net.derive(
    "expand.bias",
    [{ name: "3.bias", shape: [width] }, last, { name: "2.bias", shape: [inner] }],
    [width],
    (bias, weight, depthwiseBias) =>
      bias.map((value, c) => depthwiseBias.reduce((sum, shift, r) => sum + weight[c * inner + r] * shift, value)),
  )
  return add(project(mixed, expandWeight), expandBias)
}

/** x + local relations of its patches. x [B·T,1+N,D] */
function withLocalRelations(net: Net, x: Tensor, time: number, config: Uniformerv2Config): Tensor {
  const [rows, length, width] = x.shape
  const patchTokens = narrow(x, 1, 1, length)
  const clips = reshape(patchTokens, [rows / time, time, length - 1, width])
  const local = reshape(localRelations(net.in("pos_embed"), clips, config), patchTokens.shape)
  return concat([narrow(x, 1, 0, 1), add(patchTokens, local)], 1)
}

function block(net: Net, x: Tensor, time: number, config: Uniformerv2Config): Tensor {
  const { heads, no_lmhra, double_lmhra, activation, layer_norm_eps: epsilon } = config
  const before = no_lmhra ? x : withLocalRelations(net.in("lmhra1"), x, time, config)
  const attended = add(before, selfAttention(net.in("attn"), norm(net, "ln_1", before, epsilon), { heads }))
  const after = no_lmhra || !double_lmhra ? attended : withLocalRelations(net.in("lmhra2"), attended, time, config)
  return clipMlp(net, after, { activation, epsilon })
}

/** Depthwise 3×3×3 over patches [B,T,H,W,D], zeros around. */
function dynamicPositions(net: Net, name: string, x: Tensor): Tensor {
  const width = x.shape[4]
  const weight = net.weight(`${name}.weight`, [width, 1, 3, 3, 3])
  const bias = net.weight(`${name}.bias`, [width])
  const pads: [number, number][] = [1, 2, 3].map(() => [1, 1])
  const mixed = conv(transpose(x, [0, 4, 1, 2, 3]), weight, bias, { groups: width, pads })
  return transpose(mixed, [0, 2, 3, 4, 1])
}

/**
 * A global block: the video token [B,1,D] attends to all tokens of all frames.
 *
 * @param tokens [B,T·(1+N),D]
 */
function globalBlock(net: Net, token: Tensor, tokens: Tensor, config: Uniformerv2Config): Tensor {
  const { n_head: heads, mlp_factor, activation, layer_norm_eps: epsilon } = config
  const [B, , width] = token.shape
  const perHead = width / heads
  const scale = headScale("n_dim", width, heads)
  const attention = net.in("attn")
  const packed = { name: PYTORCH_PACKED.weight, shape: [3 * width, width] }
  const keys = attention.derive("k.weight", [packed], [heads, perHead, width], (values) =>
    values.slice(width * width, 2 * width * width),
  )
  const values = attention.derive("v.weight", [packed], [heads, width, perHead], (all) => {
    const result = new Float32Array(width * width)
    for (let head = 0; head < heads; head++) {
      const first = (2 * width + head * perHead) * width
      result.set(transposed(all.subarray(first, first + perHead * width), perHead, width), head * perHead * width)
    }
    return result
  })
  const valueBias = attention.derive("v.bias", [{ name: "in_proj_bias", shape: [3 * width] }], [width], (all) =>
    all.slice(2 * width),
  )
  const q = packedProjection(attention, norm(net, "ln_1", token, epsilon), "q", PYTORCH_PACKED, scale) // [B,1,D]
  const y = norm(net, "ln_3", tokens, epsilon)
  const query = reshape(matmul(reshape(q, [B, heads, 1, perHead]), keys), [B, heads, width])
  const gathered = matmul(softmax(matmul(query, y, { transposeB: true })), y) // [B,heads,D]
  const mixed = reshape(matmul(reshape(gathered, [B, heads, 1, width]), values), [B, 1, width])
  const attended = add(token, linear(attention, "out_proj", add(mixed, valueBias), width))
  const hidden = roundHalfEven(mlp_factor * width)
  const names = ["mlp.c_fc", "mlp.c_proj"] as const
  return add(attended, mlp(net, norm(net, "ln_2", attended, epsilon), { names, hidden, activation }))
}

/** Python's `round`. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x)
  return x - low === 0.5 ? low + (low % 2) : Math.round(x)
}

export interface Uniformerv2Tower {
  /** T' and the grid's side. */
  time: number
  grid: number
  /** After ln_pre and after each block [B·T',1+N,D]. */
  steps: Tensor[]
  /** Video token after each global block [B,1,D]. */
  videoTokens: Tensor[]
  /** The map that the last global block sees [B,T',N,D]. */
  lastKeys: Tensor | null
}

/**
 * @param clips [B,T,H,W,3], normalised
 * @param globals whether the global blocks are wanted
 */
export function uniformerv2Tower(net: Net, config: Uniformerv2Config, clips: Tensor, globals = true): Uniformerv2Tower {
  const { input_resolution, patch_size, width, layers, layer_norm_eps: epsilon, return_list } = config
  const [B] = clips.shape
  const grid = gridOf("input_resolution", input_resolution, patch_size)
  const N = grid * grid
  const time = uniformerv2Time(config)
  const embedded = reshape(embedClips(net, config, clips), [B * time, N, width])
  let x = clipTokens(net, embedded, { grid, width, epsilon, interpolation: "bicubic" })
  const steps = [x]
  const transformer = net.in("transformer")
  const videoTokens: Tensor[] = []
  let lastKeys: Tensor | null = null
  let token = globals ? expand(transformer.weight("temporal_cls_token", [1, 1, width]), [B, 1, width]) : null
  for (let i = 0; i < layers; i++) {
    x = block(transformer.in(`resblocks.${i}`), x, time, config)
    steps.push(x)
    if (!token || !return_list.includes(i)) continue
    const j = videoTokens.length
    const patchTokens = reshape(narrow(x, 1, 1, 1 + N), [B, time, grid, grid, width])
    const placed = add(patchTokens, dynamicPositions(transformer, `dpe.${j}`, patchTokens))
    lastKeys = reshape(placed, [B, time, N, width])
    const classTokens = reshape(narrow(x, 1, 0, 1), [B, time, 1, width])
    const tokens = reshape(concat([classTokens, lastKeys], 2), [B, time * (1 + N), width])
    token = globalBlock(transformer.in(`dec.${j}`), token, tokens, config)
    videoTokens.push(token)
  }
  if (!globals) net.skip((name) => /^transformer\.(?:temporal_cls_token|balance|dpe\.|dec\.|proj\.)/.test(name))
  return { time, grid, steps, videoTokens, lastKeys }
}

export function uniformerv2Graph(net: Net, config: Uniformerv2Config, inputs: Inputs): EncoderGraph {
  const axes = "batch,3,time,height,width"
  const clips = inputNamed(inputs, "input", axes)
  const side = config.input_resolution
  checkInput("input", clips, [-1, 3, config.t_size, side, side], axes, RESIZE_FIX)
  const { time, grid, steps, videoTokens, lastKeys } = uniformerv2Tower(net, config, fromChannelsFirst(clips))
  const { width, num_classes, layer_norm_eps } = config
  const [B] = clips.shape
  const byFrame = (x: Tensor) => reshape(x, [B, time, 1 + grid * grid, width])
  const map = (x: Tensor) => reshape(narrow(byFrame(x), 2, 1, 1 + grid * grid), [B, time, grid, grid, width])
  const last = steps[steps.length - 1]
  const frameTokens = reshape(narrow(byFrame(last), 2, 0, 1), [B, time, width])
  const transformer = net.in("transformer")
  const lastToken = videoTokens.at(-1) ?? expand(transformer.weight("temporal_cls_token", [1, 1, width]), [B, 1, width])
  const token = reshape(lastToken, [B, width])
  const outputs: EncoderGraph["outputs"] = {
    feature_map: map(last),
    frame_class_tokens: frameTokens,
    ...(lastKeys ? { feature_map_dpe: reshape(lastKeys, [B, time, grid, grid, width]) } : {}),
    video_token: token,
    pooled: config.frozen ? token : balanced(transformer, token, mean(frameTokens, 1)),
  }
  if (transformer.has("proj.0.weight")) {
    outputs.pooled_normed = norm(transformer, "proj.0", outputs.pooled, layer_norm_eps)
    if (transformer.has("proj.2.weight")) {
      outputs.logits = linear(transformer, "proj.2", outputs.pooled_normed, num_classes)
    }
  }
  const [embedding, ...blocks] = steps
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
function balanced(net: Net, token: Tensor, frames: Tensor): Tensor {
  const share = sigmoid(net.weight("balance", [token.shape[1]]))
  return add(mul(sub(1, share), token), mul(share, frames))
}
