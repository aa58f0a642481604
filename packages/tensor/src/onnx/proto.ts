/**
 * ONNX files as plain data (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): one interface per message. `encode.ts`
 * writes them as bytes, `decode.ts` reads them. Fields that carry no meaning for running a graph (documentation, metadata
 * of nodes, quantisation hints) are left out.
 */

import type { TensorProto } from "./tensor-proto.ts"

export { DataType, type ExternalData, type TensorProto } from "./tensor-proto.ts"

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

/** ONNX's numbers of the kinds of attributes. */
export const ATTRIBUTE_TYPES = {
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
