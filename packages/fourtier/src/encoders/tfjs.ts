/**
 * Reads TensorFlow.js graph models: a `model.json` (nodes, weight specifications) and its binary shards beside it.
 * Format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter. `tfjs-graph.ts` turns the nodes into our graph.
 *
 *   model.json ──zod──► nodes (name, op, inputs, attributes)
 *   shards ──joined, de-quantised──► weights by node name
 */

import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { type DType, FourtierError, halfToFloat, messageOf, type Shape, sizeOf } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"

const wholeNumber = z.union([z.number(), z.string().regex(/^-?\d+$/)]).transform(Number)
/** Base64, or the bytes as numbers. */
const text = z
  .union([z.string(), z.array(z.number())])
  .transform((value) =>
    typeof value === "string" ? Buffer.from(value, "base64").toString("utf8") : Buffer.from(value).toString("utf8"),
  )

const attributeSchema = z.object({
  s: text.optional(),
  i: wholeNumber.optional(),
  f: z.number().optional(),
  b: z.boolean().optional(),
  type: z.union([z.string(), z.number()]).optional(),
  list: z.object({ s: z.array(text).optional(), i: z.array(wholeNumber).optional() }).optional(),
})

const nodeSchema = z.object({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).default([]),
  attr: z.record(z.string(), attributeSchema).default({}),
})

const weightSchema = z.object({
  name: z.string(),
  dtype: z.enum(["float32", "int32", "bool"]),
  shape: z.array(z.int().nonnegative()),
  quantization: z
    .object({
      dtype: z.enum(["uint8", "uint16", "float16"]),
      scale: z.number().optional(),
      min: z.number().optional(),
    })
    .optional(),
})

const ports = z.record(z.string(), z.object({ name: z.string().optional() })).optional()

const modelSchema = z.object({
  modelTopology: z.object({ node: z.array(nodeSchema) }),
  weightsManifest: z.array(z.object({ paths: z.array(z.string()), weights: z.array(weightSchema) })),
  signature: z.object({ inputs: ports, outputs: ports }).optional(),
})

type WeightSpec = z.infer<typeof weightSchema>
export type TfjsAttribute = z.infer<typeof attributeSchema>

export interface TfjsNode {
  readonly name: string
  readonly op: string
  /** Names of values: `node` for its first output, `node:1` for its second; control inputs left out. */
  readonly inputs: readonly string[]
  readonly attributes: Readonly<Record<string, TfjsAttribute>>
}

export interface TfjsWeight {
  readonly dtype: Extract<DType, "f32" | "i32" | "bool">
  readonly shape: Shape
  /** De-quantised. */
  readonly data: Float32Array | Int32Array | Uint8Array
}

export interface TfjsModel {
  /** The `model.json`. */
  readonly path: string
  readonly nodes: ReadonlyMap<string, TfjsNode>
  /** Values of the `Const` nodes, by node name. */
  readonly weights: ReadonlyMap<string, TfjsWeight>
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** SHA-256 over the JSON's nodes and the weights' bytes, in hexadecimal. */
  readonly hash: string
}

/**
 * Loads a graph model with all its weights.
 *
 * @throws FourtierError when a file is missing, is not a graph model, or its length does not match the model
 */
