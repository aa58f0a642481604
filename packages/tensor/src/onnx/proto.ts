/**
 * ONNX files as plain data (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): one interface per message, an
 * encoder and a decoder. Fields that carry no meaning for running a graph (documentation, metadata of nodes,
 * quantisation hints) are left out on reading.
 */

import { FourtierError } from "../errors.ts"
import { decodeTensor, encodeTensor, type TensorProto } from "./tensor-proto.ts"
import { malformed, readFields, type WireField, WireWriter } from "./wire.ts"

export { bytesPerElement, DataType, type ExternalData, externalize, type TensorProto } from "./tensor-proto.ts"

export interface ModelProto {
  irVersion: number
  opsetImport: OperatorSet[]
  producerName: string
  graph: GraphProto
  metadataProps: Record<string, string>
  /** Operators defined by the file itself. */
  functions?: FunctionProto[]
}

/** `domain` "" is ONNX's own. */
export interface OperatorSet {
  domain: string
  version: number
}

export interface GraphProto {
  name: string
  /** In an order in which every node follows the nodes that it reads from. */
  nodes: NodeProto[]
  initializers: TensorProto[]
  inputs: ValueInfo[]
  outputs: ValueInfo[]
  valueInfo: ValueInfo[]
}

export interface FunctionProto {
  name: string
  domain: string
  inputs: string[]
  outputs: string[]
  /** Names of attributes without a default. */
  attributes: string[]
  /** Attributes with their defaults. */
  defaults: AttributeProto[]
  nodes: NodeProto[]
  opsetImport: OperatorSet[]
}

export interface NodeProto {
  name: string
  opType: string
  domain: string
  /** An absent optional input is "". */
  inputs: string[]
  outputs: string[]
  attributes: AttributeProto[]
}

export type AttributeProto =
  | { name: string; kind: "float"; value: number }
  | { name: string; kind: "int"; value: number }
  | { name: string; kind: "string"; value: string }
  | { name: string; kind: "tensor"; value: TensorProto }
  | { name: string; kind: "graph"; value: GraphProto }
  | { name: string; kind: "floats"; value: number[] }
  | { name: string; kind: "ints"; value: number[] }
  | { name: string; kind: "strings"; value: string[] }
  | { name: string; kind: "tensors"; value: TensorProto[] }
  | { name: string; kind: "graphs"; value: GraphProto[] }
  /** Inside a function: the value is that of the function's own attribute `value`, of ONNX's attribute type `type`. */
  | { name: string; kind: "reference"; value: string; type: number }

export interface ValueInfo {
  name: string
  elemType: number
  /** Numbers, names of symbolic sizes, "" for a size that is not known; null when not even the rank is known. */
  dims: (number | string)[] | null
}

const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
} as const

/** Graphs in attributes of nodes in graphs in attributes ... deeper than this are refused. */
const MAX_DEPTH = 32

/** @returns the bytes of a `.onnx` file. Throws FourtierError for numbers that ONNX cannot hold. */
export function encodeModel(model: ModelProto): Uint8Array {
  return modelWriter(model).finish()
}

/** The bytes of a `.onnx` file in pieces, large tensors by reference: write them one after another. */
export function encodeModelPieces(model: ModelProto): Uint8Array[] {
  return modelWriter(model).pieces()
}

