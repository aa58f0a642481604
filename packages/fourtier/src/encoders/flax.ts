/** Layers with the names and layouts of Flax and Scenic. https://github.com/google/flax, flax/linen. */

import { add, layerNorm, matmul, type Tensor } from "@fourtier/tensor"
import { type Activation, activate, attend, headScale } from "./blocks.ts"
import type { WeightBinder } from "./weight-binder.ts"

/** Flax's Dense: kernel [in,out], bias [out]. */
export function flaxDense(binder: WeightBinder, x: Tensor, out: number): Tensor {
  return add(matmul(x, binder.weight("kernel", [x.shape[x.rank - 1], out])), binder.weight("bias", [out]))
}

/** Flax's LayerNorm over the last axis: scale and bias. */
export function flaxNorm(binder: WeightBinder, x: Tensor, epsilon: number): Tensor {
  const width = [x.shape[x.rank - 1]]
  return layerNorm(x, binder.weight("scale", width), binder.weight("bias", width), epsilon)
}

/** Flax's MultiHeadDotProductAttention: kernels [in,heads,d] and [heads,d,out]; `inner` channels in all heads. */
export function flaxAttention(binder: WeightBinder, x: Tensor, y: Tensor, heads: number, inner: number): Tensor {
  const scale = headScale(binder.path("query"), inner, heads)
  const shape = [heads, inner / heads]
  const part = (name: string, of: Tensor, factor: number) => {
    const width = of.shape[2]
    const times = (values: Float32Array) => (factor === 1 ? values : values.map((value) => value * factor))
    const projection = binder.in(name)
    const kernel = projection.derive("kernel", [{ name: "kernel", shape: [width, ...shape] }], [width, inner], times)
    const bias = projection.derive("bias", [{ name: "bias", shape }], [inner], times)
    return add(matmul(of, kernel), bias)
  }
  const mixed = attend(part("query", x, scale), part("key", y, 1), part("value", y, 1), heads)
  const width = x.shape[2]
  const out = binder.in("out")
  const kernel = out.derive(
    "kernel",
    [{ name: "kernel", shape: [...shape, width] }],
    [inner, width],
    (values) => values,
  )
  return add(matmul(mixed, kernel), out.weight("bias", [width]))
}

/** What all layers of a network have in common. */
export interface FlaxSettings {
  activation: Activation
  epsilon: number
}

/** Scenic's MlpBlock: two dense layers. */
export function flaxMlp(binder: WeightBinder, x: Tensor, hidden: number, activation: Activation): Tensor {
  return flaxDense(
    binder.in("Dense_1"),
    activate(flaxDense(binder.in("Dense_0"), x, hidden), activation),
    x.shape[x.rank - 1],
  )
}

/** Scenic's pre-norm Encoder1DBlock. x [B,L,C] */
export function flaxBlock(
  binder: WeightBinder,
  x: Tensor,
  { heads, mlp }: { heads: number; mlp: number },
  { activation, epsilon }: FlaxSettings,
): Tensor {
  const normed = flaxNorm(binder.in("LayerNorm_0"), x, epsilon)
  const attention = flaxAttention(binder.in("MultiHeadDotProductAttention_0"), normed, normed, heads, x.shape[2])
  const attended = add(x, attention)
  return add(
    attended,
    flaxMlp(binder.in("MlpBlock_0"), flaxNorm(binder.in("LayerNorm_1"), attended, epsilon), mlp, activation),
  )
}
