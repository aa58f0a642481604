/** Weights and multiply–adds of a graph, part by part. */

import type { Param } from "../tensor/nn/params.ts"
import { input, isOp, type Tensor, topologicalOrder } from "../tensor/tensor.ts"
import { type MapSize, type ModelConfig, placesOf } from "./config.ts"
import { buildHead } from "./recognizer.ts"

export interface Account {
  part: string
  weights: number
  /** Multiply–adds of one clip: products of matrix multiplications and convolutions, the convention of the paper. */
  macs: number
}

/** Multiply–adds of the nodes that `outputs` need beyond those in `counted`, which is extended. */
export function multiplyAdds(outputs: readonly Tensor[], counted: Set<Tensor> = new Set()): number {
  let total = 0
  for (const node of topologicalOrder(outputs)) {
    if (counted.has(node)) continue
    counted.add(node)
    total += macsOf(node)
  }
  return total
}

function macsOf(node: Tensor): number {
  if (isOp(node, "matmul")) {
    const [a] = node.inputs
    return node.size * (node.attrs.transposeA ? a.shape[a.rank - 2] : a.shape[a.rank - 1])
  }
  if (isOp(node, "conv")) {
    const [, weight] = node.inputs
    return (node.size * weight.size) / weight.shape[0]
  }
  return 0
}

const weightsOf = (params: readonly Param[]) => params.reduce((sum, { tensor }) => sum + tensor.size, 0)

/** The head's parts for one clip. */
export function accountHead(
  size: MapSize,
  classes: number,
  prompts: readonly string[],
  config: ModelConfig,
): Account[] {
  const m = input("m", [1, size.T, placesOf(size), size.D])
  const head = buildHead(m, size, classes, prompts, config)
  const counted = new Set<Tensor>()
  const integration = head.trained.filter(({ name }) => name.startsWith("integration."))
  const linear = head.trained.filter(({ name }) => name.startsWith("classifier.linear."))
  const blocks = head.trained.filter((param) => !integration.includes(param) && !linear.includes(param))
  const lastBlock = head.logits.inputs[0].inputs[0]
  return [
    { part: "processors", weights: weightsOf(head.processors), macs: multiplyAdds([...head.values.values()], counted) },
    { part: "integration", weights: weightsOf(integration), macs: multiplyAdds([head.fused], counted) },
    { part: "blocks", weights: weightsOf(blocks), macs: multiplyAdds([lastBlock], counted) },
    { part: "classifier", weights: weightsOf(linear), macs: multiplyAdds([head.logits], counted) },
  ]
}
