/**
 * Turns the nodes of a TensorFlow.js graph model into our graph. Shapes are static, so all arithmetic on shapes is done
 * while importing. TensorFlow's maps are [B,H,W,C]; our convolutions want [B,C,H,W]. Each value remembers in which of the
 * two it is held: the first convolution transposes its input, everything after it stays channels-first, and only a value
 * that is handed out or meets an op that needs TensorFlow's axes is transposed back.
 *
 *   outputs wanted ──depth first──► op importer (tfjs-ops.ts) ──► Value {tensor, layout} ──► Tensor in TensorFlow's axes
 */

import { constant, FourtierError, type Tensor } from "@fourtier/tensor"
import { nodeOf, type TfjsModel, type TfjsNode } from "./tfjs.ts"
import { isImportable, opImporter } from "./tfjs-ops.ts"
import { plain, tensorOf, type Value } from "./tfjs-value.ts"

export interface ImportRequest {
  /** Values that are given, by node name: the model's inputs, or any node inside it, whose own inputs are then not used. */
  inputs: Readonly<Record<string, Tensor>>
  /** Values wanted, by name (`node` or `node:output`). */
  outputs: readonly string[]
}

/**
 * The wanted values as tensors, axes as in TensorFlow, by the names asked for. Weights become named constants.
 *
 * @throws FourtierError that names the node: unknown node, ops that are not importable (all of them at once), an input that
 *   is not given, shapes that do not fit
 */
export function importGraph(model: TfjsModel, { inputs, outputs }: ImportRequest): Record<string, Tensor> {
  const values = new Map<string, readonly Value[]>()
  for (const [name, tensor] of Object.entries(inputs)) {
    findNode(model, name)
    values.set(nodeOf(name), [plain(tensor)])
  }
  const order = nodesFor(model, outputs, values)
  const unknown = order.filter(({ op }) => op !== "Placeholder" && op !== "Const" && !isImportable(op))
  if (unknown.length > 0) {
    const ops = [...new Set(unknown.map(({ op }) => op))]
    throw new FourtierError({
      where: model.path,
      what: `the graph needs ops that cannot be imported: ${ops.join(", ")}`,
      found: `first at node ${unknown[0].name}`,
      fix: "ask for an earlier output, or feed the value of such a node",
    })
  }
  for (const node of order) values.set(node.name, importNode(model, node, values))
  return Object.fromEntries(outputs.map((name) => [name, tensorOf(outputOf(model, values, name))]))
}

function importNode(model: TfjsModel, node: TfjsNode, values: ReadonlyMap<string, readonly Value[]>): readonly Value[] {
  if (node.op === "Placeholder") {
    throw new FourtierError({ where: `${model.path}, node ${node.name}`, what: "input is not given" })
  }
  if (node.op === "Const") {
    const weight = model.weights.get(node.name)
    if (!weight)
      throw new FourtierError({ where: `${model.path}, node ${node.name}`, what: "constant without a value" })
    return [plain(constant(weight.data, weight.shape, weight.dtype, node.name))]
  }
  try {
    return opImporter(node.op)(
      node,
      node.inputs.map((name) => outputOf(model, values, name)),
    )
  } catch (error) {
    if (!(error instanceof FourtierError)) throw error
    const where = `${model.path}, node ${node.name} (${node.op})`
    throw new FourtierError({ ...error.complaint, where }, { cause: error })
  }
}

function findNode(model: TfjsModel, name: string): TfjsNode {
  const node = model.nodes.get(nodeOf(name))
  if (node) return node
  throw new FourtierError({ where: model.path, what: "the model has no such node", found: name })
}

function outputOf(model: TfjsModel, values: ReadonlyMap<string, readonly Value[]>, name: string): Value {
  const index = Number(/:(\d+)$/.exec(name)?.[1] ?? 0)
  const value = values.get(nodeOf(name))?.[index]
  if (value) return value
  throw new FourtierError({ where: model.path, what: "a node has no such output", found: name })
}

/** The nodes that `outputs` depend on, inputs before users, as far as their values are not given. */
function nodesFor(model: TfjsModel, outputs: readonly string[], given: ReadonlyMap<string, unknown>): TfjsNode[] {
  const order: TfjsNode[] = []
  const state = new Map<TfjsNode, "open" | "done">()
  const visit = (name: string): void => {
    const node = findNode(model, name)
    if (given.has(node.name) || state.get(node) === "done") return
    if (state.get(node) === "open") {
      throw new FourtierError({ where: model.path, what: "the graph has a cycle", found: `at node ${node.name}` })
    }
    state.set(node, "open")
    for (const from of node.inputs) visit(from)
    state.set(node, "done")
    order.push(node)
  }
  for (const name of outputs) visit(name)
  return order
}
