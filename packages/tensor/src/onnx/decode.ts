/** ONNX models from bytes. */

import { FourtierError } from "../errors.ts"
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSet,
  ValueInfo,
} from "./proto.ts"
import { ATTRIBUTE_TYPES } from "./proto.ts"
import { decodeTensor, type TensorProto } from "./tensor-proto.ts"
import { malformed, readFields, type WireField } from "./wire.ts"

/** Graphs in attributes of nodes in graphs in attributes ... deeper than this are refused. */
const MAX_DEPTH = 32

/**
 * The model in the bytes of a `.onnx` file. Tensor data are views into `bytes`. Throws a FourtierError on truncated or
 * corrupt bytes, on sparse tensors, and on 64-bit attributes that a number cannot hold exactly.
 *
 * @example
 * ```ts
 * import { decodeModel } from "@fourtier/tensor/onnx"
 *
 * const response = await fetch("https://example.org/model.onnx")
 * const model = decodeModel(new Uint8Array(await response.arrayBuffer()))
 * console.log(model.graph.inputs.map(({ name }) => name))
 * ```
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
  // parts of a subclass, such as Node's Buffer, would be of that subclass
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
