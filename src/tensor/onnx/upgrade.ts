/** Raises a model's operator set by rewriting the few nodes whose form changed (https://onnx.ai/onnx/operators/). */

import { FourtierError } from "../../util/errors.ts"
import { type AttributeProto, DataType, type ModelProto, type NodeProto, type TensorProto } from "./proto.ts"

/** Older models hold ops of other forms than those rewritten here. */
const OLDEST = 13

/** These took their axes as an attribute before version 18. */
const REDUCTIONS = new Set([
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceMax",
  "ReduceMean",
  "ReduceMin",
  "ReduceProd",
  "ReduceSumSquare",
])

/** Version of the standard operator set that a model imports. */
export function opsetOf(model: ModelProto): number {
  return model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 1
}

/**
 * The same model under operator set `target`, at least its own. Throws when the model is older than version 13 or has
 * subgraphs or functions whose nodes would have to change.
 */
export function upgradeOpset(model: ModelProto, target: number): ModelProto {
  const from = opsetOf(model)
  if (from === target) return model
  if (from < OLDEST || from > target) {
    throw new FourtierError({
      where: `ONNX model ${model.graph.name}`,
      what: "its operator set cannot be raised",
      expected: `version ${OLDEST} to ${target}`,
      found: `version ${from}`,
      fix: "export the model again with a newer operator set (opset_version=17 or later)",
    })
  }
  const initializers: TensorProto[] = []
  const nodes = model.graph.nodes.map((node) => (from < 18 ? toVersion18(node, initializers) : node))
  const opsetImport = model.opsetImport.map((set) =>
    set.domain === "" || set.domain === "ai.onnx" ? { domain: "", version: target } : set,
  )
  const graph = { ...model.graph, nodes, initializers: [...model.graph.initializers, ...initializers] }
  return { ...model, opsetImport, graph }
}

function toVersion18(node: NodeProto, initializers: TensorProto[]): NodeProto {
  if (node.domain !== "" && node.domain !== "ai.onnx") return node
  if (REDUCTIONS.has(node.opType)) {
    const axes = node.attributes.find(({ name }) => name === "axes")
    if (axes?.kind !== "ints") return node
    const name = `${node.outputs[0]}/axes`
    const rawData = new Uint8Array(BigInt64Array.from(axes.value, BigInt).buffer)
    initializers.push({ name, dims: [axes.value.length], dataType: DataType.INT64, rawData })
    return { ...node, inputs: [node.inputs[0], name], attributes: node.attributes.filter((a) => a !== axes) }
  }
  if (node.opType === "Split" && node.inputs.length === 1) {
    const parts: AttributeProto = { name: "num_outputs", kind: "int", value: node.outputs.length }
    return { ...node, attributes: [...node.attributes, parts] }
  }
  return node
}
