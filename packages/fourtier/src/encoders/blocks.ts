/**
 * What the transformer encoders share beside patches (`patches.ts`): linear layers in PyTorch's layout, attention, pre-norm
 * blocks. Weights are bound by the names that the reference code gives them (`weight-binder.ts`).
 */

import {
  add,
  constant,
  div,
  FourtierError,
  gelu,
  layerNorm,
  matmul,
  mul,
  pow,
  quickGelu,
  relu,
  softmax,
  sqrt,
  sum,
  type Tensor,
  tanh,
} from "@fourtier/tensor"
import { rearrange } from "@fourtier/tensor/nn"
import type { SourceTensor, WeightBinder } from "./weight-binder.ts"

export type Activation = "gelu" | "gelu_tanh" | "quick_gelu" | "relu"

const ACTIVATIONS: Record<Activation, (x: Tensor) => Tensor> = {
  gelu,
  gelu_tanh: geluTanh,
  quick_gelu: quickGelu,
  relu,
}

/** The approximation of GELU with tanh (Hendrycks & Gimpel 2016), the default of Flax. */
function geluTanh(x: Tensor): Tensor {
  const inner = mul(add(x, mul(pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))
  return mul(mul(x, 0.5), add(tanh(inner), 1))
}

export function activate(x: Tensor, activation: Activation): Tensor {
  return ACTIVATIONS[activation](x)
}

/** [rows,columns] -> [columns,rows], every column of the result times `scale`. */
export function transposed(values: Float32Array, rows: number, columns: number, scale: Scale = 1): Float32Array {
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    const factor = typeof scale === "number" ? scale : scale[row]
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column] * factor
    }
  }
  return result
}

/** One factor for all, or one for each output channel. */
type Scale = number | Float32Array

function scaled(values: Float32Array, scale: Scale): Float32Array {
  return scale === 1 ? values : values.map((value, i) => value * (typeof scale === "number" ? scale : scale[i]))
}

export interface LinearOptions {
  bias?: boolean
  /** LayerScale: a tensor [out] of the checkpoint that multiplies the result. It is folded into the weights. */
  layerScale?: string
}

/** PyTorch's `nn.Linear` `<name>.weight` [out,in], `<name>.bias` [out]: x [..,in] -> [..,out] */
export function linear(
  binder: WeightBinder,
  name: string,
  x: Tensor,
  out: number,
  options: LinearOptions = {},
): Tensor {
  const { bias = true, layerScale } = options
  const width = x.shape[x.rank - 1]
  const scales: SourceTensor[] = layerScale === undefined ? [] : [{ name: layerScale, shape: [out] }]
  const weight = binder.derive(
    `${name}.weight`,
    [{ name: `${name}.weight`, shape: [out, width] }, ...scales],
    [width, out],
    (values, scale) => transposed(values, out, width, scale ?? 1),
  )
  if (!bias) return project(x, weight)
  const offset = binder.derive(
    `${name}.bias`,
    [{ name: `${name}.bias`, shape: [out] }, ...scales],
    [out],
    (values, scale) => scaled(values, scale ?? 1),
  )
  return add(project(x, weight), offset)
}

/** x [..,in] times weight [in,out]. */
export function project(x: Tensor, weight: Tensor): Tensor {
  return matmul(x, weight)
}

/** PyTorch's `nn.LayerNorm` over the last axis. */
export function norm(binder: WeightBinder, name: string, x: Tensor, epsilon: number): Tensor {
  const width = [x.shape[x.rank - 1]]
  return layerNorm(x, binder.weight(`${name}.weight`, width), binder.weight(`${name}.bias`, width), epsilon)
}

export interface MlpOptions {
  /** Of the two linear layers. */
  names: readonly [string, string]
  hidden: number
  activation: Activation
  layerScale?: string
}

/** `second(activation(first(x)))`: x [..,D] -> [..,D] */
export function mlp(
  binder: WeightBinder,
  x: Tensor,
  { names: [first, second], hidden, activation, layerScale }: MlpOptions,
): Tensor {
  const width = x.shape[x.rank - 1]
  const inner = activate(linear(binder, first, x, hidden), activation)
  return linear(binder, second, inner, width, layerScale === undefined ? {} : { layerScale })
}

/**
 * softmax(q·kᵀ + mask)·v in heads; q is scaled already.
 *
 * @param q [B,Lq,C]
 * @param k [B,Lk,C]
 * @param v [B,Lk,C]
 * @param mask broadcast to [B,heads,Lq,Lk], added
 * @returns [B,Lq,C]
 */
export function attend(q: Tensor, k: Tensor, v: Tensor, heads: number, mask: Tensor | null = null): Tensor {
  return attendInHeads(toHeads(q, heads), toHeads(k, heads), toHeads(v, heads), mask)
}

/** [B,L,C] -> [B,heads,L,C/heads] */
export function toHeads(x: Tensor, heads: number): Tensor {
  return rearrange(x, "b l (h d) -> b h l d", { h: heads })
}

/** `attend` on queries, keys and values [B,heads,L,d] that are split into heads already: [B,Lq,heads·d] */
export function attendInHeads(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | null = null): Tensor {
  const scores = matmul(q, k, { transposeB: true }) // [B,heads,Lq,Lk]
  const weights = softmax(mask ? add(scores, mask) : scores)
  return rearrange(matmul(weights, v), "b h l d -> b l (h d)")
}

/** 1/√d, d being the width of one head. @throws FourtierError where the width cannot be split */
export function headScale(where: string, width: number, heads: number): number {
  if (width % heads !== 0) {
    throw new FourtierError({ where, what: `a width of ${width} cannot be split into ${heads} heads` })
  }
  return 1 / Math.sqrt(width / heads)
}

