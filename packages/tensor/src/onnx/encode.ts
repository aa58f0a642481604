/** ONNX models as bytes. */

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
import { encodeTensor } from "./tensor-proto.ts"
import { WireWriter } from "./wire.ts"

/**
 * The bytes of a `.onnx` file. Throws a FourtierError for numbers that ONNX cannot hold.
 *
 * @example
 * ```ts
 * import { add, input } from "@fourtier/tensor"
 * import { encodeModel, toOnnx } from "@fourtier/tensor/onnx"
 *
 * const bytes = encodeModel(toOnnx({ outputs: { y: add(input("x", [2]), 1) } }))
 * ```
 */
export function encodeModel(model: ModelProto): Uint8Array {
  return modelWriter(model).finish()
}

/**
 * The bytes of a `.onnx` file in pieces, large tensors by reference: write them one after another.
 *
 * @example
 * ```ts
 * import { add, input } from "@fourtier/tensor"
 * import { encodeModelPieces, toOnnx } from "@fourtier/tensor/onnx"
 *
 * const pieces = encodeModelPieces(toOnnx({ outputs: { y: add(input("x", [2]), 1) } }))
 * const file = new Blob(pieces.map((piece) => piece.slice()))
 * ```
 */
export function encodeModelPieces(model: ModelProto): Uint8Array[] {
  return modelWriter(model).pieces()
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
