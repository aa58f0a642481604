/**
 * Writes a graph of tensors as an ONNX model. Equal nodes are written once. Weights may be given as values for named
 * inputs: they become initializers.
 */

import { FourtierError } from "../../util/errors.ts"
import type { Data, DType } from "../dtype.ts"
import { checkHolds } from "../dtype.ts"
import type { Emitter, OnnxAttr, OnnxName, OpName } from "../ops/rule.ts"
import { ruleOf } from "../ops/table.ts"
import { type Shape, sizeOf } from "../shape.ts"
import { isOp, type Tensor, topologicalOrder } from "../tensor.ts"
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

/** The ONNX model of a graph. Inputs appear in the order in which the graph first uses them. */
export function toOnnx({ outputs, weights, name = "fourtier", metadata = {} }: GraphOptions): ModelProto {
  const writer = new GraphWriter(weights ?? new Map())
  const entries = Object.entries(outputs)
  for (const node of topologicalOrder(entries.map(([, tensor]) => tensor))) writer.add(node)
  for (const [outputName, tensor] of entries) writer.output(outputName, tensor)
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
  readonly #written = new Map<string, OnnxName[]>()
  readonly #inputs = new Map<string, Tensor>()
  #count = 0

  constructor(weights: ReadonlyMap<string, Data>) {
    this.#weights = weights
  }

  add(tensor: Tensor): void {
    if (isOp(tensor, "input")) this.#input(tensor)
    else if (isOp(tensor, "constant")) this.#names.set(tensor, this.#constant(tensor))
    else this.#op(tensor)
  }

  /** Gives a value an output name of its own, since one value may be several outputs or an input. */
  output(name: string, tensor: Tensor): void {
    this.parts.nodes.push(onnxNode("Identity", [this.#nameOf(tensor)], [name], {}))
    this.parts.outputs.push({ name, elemType: ELEMENT_TYPE[tensor.dtype], dims: [...tensor.shape] })
  }

  node(opType: string, inputs: readonly OnnxName[], attrs: Record<string, OnnxAttr> = {}): OnnxName {
    return this.nodes(opType, inputs, 1, attrs)[0]
  }

  nodes(
    opType: string,
    inputs: readonly OnnxName[],
    outputs: number,
    attrs: Record<string, OnnxAttr> = {},
  ): OnnxName[] {
    const key = JSON.stringify([opType, inputs, outputs, attrs])
    const known = this.#written.get(key)
    if (known) return known
    const names = Array.from({ length: outputs }, () => `${opType}_${this.#count++}`)
    this.parts.nodes.push(onnxNode(opType, inputs, names, attrs))
    this.#written.set(key, names)
    return names
  }

  ints(values: readonly number[], shape: Shape = [values.length]): OnnxName {
    return this.#small("i64", DataType.INT64, BigInt64Array.from(values, BigInt), shape, values)
  }

  floats(values: readonly number[], shape: Shape = [values.length]): OnnxName {
    return this.#small("f32", DataType.FLOAT, Float32Array.from(values), shape, values)
  }

  doubles(values: readonly number[], shape: Shape = [values.length]): OnnxName {
    return this.#small("f64", DataType.DOUBLE, Float64Array.from(values), shape, values)
  }

  #small(kind: string, dataType: number, data: Data | Float64Array, shape: Shape, values: readonly number[]): OnnxName {
    const key = `${kind} ${shape.join(",")}: ${values.join(",")}`
    const known = this.#written.get(key)
    if (known) return known[0]
    const name = `const_${this.#count++}`
    this.parts.initializers.push({ name, dims: [...shape], dataType, rawData: bytesOf(data) })
    this.#written.set(key, [name])
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

  #op<K extends OpName>(tensor: Tensor<K>): void {
    const inputs = tensor.inputs.map((x) => this.#nameOf(x))
    this.#names.set(tensor, ruleOf(tensor.op).onnx(this, inputs, tensor))
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
