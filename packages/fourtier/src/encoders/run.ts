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
  const arrays = new Map([...inputs].map(([name, array]) => [name, inputArray(name, array, network.limits[name])]))
  const tensors = new Map([...arrays].map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]))
  const { outputs, intermediates } = network.graph(binder, tensors)
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

/** @param limit whole numbers are below it; undefined: any number is taken */
function inputArray(
  name: string,
  array: StoredTensor,
  limit: number | undefined,
): { shape: Shape; dtype: DType; data: Data } {
  const { type, shape } = array
  if (shape.includes(0)) throw new FourtierError({ where: `input ${name}`, what: "an empty array" })
  const isFloat = type === "f64" || type === "f32" || type === "f16" || type === "bf16"
  if (isFloat) return { shape, dtype: "f32", data: finiteInput(name, toFloat32(array), shape) }
  const data = BigInt64Array.from(array.data, BigInt)
  if (limit !== undefined) checkLimit(name, shape, data, limit)
  return { shape, dtype: "i64", data }
}

/** @throws FourtierError that names the first number that is not one of 0..limit−1, and its place */
function checkLimit(name: string, shape: Shape, data: BigInt64Array, limit: number): void {
  const at = data.findIndex((value) => value < 0n || value >= BigInt(limit))
  if (at < 0) return
  const place = shape.map((length, axis) => Math.floor(at / sizeOf(shape.slice(axis + 1))) % length)
  throw new FourtierError({
    where: `input ${name}[${place.join(",")}]`,
    what: "a token id outside the vocabulary",
    expected: `0 to ${limit - 1}`,
    found: String(data[at]),
    fix: "use the tokeniser that belongs to the weights, or correct vocab_size in the configuration",
  })
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