export async function loadTfjsModel(path: string): Promise<TfjsModel> {
  const json = await readJson(path)
  const parsed = modelSchema.safeParse(json)
  if (!parsed.success) {
    throw new FourtierError({
      where: path,
      what: "not a TensorFlow.js graph model",
      expected: "modelTopology.node and weightsManifest, as written by tensorflowjs_converter",
      found: z.prettifyError(parsed.error).split("\n").slice(0, 4).join(" "),
    })
  }
  const { modelTopology, weightsManifest, signature } = parsed.data
  const nodes = new Map<string, TfjsNode>()
  for (const { name, op, input, attr } of modelTopology.node) {
    if (nodes.has(name)) throw new FourtierError({ where: path, what: "two nodes have the same name", found: name })
    nodes.set(name, { name, op, inputs: input.filter((from) => !from.startsWith("^")), attributes: attr })
  }
  const hash = createHash("sha256").update(JSON.stringify(modelTopology.node))
  const weights = new Map<string, TfjsWeight>()
  for (const group of weightsManifest) {
    const bytes = Buffer.concat(await Promise.all(group.paths.map((shard) => readShard(join(dirname(path), shard)))))
    hash.update(JSON.stringify(group.weights)).update(bytes)
    readWeights(path, bytes, group.weights, weights)
  }
  const used = new Set([...nodes.values()].flatMap((node) => node.inputs.map(nodeOf)))
  const portNames = (side: z.infer<typeof ports>) => side && Object.entries(side).map(([key, { name }]) => name ?? key)
  return {
    path,
    nodes,
    weights,
    inputs:
      portNames(signature?.inputs) ?? [...nodes.values()].filter((n) => n.op === "Placeholder").map((n) => n.name),
    outputs: portNames(signature?.outputs) ?? [...nodes.keys()].filter((name) => !used.has(name)),
    hash: hash.digest("hex"),
  }
}

/** The node that makes the value `name`, which may end in `:output`. */
export function nodeOf(name: string): string {
  return name.replace(/:\d+$/, "")
}

async function readShard(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new FourtierError(
      { where: path, what: "weight file cannot be read", found: messageOf(error), fix: "fetch the whole model again" },
      { cause: error },
    )
  }
}

const QUANTIZED_BYTES = { uint8: 1, uint16: 2, float16: 2 }
const PLAIN_BYTES = { float32: 4, int32: 4, bool: 1 }

function readWeights(path: string, bytes: Buffer, specs: readonly WeightSpec[], into: Map<string, TfjsWeight>): void {
  let offset = 0
  for (const spec of specs) {
    const unit = spec.quantization ? QUANTIZED_BYTES[spec.quantization.dtype] : PLAIN_BYTES[spec.dtype]
    const length = sizeOf(spec.shape) * unit
    if (offset + length > bytes.length)
      throw sizeError(path, bytes.length, `${offset + length} or more, for ${spec.name}`)
    // a copy starts at offset 0, as typed arrays want it
    into.set(spec.name, readWeight(path, spec, new Uint8Array(bytes.subarray(offset, offset + length)).buffer))
    offset += length
  }
  if (offset !== bytes.length) throw sizeError(path, bytes.length, String(offset))
}

function sizeError(path: string, found: number, expected: string): FourtierError {
  return new FourtierError({
    where: path,
    what: "weight files do not match the model",
    expected: `${expected} bytes`,
    found: `${found} bytes`,
    fix: "fetch the whole model again",
  })
}

function readWeight(path: string, { name, dtype, shape, quantization }: WeightSpec, buffer: ArrayBuffer): TfjsWeight {
  if (dtype === "bool") return { dtype: "bool", shape, data: new Uint8Array(buffer) }
  if (!quantization) {
    return dtype === "float32"
      ? { dtype: "f32", shape, data: new Float32Array(buffer) }
      : { dtype: "i32", shape, data: new Int32Array(buffer) }
  }
  if (quantization.dtype === "float16") {
    const data = halfToFloat(new Uint16Array(buffer))
    return dtype === "float32" ? { dtype: "f32", shape, data } : { dtype: "i32", shape, data: Int32Array.from(data) }
  }
  const { scale, min } = quantization
  if (scale === undefined || min === undefined) {
    throw new FourtierError({ where: path, what: "quantised weight without scale and min", found: name })
  }
  const steps = quantization.dtype === "uint8" ? new Uint8Array(buffer) : new Uint16Array(buffer)
  return dtype === "float32"
    ? { dtype: "f32", shape, data: Float32Array.from(steps, (step) => step * scale + min) }
    : { dtype: "i32", shape, data: Int32Array.from(steps, (step) => Math.round(step * scale + min)) }
}
