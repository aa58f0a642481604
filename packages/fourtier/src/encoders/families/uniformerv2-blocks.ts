/**
 * UniFormerV2's blocks, see `uniformerv2.ts`: the image tower's with local relations over time (LMHRA), and the global block,
 * whose one query gathers a video token.
 *
 * The query of a global block meets keys and values before their projections, since (q·W_k)·y = q·(W_k·y): the projections
 * of all T'·(1+N) tokens are never computed.
 */

import {
  add,
  concat,
  conv,
  matmul,
  mul,
  narrow,
  reshape,
  slice,
  softmax,
  type Tensor,
  transpose,
} from "@fourtier/tensor"
import {
  type Activation,
  clipMlp,
  headScale,
  linear,
  mlp,
  norm,
  PYTORCH_PACKED,
  packedProjection,
  project,
  selfAttention,
  transposed,
} from "../blocks.ts"
import { padAxis } from "../patches.ts"
import type { WeightBinder } from "../weight-binder.ts"

/** The dimensions that the blocks read: see docs/encoders.md. */
interface BlockConfig {
  heads: number
  no_lmhra: boolean
  double_lmhra: boolean
  dw_reduction: number
  n_head: number
  mlp_factor: number
  activation: Activation
  layer_norm_eps: number
  batch_norm_eps: number
}

/**
 * Local relations over time: batch norm, 1×1×1, depthwise over three frames, 1×1×1. The norm is folded into the first
 * convolution; frames outside the clip are zeros after it.
 *
 * @param x [B,T,N,D]
 */
function localRelations(binder: WeightBinder, x: Tensor, { dw_reduction, batch_norm_eps }: BlockConfig): Tensor {
  const [B, T, N, width] = x.shape
  const inner = Math.floor(width / dw_reduction)
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
  const reduce = binder.derive(
    "reduce.weight",
    [first[0], ...statistics],
    [width, inner],
    (weight, scale, _bias, _mean, variance) => {
      const factors = scaleOf(scale, variance)
      const result = transposed(weight, inner, width)
      return result.map((value, i) => value * factors[Math.floor(i / inner)])
    },
  )
  const reduceBias = binder.derive(
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
  const kernel = binder.derive(
    "depthwise.weight",
    [{ name: "2.weight", shape: [inner, 1, 3, 1, 1] }],
    [3, inner],
    (w) => transposed(w, inner, 3),
  )
  const padded = padAxis(reduced, 1, 1, 1)
  const mixed = [0, 1, 2]
    .map((tap) =>
      mul(slice(padded, [0, tap, 0, 0], [B, tap + T, N, inner]), reshape(narrow(kernel, 0, tap, tap + 1), [inner])),
    )
    .reduce(add)
  const last = { name: "3.weight", shape: [width, inner, 1, 1, 1] }
  const expandWeight = binder.derive("expand.weight", [last], [inner, width], (weight) =>
    transposed(weight, width, inner),
  )
  const expandBias = binder.derive(
    "expand.bias",
    [{ name: "3.bias", shape: [width] }, last, { name: "2.bias", shape: [inner] }],
    [width],
    (bias, weight, depthwiseBias) =>
      bias.map((value, c) => depthwiseBias.reduce((sum, shift, r) => sum + weight[c * inner + r] * shift, value)),
  )
  return add(project(mixed, expandWeight), expandBias)
}

/** x + local relations of its patches. x [B·T,1+N,D] */
function withLocalRelations(binder: WeightBinder, x: Tensor, time: number, config: BlockConfig): Tensor {
  const [rows, length, width] = x.shape
  const patchTokens = narrow(x, 1, 1, length)
  const clips = reshape(patchTokens, [rows / time, time, length - 1, width])
  const local = reshape(localRelations(binder.in("pos_embed"), clips, config), patchTokens.shape)
  return concat([narrow(x, 1, 0, 1), add(patchTokens, local)], 1)
}

/** A block of the image tower. x [B·T,1+N,D] */
export function localBlock(binder: WeightBinder, x: Tensor, time: number, config: BlockConfig): Tensor {
  const { heads, no_lmhra, double_lmhra, activation, layer_norm_eps: epsilon } = config
  const before = no_lmhra ? x : withLocalRelations(binder.in("lmhra1"), x, time, config)
  const attended = add(before, selfAttention(binder.in("attn"), norm(binder, "ln_1", before, epsilon), { heads }))
  const after = no_lmhra || !double_lmhra ? attended : withLocalRelations(binder.in("lmhra2"), attended, time, config)
  return clipMlp(binder, after, { activation, epsilon })
}

/** Depthwise 3×3×3 over patches [B,T,H,W,D], zeros around. */
export function dynamicPositions(binder: WeightBinder, name: string, x: Tensor): Tensor {
  const width = x.shape[4]
  const weight = binder.weight(`${name}.weight`, [width, 1, 3, 3, 3])
  const bias = binder.weight(`${name}.bias`, [width])
  const pads: [number, number][] = [1, 2, 3].map(() => [1, 1])
  const mixed = conv(transpose(x, [0, 4, 1, 2, 3]), weight, bias, { groups: width, pads })
  return transpose(mixed, [0, 2, 3, 4, 1])
}

/**
 * A global block: the video token [B,1,D] attends to all tokens of all frames.
 *
 * @param tokens [B,T·(1+N),D]
 */
export function globalBlock(binder: WeightBinder, token: Tensor, tokens: Tensor, config: BlockConfig): Tensor {
  const { n_head: heads, mlp_factor, activation, layer_norm_eps: epsilon } = config
  const [B, , width] = token.shape
  const perHead = width / heads
  const scale = headScale("n_dim", width, heads)
  const attention = binder.in("attn")
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
  const q = packedProjection(attention, norm(binder, "ln_1", token, epsilon), "q", PYTORCH_PACKED, scale) // [B,1,D]
  const y = norm(binder, "ln_3", tokens, epsilon)
  const query = reshape(matmul(reshape(q, [B, heads, 1, perHead]), keys), [B, heads, width])
  const gathered = matmul(softmax(matmul(query, y, { transposeB: true })), y) // [B,heads,D]
  const mixed = reshape(matmul(reshape(gathered, [B, heads, 1, width]), values), [B, 1, width])
  const attended = add(token, linear(attention, "out_proj", add(mixed, valueBias), width))
  const hidden = roundHalfEven(mlp_factor * width)
  const names = ["mlp.c_fc", "mlp.c_proj"] as const
  return add(attended, mlp(binder, norm(binder, "ln_2", attended, epsilon), { names, hidden, activation }))
}

/** Python's `round`. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x)
  return x - low === 0.5 ? low + (low % 2) : Math.round(x)
}
