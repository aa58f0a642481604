/** What the rewrites of models share: reading float32 constants, and making nodes and constants. */

import { type AttributeProto, DataType, type ModelProto, type NodeProto, type TensorProto } from "./proto.ts"

/** A node of ONNX's own operators, named after its first output. */
export function onnxNode(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: readonly AttributeProto[] = [],
): NodeProto {
  const name = `${opType}:${outputs[0]}`
  return { name, opType, domain: "", inputs: [...inputs], outputs: [...outputs], attributes: [...attributes] }
}

/** The attribute of `Cast` with its target type. */
export function castTo(dataType: number): AttributeProto {
  return { name: "to", kind: "int", value: dataType }
}

/** A constant from typed numbers. */
export function constantOf(
  name: string,
  dataType: number,
  dims: readonly number[],
  values: Float32Array | BigInt64Array | Int8Array | Uint8Array,
): TensorProto & { rawData: Uint8Array } {
  const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return { name, dims: [...dims], dataType, rawData }
}

/** Tells float32 constants that no caller can override: models of IR version 3 list overridable ones as inputs too. */
export function isFloatConstant({ graph }: ModelProto): (tensor: TensorProto) => boolean {
  const inputs = new Set(graph.inputs.map(({ name }) => name))
  return ({ name, dataType, rawData }) => dataType === DataType.FLOAT && rawData !== undefined && !inputs.has(name)
}

/** The elements of a float32 constant; its bytes may start at any offset of the file. */
export function floatsOf({ rawData = new Uint8Array() }: TensorProto): Float32Array {
  const aligned = rawData.byteOffset % 4 === 0 ? rawData : rawData.slice()
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
}
