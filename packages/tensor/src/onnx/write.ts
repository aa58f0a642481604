/**
 * Writes a graph of tensors as an ONNX model. Equal nodes are written once. Weights may be given as values for named
 * inputs: they become initializers.
 */

import { checkHolds, type Data, type DType } from "../dtype.ts"
import { FourtierError } from "../errors.ts"
import type { ComputedOp } from "../ops/attributes.ts"
import type { Emitter, OnnxAttr, OnnxName } from "../ops/rule.ts"
import { ruleOf } from "../ops/table.ts"
import { type Shape, sizeOf } from "../shape.ts"
import { isComputed, isOp, type Tensor, topologicalOrder } from "../tensor.ts"
import { type AttributeProto, DataType, type ModelProto, type NodeProto, type TensorProto } from "./proto.ts"

/** The operator set that the op table's ONNX forms are written for. */
export const OPSET = 20

const ELEMENT_TYPE: Record<DType, number> = {
  f32: DataType.FLOAT,
  f16: DataType.FLOAT16,
  i64: DataType.INT64,
  i32: DataType.INT32,
  bool: DataType.BOOL,
}

export interface GraphOptions {
  /** Outputs by name. */
  outputs: Record<string, Tensor>
  /** Values for inputs that are to become part of the file, by input name. */
  weights?: ReadonlyMap<string, Data>
  name?: string
  metadata?: Record<string, string>
}

/**
 * The ONNX model of a graph. Inputs appear in the order in which the graph first uses them.
 *
 * @example
 * ```ts
 * import { input, matmul, toOnnx } from "@fourtier/tensor"
 *
 * const logits = matmul(input("features", [1, 3]), input("weight", [3, 2]))
 * const weights = new Map([["weight", new Float32Array(6)]])
 * const model = toOnnx({ outputs: { logits }, weights }) // its one input is "features"
 * ```
 */
export function toOnnx({ outputs, weights, name = "fourtier", metadata = {} }: GraphOptions): ModelProto {
  const writer = new GraphWriter(weights ?? new Map())
  const entries = Object.entries(outputs)
  for (const node of topologicalOrder(entries.map(([, tensor]) => tensor))) writer.add(node)
  for (const [outputName, tensor] of entries) writer.output(outputName, tensor)
  writer.finish()
  return {
    irVersion: 9,
    opsetImport: [{ domain: "", version: OPSET }],
    producerName: "fourtier",
    metadataProps: metadata,
    graph: { name, ...writer.parts, valueInfo: [] },
  }
}

class GraphWriter implements Emitter {
  readonly parts: {
    nodes: NodeProto[]
    initializers: TensorProto[]
    inputs: { name: string; elemType: number; dims: number[] }[]
    outputs: { name: string; elemType: number; dims: number[] }[]
  } = { nodes: [], initializers: [], inputs: [], outputs: [] }
  readonly #weights: ReadonlyMap<string, Data>
  readonly #names = new Map<Tensor, OnnxName>()
  /** Nodes by what they compute, and small constants by their bytes. */
  readonly #nodes = new Map<string, NodeProto>()
  readonly #constants = new Map<string, OnnxName>()
  readonly #inputs = new Map<string, Tensor>()
  /** Outputs: values that take an output's name, and copies of values that cannot. */
  readonly #renamed = new Map<OnnxName, string>()
  readonly #copies: { value: OnnxName; name: string }[] = []
  #count = 0

  constructor(weights: ReadonlyMap<string, Data>) {
    this.#weights = weights
  }

  add(tensor: Tensor): void {
    if (isComputed(tensor)) this.#names.set(tensor, this.#computed(tensor))
    else if (isOp(tensor, "input")) this.#input(tensor)
    else if (isOp(tensor, "constant")) this.#names.set(tensor, this.#constant(tensor))
  }

  /** Makes a value an output. Inputs, constants and values that are outputs already are copied. */
  output(name: string, tensor: Tensor): void {
    const value = this.#nameOf(tensor)
    const own = !this.#renamed.has(value) && this.parts.nodes.some((node) => node.outputs.includes(value))
    if (own) this.#renamed.set(value, name)
    else this.#copies.push({ value, name })
    this.parts.outputs.push({ name, elemType: ELEMENT_TYPE[tensor.dtype], dims: [...tensor.shape] })
  }