/** How a checkpoint packs the projections of q, k and v into one matrix [3C,C]. */
export interface Packed {
  weight: string
  /** One vector [3C], separate vectors [C] for q and v with none for k, or none at all. */
  bias: string | { q: string; v: string } | null
}

export const PYTORCH_PACKED: Packed = { weight: "in_proj_weight", bias: "in_proj_bias" }
export const TIMM_PACKED: Packed = { weight: "qkv.weight", bias: "qkv.bias" }

const PARTS = ["q", "k", "v"] as const

/** One of the three projections of x [..,C], its result times `scale`. */
export function packedProjection(
  binder: WeightBinder,
  x: Tensor,
  part: (typeof PARTS)[number],
  packed: Packed,
  scale = 1,
): Tensor {
  const { weight, bias } = packedPart(binder, x.shape[x.rank - 1], part, packed, scale)
  const product = project(x, weight)
  return bias ? add(product, bias) : product
}

/** The weight [C,C], in rows and out columns, and bias [C] of one of the three projections. */
function packedPart(
  binder: WeightBinder,
  width: number,
  part: (typeof PARTS)[number],
  { weight: name, bias }: Packed,
  scale = 1,
): { weight: Tensor; bias: Tensor | null } {
  const first = PARTS.indexOf(part) * width
  const weight = binder.derive(`${part}.weight`, [{ name, shape: [3 * width, width] }], [width, width], (values) =>
    transposed(values.subarray(first * width, (first + width) * width), width, width, scale),
  )
  if (bias === null) return { weight, bias: null }
  if (typeof bias === "string") {
    const vector = binder.derive(`${part}.bias`, [{ name: bias, shape: [3 * width] }], [width], (values) =>
      scaled(values.slice(first, first + width), scale),
    )
    return { weight, bias: vector }
  }
  if (part === "k") return { weight, bias: null }
  const vector = binder.derive(`${part}.bias`, [{ name: bias[part], shape: [width] }], [width], (values) =>
    scaled(values, scale),
  )
  return { weight, bias: vector }
}

export interface AttentionOptions {
  heads: number
  packed?: Packed
  /** Name of the projection that follows. */
  out?: string
  layerScale?: string
  mask?: Tensor | null
}

/** Self-attention of x [B,L,C] with packed projections. */
export function selfAttention(binder: WeightBinder, x: Tensor, options: AttentionOptions): Tensor {
  const { heads, packed = PYTORCH_PACKED, out = "out_proj", layerScale, mask = null } = options
  const width = x.shape[2]
  const scale = headScale(binder.path(packed.weight), width, heads)
  const q = packedProjection(binder, x, "q", packed, scale)
  const k = packedProjection(binder, x, "k", packed)
  const v = packedProjection(binder, x, "v", packed)
  return linear(binder, out, attend(q, k, v, heads, mask), width, layerScale === undefined ? {} : { layerScale })
}

export interface BlockOptions {
  heads: number
  activation: Activation
  epsilon: number
  /** Hidden channels of the MLP over its width; default 4. */
  mlpRatio?: number
  /** Hidden channels of the MLP, instead of a ratio. */
  mlpHidden?: number
  mask?: Tensor | null
}

/**
 * A pre-norm block with CLIP's names: x + attention(ln_1(x)), then + mlp(ln_2(x)), both scaled where the checkpoint has
 * `ls_1.gamma` and `ls_2.gamma`. x [B,L,C]
 *
 * @param attention of ln_1(x) [B,L,C]; by default over all tokens that the mask lets through
 */
export function clipBlock(
  binder: WeightBinder,
  x: Tensor,
  options: BlockOptions,
  attention?: (normed: Tensor) => Tensor,
): Tensor {
  const { heads, epsilon, mask = null } = options
  const normed = norm(binder, "ln_1", x, epsilon)
  const attended = attention ? attention(normed) : selfAttention(binder.in("attn"), normed, { heads, mask })
  return clipMlp(binder, add(x, layerScaled(binder, "ls_1", attended)), options)
}

/** x [..,D] times `<name>.gamma` [D], where the checkpoint has it. */
function layerScaled(binder: WeightBinder, name: string, x: Tensor): Tensor {
  return binder.has(`${name}.gamma`, false) ? mul(x, binder.weight(`${name}.gamma`, [x.shape[x.rank - 1]])) : x
}

/** The second half of CLIP's block. */
export function clipMlp(
  binder: WeightBinder,
  x: Tensor,
  { activation, epsilon, mlpRatio = 4, mlpHidden }: Omit<BlockOptions, "heads">,
): Tensor {
  const hidden = mlpHidden ?? Math.trunc(mlpRatio * x.shape[x.rank - 1])
  const names = ["mlp.c_fc", "mlp.c_proj"] as const
  const fed = mlp(binder, norm(binder, "ln_2", x, epsilon), { names, hidden, activation })
  return add(x, layerScaled(binder, "ls_2", fed))
}

/** x over its Euclidean length along the last axis. */
export function normalised(x: Tensor): Tensor {
  return div(x, sqrt(sum(mul(x, x), -1, true)))
}

/** 0 where a token may attend, a very negative number where the other one comes later: [1,1,L,L]. */
export function causalMask(length: number): Tensor {
  const values = new Float32Array(length * length)
  for (let i = 0; i < length; i++) values.fill(-1e30, i * length + i + 1, (i + 1) * length)
  return constant(values, [1, 1, length, length])
}