/**
 * Reads a `.onnx` file. Tensor data are views into `bytes`. Throws FourtierError on truncated or corrupt bytes, on sparse
 * tensors, and on 64-bit attributes that a number cannot hold exactly.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const model: Omit<ModelProto, "graph" | "functions"> = {
    irVersion: 0,
    opsetImport: [],
    producerName: "",
    metadataProps: {},
  }
  const functions: FunctionProto[] = []
  let graph: GraphProto | undefined
  // A Buffer's parts would be Buffers, too.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  readFields(plain, (field) => {
    if (field.number === 1) model.irVersion = field.int()
    else if (field.number === 2) model.producerName = field.string()
    else if (field.number === 7) graph = decodeGraph(field.bytes(), 0)
    else if (field.number === 8) model.opsetImport.push(decodeOpset(field.bytes()))
    else if (field.number === 14) {
      const [key, value] = decodeEntry(field.bytes())
      model.metadataProps[key] = value
    } else if (field.number === 25) functions.push(decodeFunction(field.bytes()))
  })
  if (!graph) throw malformed("a model without a graph")
  return functions.length > 0 ? { ...model, graph, functions } : { ...model, graph }
}

function modelWriter(model: ModelProto): WireWriter {
  const out = new WireWriter()
  out.int(1, model.irVersion)
  if (model.producerName) out.string(2, model.producerName)
  out.message(7, (body) => encodeGraph(body, model.graph))
  for (const opset of model.opsetImport) out.message(8, (body) => encodeOpset(body, opset))
  for (const [key, value] of Object.entries(model.metadataProps)) {
    out.message(14, (body) => {
      body.string(1, key)
      body.string(2, value)
    })
  }
  for (const fn of model.functions ?? []) out.message(25, (body) => encodeFunction(body, fn))
  return out
}

function encodeOpset(out: WireWriter, opset: OperatorSet): void {
  if (opset.domain) out.string(1, opset.domain)
  out.int(2, opset.version)
}

function encodeGraph(out: WireWriter, graph: GraphProto): void {
  for (const node of graph.nodes) out.message(1, (body) => encodeNode(body, node))
  out.string(2, graph.name)
  for (const tensor of graph.initializers) out.message(5, (body) => encodeTensor(body, tensor))
  for (const value of graph.inputs) out.message(11, (body) => encodeValueInfo(body, value))
  for (const value of graph.outputs) out.message(12, (body) => encodeValueInfo(body, value))
  for (const value of graph.valueInfo) out.message(13, (body) => encodeValueInfo(body, value))
}

function encodeFunction(out: WireWriter, fn: FunctionProto): void {
  out.string(1, fn.name)
  for (const input of fn.inputs) out.string(4, input)
  for (const output of fn.outputs) out.string(5, output)
  for (const attribute of fn.attributes) out.string(6, attribute)
  for (const node of fn.nodes) out.message(7, (body) => encodeNode(body, node))
  for (const opset of fn.opsetImport) out.message(9, (body) => encodeOpset(body, opset))
  out.string(10, fn.domain)
  for (const attribute of fn.defaults) out.message(11, (body) => encodeAttribute(body, attribute))
}

function encodeNode(out: WireWriter, node: NodeProto): void {
  for (const input of node.inputs) out.string(1, input)
  for (const output of node.outputs) out.string(2, output)
  if (node.name) out.string(3, node.name)
  out.string(4, node.opType)
  for (const attribute of node.attributes) out.message(5, (body) => encodeAttribute(body, attribute))
  if (node.domain) out.string(7, node.domain)
}

function encodeAttribute(out: WireWriter, attribute: AttributeProto): void {
  out.string(1, attribute.name)
  switch (attribute.kind) {
    case "float":
      out.float(2, attribute.value)
      break
    case "int":
      out.int(3, attribute.value)
      break
    case "string":
      out.string(4, attribute.value)
      break
    case "tensor":
      out.message(5, (body) => encodeTensor(body, attribute.value))
      break
    case "graph":
      out.message(6, (body) => encodeGraph(body, attribute.value))
      break
    case "floats":
      out.packedFloats(7, attribute.value)
      break
    case "ints":
      out.packedInts(8, attribute.value)
      break
    case "strings":
      for (const value of attribute.value) out.string(9, value)
      break
    case "tensors":
      for (const value of attribute.value) out.message(10, (body) => encodeTensor(body, value))
      break
    case "graphs":
      for (const value of attribute.value) out.message(11, (body) => encodeGraph(body, value))
      break
    case "reference":
      out.string(21, attribute.value)
      break
  }
  out.int(20, attribute.kind === "reference" ? attribute.type : ATTRIBUTE_TYPES[attribute.kind])
}

function encodeValueInfo(out: WireWriter, value: ValueInfo): void {
  out.string(1, value.name)
  out.message(2, (type) => {
    type.message(1, (tensor) => {
      tensor.int(1, value.elemType)
      if (value.dims) tensor.message(2, (shape) => encodeShape(shape, value.dims ?? []))
    })
  })
}

function encodeShape(out: WireWriter, dims: readonly (number | string)[]): void {
  for (const dim of dims) {
    out.message(1, (body) => {
      if (typeof dim === "number") body.int(1, dim)
      else if (dim) body.string(2, dim)
    })
  }
}

function decodeOpset(bytes: Uint8Array): OperatorSet {
  const opset: OperatorSet = { domain: "", version: 0 }
  readFields(bytes, (field) => {
    if (field.number === 1) opset.domain = field.string()
    else if (field.number === 2) opset.version = field.int()
  })
  return opset
}

function decodeEntry(bytes: Uint8Array): [key: string, value: string] {
  const entry: [string, string] = ["", ""]
  readFields(bytes, (field) => {
    if (field.number === 1) entry[0] = field.string()
    else if (field.number === 2) entry[1] = field.string()
  })
  return entry
}

function decodeGraph(bytes: Uint8Array, depth: number): GraphProto {
  if (depth > MAX_DEPTH) throw malformed(`graphs nested more than ${MAX_DEPTH} deep`)
  const graph: GraphProto = { name: "", nodes: [], initializers: [], inputs: [], outputs: [], valueInfo: [] }
  const typed = (field: WireField, hint: boolean): ValueInfo[] => {
    const value = decodeValueInfo(field.bytes())
    if (value.elemType !== undefined) return [{ ...value, elemType: value.elemType }]
    if (hint) return []
    throw new FourtierError({ where: `value ${value.name}`, what: "not a tensor", expected: "a dense tensor type" })
  }
  readFields(bytes, (field) => {
    if (field.number === 1) graph.nodes.push(decodeNode(field.bytes(), depth))
    else if (field.number === 2) graph.name = field.string()
    else if (field.number === 5) graph.initializers.push(decodeTensor(field.bytes()))
    else if (field.number === 11) graph.inputs.push(...typed(field, false))
    else if (field.number === 12) graph.outputs.push(...typed(field, depth > 0))
    else if (field.number === 13) graph.valueInfo.push(...typed(field, true))
    else if (field.number === 15)
      throw new FourtierError({ where: graph.name, what: "sparse initializers are not read" })
  })
  return graph
}

function decodeFunction(bytes: Uint8Array): FunctionProto {
  const fn: FunctionProto = {
    name: "",
    domain: "",
    inputs: [],
    outputs: [],
    attributes: [],
    defaults: [],
    nodes: [],
    opsetImport: [],
  }
  readFields(bytes, (field) => {
    if (field.number === 1) fn.name = field.string()
    else if (field.number === 4) fn.inputs.push(field.string())
    else if (field.number === 5) fn.outputs.push(field.string())
    else if (field.number === 6) fn.attributes.push(field.string())
    else if (field.number === 7) fn.nodes.push(decodeNode(field.bytes(), 0))
    else if (field.number === 9) fn.opsetImport.push(decodeOpset(field.bytes()))
    else if (field.number === 10) fn.domain = field.string()
    else if (field.number === 11) fn.defaults.push(decodeAttribute(field.bytes(), 0))
  })
  return fn
}

function decodeNode(bytes: Uint8Array, depth: number): NodeProto {
  const node: NodeProto = { name: "", opType: "", domain: "", inputs: [], outputs: [], attributes: [] }
  readFields(bytes, (field) => {
    if (field.number === 1) node.inputs.push(field.string())
    else if (field.number === 2) node.outputs.push(field.string())
    else if (field.number === 3) node.name = field.string()
    else if (field.number === 4) node.opType = field.string()
    else if (field.number === 5) node.attributes.push(decodeAttribute(field.bytes(), depth))
    else if (field.number === 7) node.domain = field.string()
  })
  return node
}

function decodeAttribute(bytes: Uint8Array, depth: number): AttributeProto {
  let name = ""
  let type = 0
  let reference = ""
  const seen: Partial<{ float: number; int: number; string: string; tensor: TensorProto; graph: GraphProto }> = {}
  const lists = {
    floats: [] as number[],
    ints: [] as number[],
    strings: [] as string[],
    tensors: [] as TensorProto[],
    graphs: [] as GraphProto[],
  }
  readFields(bytes, (field) => {
    if (field.number === 1) name = field.string()
    else if (field.number === 2) seen.float = field.float()
    else if (field.number === 3) seen.int = field.int()
    else if (field.number === 4) seen.string = field.string()
    else if (field.number === 5) seen.tensor = decodeTensor(field.bytes())
    else if (field.number === 6) seen.graph = decodeGraph(field.bytes(), depth + 1)
    else if (field.number === 7) for (const value of field.floats()) lists.floats.push(value)
    else if (field.number === 8) for (const value of field.ints()) lists.ints.push(value)
    else if (field.number === 9) lists.strings.push(field.string())
    else if (field.number === 10) lists.tensors.push(decodeTensor(field.bytes()))
    else if (field.number === 11) lists.graphs.push(decodeGraph(field.bytes(), depth + 1))
    else if (field.number === 20) type = field.int()
    else if (field.number === 21) reference = field.string()
  })
  if (reference) return { name, kind: "reference", value: reference, type }
  // Files of IR version 1 leave the type out: then the field that is there tells it.
  const is = (kind: keyof typeof ATTRIBUTE_TYPES, there: boolean) =>
    type === ATTRIBUTE_TYPES[kind] || (type === 0 && there)
  if (is("float", seen.float !== undefined)) return { name, kind: "float", value: seen.float ?? 0 }
  if (is("int", seen.int !== undefined)) return { name, kind: "int", value: seen.int ?? 0 }
  if (is("string", seen.string !== undefined)) return { name, kind: "string", value: seen.string ?? "" }
  if (is("tensor", seen.tensor !== undefined) && seen.tensor) return { name, kind: "tensor", value: seen.tensor }
  if (is("graph", seen.graph !== undefined) && seen.graph) return { name, kind: "graph", value: seen.graph }
  if (is("floats", lists.floats.length > 0)) return { name, kind: "floats", value: lists.floats }
  if (is("ints", lists.ints.length > 0)) return { name, kind: "ints", value: lists.ints }
  if (is("strings", lists.strings.length > 0)) return { name, kind: "strings", value: lists.strings }
  if (is("tensors", lists.tensors.length > 0)) return { name, kind: "tensors", value: lists.tensors }
  if (is("graphs", lists.graphs.length > 0)) return { name, kind: "graphs", value: lists.graphs }
  throw new FourtierError({ where: `attribute ${name}`, what: "attribute type is not read", found: `type ${type}` })
}

/** `elemType` is absent where the value is no dense tensor. */
function decodeValueInfo(bytes: Uint8Array): Omit<ValueInfo, "elemType"> & { elemType?: number } {
  let name = ""
  let elemType: number | undefined
  let dims: (number | string)[] | null = null
  readFields(bytes, (field) => {
    if (field.number === 1) name = field.string()
    else if (field.number === 2) {
      readFields(field.bytes(), (type) => {
        if (type.number !== 1) return
        elemType = 0
        readFields(type.bytes(), (tensor) => {
          if (tensor.number === 1) elemType = tensor.int()
          else if (tensor.number === 2) dims = decodeShape(tensor.bytes())
        })
      })
    }
  })
  return { name, elemType, dims }
}

function decodeShape(bytes: Uint8Array): (number | string)[] {
  const dims: (number | string)[] = []
  readFields(bytes, (field) => {
    if (field.number !== 1) return
    let dim: number | string = ""
    readFields(field.bytes(), (part) => {
      if (part.number === 1) dim = part.int()
      else if (part.number === 2) dim = part.string()
    })
    dims.push(dim)
  })
  return dims
}