  /** Gives outputs their names; nothing may be added afterwards. */
  finish(): void {
    for (const { value, name } of this.#copies) this.parts.nodes.push(onnxNode("Identity", [value], [name], {}))
    const final = (name: OnnxName) => this.#renamed.get(name) ?? name
    for (const node of this.parts.nodes) {
      node.inputs = node.inputs.map(final)
      node.outputs = node.outputs.map(final)
    }
  }

  node(opType: string, inputs: readonly OnnxName[], attrs: Record<string, OnnxAttr> = {}): OnnxName {
    return this.nodes(opType, inputs, 1, attrs)[0]
  }

  /** A node asked for with fewer outputs and with more is one node. */
  nodes(
    opType: string,
    inputs: readonly OnnxName[],
    outputs: number,
    attrs: Record<string, OnnxAttr> = {},
  ): OnnxName[] {
    const key = JSON.stringify([opType, inputs, attrs])
    let node = this.#nodes.get(key)
    if (node === undefined) {
      node = onnxNode(opType, inputs, [`${opType}_${this.#count++}`], attrs)
      this.#nodes.set(key, node)
      this.parts.nodes.push(node)
    }
    while (node.outputs.length < outputs) node.outputs.push(`${opType}_${this.#count++}`)
    return node.outputs.slice(0, outputs)
  }

  ints(values: readonly number[], shape: Shape = [values.length]): OnnxName {
    return this.#small(DataType.INT64, BigInt64Array.from(values, BigInt), shape)
  }

  floats(values: readonly number[], shape: Shape = [values.length]): OnnxName {
    return this.#small(DataType.FLOAT, Float32Array.from(values), shape)
  }

  doubles(values: readonly number[], shape: Shape = [values.length]): OnnxName {
    return this.#small(DataType.DOUBLE, Float64Array.from(values), shape)
  }

  #small(dataType: number, data: Data | Float64Array, shape: Shape): OnnxName {
    const rawData = bytesOf(data)
    const key = `${dataType} ${shape.join(",")}: ${rawData.join(" ")}`
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const name = `const_${this.#count++}`
    this.parts.initializers.push({ name, dims: [...shape], dataType, rawData })
    this.#constants.set(key, name)
    return name
  }

  #nameOf(tensor: Tensor): OnnxName {
    const name = this.#names.get(tensor)
    if (name === undefined) throw new Error(`internal error: ${tensor.op} used before it is written`)
    return name
  }

  #input(tensor: Tensor<"input">): void {
    const { name, shape, dtype } = tensor.attrs
    const other = this.#inputs.get(name)
    if (other && other !== tensor) {
      throw new FourtierError({ where: `input ${name}`, what: "two inputs of one graph share this name" })
    }
    this.#inputs.set(name, tensor)
    this.#names.set(tensor, name)
    const data = this.#weights.get(name)
    const type = { name, elemType: ELEMENT_TYPE[dtype], dims: [...shape] }
    if (data === undefined) {
      this.parts.inputs.push(type)
    } else {
      checkHolds(`weight ${name}`, dtype, data, sizeOf(shape))
      this.parts.initializers.push({ name, dims: type.dims, dataType: type.elemType, rawData: bytesOf(data) })
    }
  }

  #constant(tensor: Tensor<"constant">): OnnxName {
    const { data, name } = tensor.attrs
    if (data.length <= 1 && tensor.dtype === "f32") return this.floats([...data].map(Number), tensor.shape)
    const unique = `${name ?? "const"}_${this.#count++}`
    this.parts.initializers.push({
      name: unique,
      dims: [...tensor.shape],
      dataType: ELEMENT_TYPE[tensor.dtype],
      rawData: bytesOf(data),
    })
    return unique
  }

  #computed<K extends ComputedOp>(tensor: Tensor<K>): OnnxName {
    const inputs = tensor.inputs.map((x) => this.#nameOf(x))
    return ruleOf(tensor.op).onnx(this, inputs, tensor)
  }
}

function onnxNode(
  opType: string,
  inputs: readonly OnnxName[],
  outputs: readonly OnnxName[],
  attrs: Record<string, OnnxAttr>,
): NodeProto {
  return {
    name: `${opType}:${outputs[0]}`,
    opType,
    domain: "",
    inputs: [...inputs],
    outputs: [...outputs],
    attributes: Object.entries(attrs).map(([name, value]) => attribute(name, value)),
  }
}

function attribute(name: string, value: OnnxAttr): AttributeProto {
  if (typeof value === "string") return { name, kind: "string", value }
  if (typeof value === "number") return { name, kind: "int", value }
  if ("float" in value) return { name, kind: "float", value: value.float }
  if ("floats" in value) return { name, kind: "floats", value: [...value.floats] }
  return { name, kind: "ints", value: [...value] }
}

function bytesOf(data: Data | Float64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
