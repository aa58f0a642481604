/** Runs a network once, on arrays: for parity checks and `fourtier encode`. */

import {
  type Data,
  type DType,
  FourtierError,
  input,
  isOp,
  nonFinite,
  type Session,
  type SessionOptions,
  type Shape,
  sizeOf,
  type Tensor,
  type TensorType,
  topologicalOrder,
} from "@fourtier/tensor"
import { type StoredTensor, toFloat32 } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import type { EncoderNetwork } from "./family.ts"
import { loadModel } from "./large.ts"
import type { WeightSource } from "./weight-binder.ts"

export interface EncodedArray {
  shape: Shape
  data: Float32Array
}

export interface EncodeOptions {
  network: EncoderNetwork
  source: WeightSource
  /** Arrays by input name. Floating-point ones become f32, whole numbers i64. */
  inputs: ReadonlyMap<string, StoredTensor>
  runtime?: SessionOptions
}

export interface Encoded {
  outputs: Map<string, EncodedArray>
  intermediates: Map<string, EncodedArray>
}

/**
 * Builds the network for the inputs' shapes, loads its weights, runs it.
 *
 * @throws FourtierError when weights, inputs and dimensions do not fit together
 *
 * @example
 * ```ts
 * const network = networkSchema.parse(await readJson("vit/config.json"))
 * const inputs = new Map([["input", await readNpy("vit/input.npy")]]) // [B,3,H,W], normalised
 * const { outputs } = await encodeArrays({ network, source: randomSource(0), inputs })
 * outputs.get("feature_map") // { shape: [B,G,G,D], data: Float32Array }
 * ```
 */
export async function encodeArrays({ network, source, inputs, runtime }: EncodeOptions): Promise<Encoded> {
  const binder = network.binder(source.shapes && new Set(source.shapes.keys()))
  const arrays = new Map([...inputs].map(([name, array]) => [name, inputArray(name, array)]))
  const tensors = new Map([...arrays].map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]))
  const { outputs, intermediates } = network.graph(binder, tensors)
  checkIndices([...Object.values(outputs), ...Object.values(intermediates)], arrays)
  const weights = await binder.load(source)
  const named: Record<string, Tensor> = {}
  for (const [name, tensor] of Object.entries(outputs)) named[`output ${name}`] = tensor
  for (const [name, tensor] of Object.entries(intermediates)) named[`intermediate ${name}`] = tensor
  const session = await compileLarge(named, weights, runtime)
  try {
    const feeds = Object.fromEntries(
      [...arrays].filter(([name]) => session.inputs.has(name)).map(([name, { data }]) => [name, data]),
    )
    const values = await session.run(feeds)
    const take = (kind: string, tensors: Record<string, Tensor>) =>
      new Map(
        Object.entries(tensors).map(([name, { shape }]) => [
          name,
          { shape, data: Float32Array.from(values[`${kind} ${name}`], Number) },
        ]),
      )
    return { outputs: take("output", outputs), intermediates: take("intermediate", intermediates) }
  } finally {
    await session.release()
  }
}

interface InputArray {
  shape: Shape
  dtype: DType
  data: Data
}

/**
 * Whether every number of an input that picks rows of a table, such as the id of a token, is one of the table's.
 * @throws FourtierError that names the first one that is not, and its place
 */
function checkIndices(outputs: readonly Tensor[], arrays: ReadonlyMap<string, InputArray>): void {
  for (const node of topologicalOrder(outputs)) {
    if (!isOp(node, "gather")) continue
    const [table, indices] = node.inputs
    const name = isOp(indices, "input") ? indices.attrs.name : null
    const given = name === null ? undefined : arrays.get(name)
    if (given === undefined) continue
    const { shape, data } = given
    const size = table.shape[node.attrs.axis]
    const at = data.findIndex((index: number | bigint) => Number(index) < 0 || Number(index) >= size)
    if (at < 0) continue
    const place = shape.map((length, axis) => Math.floor(at / sizeOf(shape.slice(axis + 1))) % length)
    throw new FourtierError({
      where: `input ${name}[${place.join(",")}]`,
      what: "an id outside the table that it is looked up in",
      expected: `0 to ${size - 1}`,
      found: String(data[at]),
      fix: "use the tokeniser that belongs to the weights, or correct the sizes in the configuration",
    })
  }
}

function inputArray(name: string, array: StoredTensor): InputArray {
  const { type, shape } = array
  if (shape.includes(0)) throw new FourtierError({ where: `input ${name}`, what: "an empty array" })
  const isFloat = type === "f64" || type === "f32" || type === "f16" || type === "bf16"
  if (isFloat) return { shape, dtype: "f32", data: finiteInput(name, toFloat32(array), shape) }
  return { shape, dtype: "i64", data: BigInt64Array.from(array.data, BigInt) }
}

function finiteInput(name: string, values: Float32Array, shape: Shape): Float32Array {
  const found = nonFinite(values, shape)
  if (found === null) return values
  throw new FourtierError({ where: `input ${name}`, what: "values that are no finite numbers", found })
}

/** Compiles a graph with weights of any size. */
export async function compileLarge(
  outputs: Record<string, Tensor>,
  weights: ReadonlyMap<string, Float32Array>,
  options?: SessionOptions,
): Promise<Session> {
  const inputs = new Map<string, TensorType>()
  for (const node of topologicalOrder(Object.values(outputs))) {
    if (isOp(node, "input") && !weights.has(node.attrs.name)) inputs.set(node.attrs.name, node)
  }
  const types = { inputs, outputs: new Map<string, TensorType>(Object.entries(outputs)) }
  return loadModel(toOnnx({ outputs, weights }), types, options)
}
