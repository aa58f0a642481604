/** Weights and multiply–adds of a graph. */

import { isOp, type Tensor, topologicalOrder } from "./tensor.ts"

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
  if (isOp(node, "attend")) return node.size * node.inputs[1].shape[node.rank - 2]
  if (isOp(node, "conv3x3")) return node.size * 9 * node.inputs[1].shape[2]
  return 0
}

/** A graph whose weights are constants: elements of its float constants but scalars, and multiply–adds. */
export function accountGraph(part: string, output: Tensor): Account {
  const constants = topologicalOrder([output]).filter(
    (node) => isOp(node, "constant") && node.dtype === "f32" && node.rank > 0,
  )
  const weights = constants.reduce((sum, { size }) => sum + size, 0)
  return { part, weights, macs: multiplyAdds([output]) }
}
