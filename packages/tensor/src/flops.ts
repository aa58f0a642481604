/** Size and cost of a graph: weights, and multiply–adds, which the paper's Table 1 reports as FLOPs. */

import { isOp, type Tensor, topologicalOrder } from "./tensor.ts"

/** Size and cost of one part of a network. */
export interface Flops {
  part: string
  /** Number of weights. */
  weights: number
  /** Multiply–adds of one clip: those of matrix products and convolutions, the convention of the paper. */
  macs: number
}

/**
 * Multiply–adds of the nodes that `outputs` need beyond those in `counted`, to which they are added.
 *
 * @example
 * ```ts
 * import { input, matmul, multiplyAdds } from "@fourtier/tensor"
 *
 * multiplyAdds([matmul(input("x", [8, 3]), input("w", [3, 2]))]) // 48
 * ```
 */
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

/**
 * Size and cost of a graph whose weights are constants. Weights are the elements of its f32 constants, scalars excepted.
 *
 * @param part name of the graph in the result
 *
 * @example
 * ```ts
 * import { constant, countFlops, input, matmul } from "@fourtier/tensor"
 *
 * const weight = constant(new Float32Array(6), [3, 2])
 * countFlops("layer", matmul(input("x", [1, 3]), weight)) // { part: "layer", weights: 6, macs: 6 }
 * ```
 */
export function countFlops(part: string, output: Tensor): Flops {
  const constants = topologicalOrder([output]).filter(
    (node) => isOp(node, "constant") && node.dtype === "f32" && node.rank > 0,
  )
  const weights = constants.reduce((sum, { size }) => sum + size, 0)
  return { part, weights, macs: multiplyAdds([output]) }
}
