/** Raises a model's operator set by rewriting the few nodes whose form changed (https://onnx.ai/onnx/operators/). */

import { FourtierError } from "../errors.ts"
import {
  type AttributeProto,
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from "./proto.ts"

/** Models older than this have ops in forms that are not rewritten here. */
const OLDEST = 13

/** Ops whose meaning or form changed in a way that is not rewritten here, with the version that changed it. */
const CHANGED = new Map([
  ["RoiAlign", 16],
  ["GridSample", 20],
  ["DFT", 20],
])

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

/**
 * Version of the standard operator set that a model imports.
 *
 * @example
 * ```ts
 * import { fill, toOnnx } from "@fourtier/tensor"
 * import { opsetOf } from "@fourtier/tensor/onnx"
 *
 * opsetOf(toOnnx({ outputs: { y: fill([2], 1) } })) // 20
 * ```
 */
export function opsetOf(model: ModelProto): number {
  return model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 1
}

/**
 * The same model under operator set `target`, at least its own. Throws a FourtierError when the model is older than version
 * 13, or has an op that changed its meaning since.
 *
 * @example
 * ```ts
 * import { readOnnx } from "@fourtier/tensor/node"
 * import { OPSET, upgradeOpset } from "@fourtier/tensor/onnx"
 *
 * const model = upgradeOpset(await readOnnx("encoder.onnx"), OPSET)
 * ```
 */
export function upgradeOpset(model: ModelProto, target: number): ModelProto {
  const from = opsetOf(model)
  if (from === target) return model
  const fail = (found: string) =>
    new FourtierError({
      where: `ONNX model ${model.graph.name}`,
      what: "its operator set cannot be raised",
      expected: `version ${OLDEST} to ${target}`,
      found,
      fix: "export the model again with a newer operator set (opset_version=17 or later)",
    })
  if (from < OLDEST || from > target) throw fail(`version ${from}`)
  const initializers: TensorProto[] = []
  const upgraded = (node: NodeProto): NodeProto => {
    const changed = isStandard(node) ? CHANGED.get(node.opType) : undefined
    if (changed !== undefined && from < changed && changed <= target) {
      throw fail(`version ${from} with the op ${node.opType}, which version ${changed} changed`)
    }
    const own = from < 18 && target >= 18 ? toVersion18(node, initializers) : node
    return { ...own, attributes: own.attributes.map(inside) }
  }
  const inGraph = (graph: GraphProto): GraphProto => ({ ...graph, nodes: graph.nodes.map(upgraded) })
  const inside = (attribute: AttributeProto): AttributeProto => {
    if (attribute.kind === "graph") return { ...attribute, value: inGraph(attribute.value) }
    if (attribute.kind === "graphs") return { ...attribute, value: attribute.value.map(inGraph) }
    return attribute
  }
  const opsetImport = model.opsetImport.map((set) =>
    set.domain === "" || set.domain === "ai.onnx" ? { domain: "", version: target } : set,
  )
  const graph = inGraph(model.graph)
  return { ...model, opsetImport, graph: { ...graph, initializers: [...graph.initializers, ...initializers] } }
}

const isStandard = ({ domain }: NodeProto) => domain === "" || domain === "ai.onnx"

/** New constants become initializers of the main graph, which subgraphs see too. */
function toVersion18(node: NodeProto, initializers: TensorProto[]): NodeProto {
  if (!isStandard(node)) return node
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
