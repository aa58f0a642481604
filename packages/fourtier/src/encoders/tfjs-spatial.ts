/** The TensorFlow ops on maps: convolution, pooling, padding, resizing. Maps stay channels-first from one to the next. */

import {
  add,
  clip,
  constant,
  conv,
  isOp,
  matmul,
  pad,
  pool,
  relu,
  reshape,
  resize,
  type Shape,
  sizeOf,
  type Tensor,
} from "@fourtier/tensor"
import { channelsFirst, flag, ints, type OpImporter, plain, shapeOf, unsupported, type Value } from "./tfjs-value.ts"

/** Constant elements in another order: known data, so nothing is left to do at run time. */
function permuted(weight: Tensor, permutation: readonly number[], shape: Shape): Tensor {
  if (!isOp(weight, "constant") || weight.dtype !== "f32")
    throw unsupported("convolution weights must be constant f32", weight.op)
  const { data, name } = weight.attrs
  const lengths = permutation.map((axis) => weight.shape[axis])
  const steps = permutation.map((axis) => sizeOf(weight.shape.slice(axis + 1)))
  const result = new Float32Array(data.length)
  const at = lengths.map(() => 0)
  for (let i = 0, from = 0; i < result.length; i++) {
    result[i] = Number(data[from])
    for (let axis = at.length - 1; axis >= 0; axis--) {
      from += steps[axis]
      if (++at[axis] < lengths[axis]) break
      from -= steps[axis] * lengths[axis]
      at[axis] = 0
    }
  }
  return constant(result, shape, "f32", name)
}

/** TensorFlow's SAME: output ceil(length/stride), the odd zero at the end. */
export function samePadding(length: number, kernel: number, stride: number, dilation: number): [number, number] {
  const reach = (kernel - 1) * dilation + 1
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach - length)
  return [Math.floor(total / 2), Math.ceil(total / 2)]
}

/** Convolution, plain or one filter per channel, with the bias and activation that the converter fused into it. */
const convolution =
  (depthwise: boolean): OpImporter =>
  (node, [x, weight, ...rest]) => {
    const { strides, dilations, padding, fused_ops, data_format } = node.attributes
    if ((data_format?.s ?? "NHWC") !== "NHWC")
      throw unsupported("only NHWC convolutions are imported", data_format.s ?? "")
    const [, strideH, strideW] = strides?.list?.i ?? [1, 1, 1, 1]
    const [, dilationH, dilationW] = dilations?.list?.i ?? [1, 1, 1, 1]
    const fused = fused_ops?.list?.s ?? []
    const bias = fused.includes("BiasAdd") ? rest[0].tensor : null
    const [kernelH, kernelW, inChannels, outChannels] = weight.tensor.shape
    const pointwise = kernelH === 1 && kernelW === 1 && strideH === 1 && strideW === 1
    if (pointwise && !depthwise && x.layout === "tensorflow") {
      const product = matmul(x.tensor, reshape(weight.tensor, [inChannels, outChannels]))
      return [plain(activated(bias ? add(product, bias) : product, fused))]
    }
    const input = channelsFirst(x)
    const [, , height, width] = input.shape
    const mode = padding?.s ?? "VALID"
    if (mode !== "SAME" && mode !== "VALID") throw unsupported("unknown padding", mode)
    const pads: [number, number][] =
      mode === "VALID"
        ? [
            [0, 0],
            [0, 0],
          ]
        : [samePadding(height, kernelH, strideH, dilationH), samePadding(width, kernelW, strideW, dilationW)]
    const filters = depthwise
      ? permuted(weight.tensor, [2, 3, 0, 1], [inChannels * outChannels, 1, kernelH, kernelW])
      : permuted(weight.tensor, [3, 2, 0, 1], [outChannels, inChannels, kernelH, kernelW])
    const y = conv(input, filters, bias, {
      strides: [strideH, strideW],
      dilations: [dilationH, dilationW],
      pads,
      groups: depthwise ? inChannels : input.shape[1] / inChannels,
    })
    return [{ tensor: activated(y, fused), layout: "channels-first" }]
  }

/** Adds a value around a map: paddings [axes,2], as TensorFlow's axes are. */
function padded(x: Value, pads: Value, value: number): Value {
  const known = ints(pads, "paddings")
  const pairs = shapeOf(x).map((_, axis): [number, number] => [known[2 * axis], known[2 * axis + 1]])
  if (x.layout === "tensorflow") return plain(pad(x.tensor, pairs, value))
  const [batch, height, width, channels] = pairs
  return { tensor: pad(x.tensor, [batch, channels, height, width], value), layout: "channels-first" }
}

/**
 * ONNX Runtime (1.30) merges padding into the pooling that follows it, whose own padding counts as the lowest value whatever the value
 * was. An op that changes nothing in between keeps them apart.
 */
function apart(x: Tensor): Tensor {
  return isOp(x, "pad") ? clip(x, -LARGEST, LARGEST) : x
}

/** The largest number in f32. */
const LARGEST = 3.4028234663852886e38

/** A number that must be known while importing. */
function knownNumber({ tensor }: Value): number {
  if (!isOp(tensor, "constant")) throw unsupported("a value must be known while importing", "a computed value")
  return Number(tensor.attrs.data[0])
}

function activated(x: Tensor, fused: readonly string[]): Tensor {
  let y = x
  for (const name of fused) {
    if (name === "Relu") y = relu(y)
    else if (name === "Relu6") y = clip(y, 0, 6)
    else if (name !== "BiasAdd") throw unsupported("fused op is not imported", name)
  }
  return y
}

/** The importers, by the ops' names. */
export const spatial: Readonly<Record<string, OpImporter>> = {
  Conv2D: convolution(false),
  _FusedConv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedDepthwiseConv2dNative: convolution(true),
  MaxPool: (node, [x]) => {
    const { ksize, strides, padding, data_format } = node.attributes
    if ((data_format?.s ?? "NHWC") !== "NHWC") throw unsupported("only NHWC pooling is imported", data_format.s ?? "")
    const [, height, width] = ksize?.list?.i ?? [1, 1, 1, 1]
    const [, strideH, strideW] = strides?.list?.i ?? [1, 1, 1, 1]
    const input = apart(channelsFirst(x))
    const pads: [number, number][] =
      padding?.s === "SAME"
        ? [samePadding(input.shape[2], height, strideH, 1), samePadding(input.shape[3], width, strideW, 1)]
        : [
            [0, 0],
            [0, 0],
          ]
    const tensor = pool(input, "max", [height, width], { strides: [strideH, strideW], pads })
    return [{ tensor, layout: "channels-first" }]
  },
  Pad: (_, [x, pads]) => [padded(x, pads, 0)],
  PadV2: (_, [x, pads, value]) => [padded(x, pads, knownNumber(value))],
  ResizeBilinear: (node, [x, size]) => {
    const coordinates = flag(node, "align_corners")
      ? "align-corners"
      : flag(node, "half_pixel_centers")
        ? "half-pixel"
        : "asymmetric"
    const tensor = resize(channelsFirst(x), ints(size, "a size"), { mode: "linear", coordinates })
    return [{ tensor, layout: "channels-first" }]
  },
}
