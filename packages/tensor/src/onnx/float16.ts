/**
 * Weights stored in half precision: half the file, the same operators. Every large float32 constant becomes a float16 one with
 * a `Cast` behind it, which ONNX Runtime carries out once, as it loads; all sums are float32 as before.
 *
 * ```
 * W f32 ──► node          W/half f16 ── Cast ── W ──► node
 * ```
 */

import { floatToHalf, halfToFloat } from "../half.ts"
import { castTo, floatsOf, isFloatConstant, onnxNode } from "./constants.ts"
import { DataType, type ModelProto, type NodeProto, type TensorProto } from "./proto.ts"

/** Constants of fewer elements, and vectors of any length (biases, gains, thresholds), save nothing and stay as they are. */
const MIN_ELEMENTS = 4096

/**
 * Rounding to half precision changes a tensor by less than 3e-4 of its norm. One that changes by more has elements beyond
 * ±65504, which would become infinite, or next to nothing else than elements below 6e-5, which half precision resolves
 * poorly: it stays float32.
 */
const MAX_CHANGE = 1e-3

/**
 * The same model with its large float32 constants stored as float16, except for those outside float16's range or precision.
 *
 * @example
 * ```ts
 * import { readOnnx, writeOnnx } from "@fourtier/tensor/node"
 * import { storeAsFloat16 } from "@fourtier/tensor/onnx"
 *
 * await writeOnnx("encoder-half.onnx", storeAsFloat16(await readOnnx("encoder.onnx")))
 * ```
 */
export function storeAsFloat16(model: ModelProto): ModelProto {
  const casts: NodeProto[] = []
  const isLarge = isFloatConstant(model)
  const initializers = model.graph.initializers.map((tensor): TensorProto => {
    if (tensor.dims.length < 2 || !isLarge(tensor)) return tensor
    const values = floatsOf(tensor)
    if (values.length < MIN_ELEMENTS) return tensor
    const half = floatToHalf(values)
    if (!(relativeChange(values, half) <= MAX_CHANGE)) return tensor
    const name = `${tensor.name}/half`
    casts.push(onnxNode("Cast", [name], [tensor.name], [castTo(DataType.FLOAT)]))
    return { name, dims: tensor.dims, dataType: DataType.FLOAT16, rawData: new Uint8Array(half.buffer) }
  })
  return { ...model, graph: { ...model.graph, nodes: [...casts, ...model.graph.nodes], initializers } }
}

/** |half − values| / |values|, Euclidean norms; 0 for zeros, NaN where a value is NaN. */
function relativeChange(values: Float32Array, half: Uint16Array): number {
  const rounded = halfToFloat(half)
  let change = 0
  let norm = 0
  for (let i = 0; i < values.length; i++) {
    change += (rounded[i] - values[i]) ** 2
    norm += values[i] ** 2
  }
  return norm === 0 ? 0 : Math.sqrt(change / norm)
}
