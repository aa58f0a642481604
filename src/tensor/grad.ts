/** Reverse-mode differentiation. Gradients are graphs of the same ops, so gradients of gradients work. */

import { FourtierError } from "../util/errors.ts"
import { add } from "./ops/functions.ts"
import type { OpName } from "./ops/rule.ts"
import { ruleOf } from "./ops/table.ts"
import { showShape } from "./shape.ts"
import { fill, scalar, type Tensor, topologicalOrder } from "./tensor.ts"

/**
 * Gradients of a scalar with respect to `targets`, in their order and shapes. A target that `loss` does not depend on gets
 * zeros. Throws when the way leads through an op without gradient.
 */
export function grad(loss: Tensor, targets: readonly Tensor[]): Tensor[] {
  if (loss.size !== 1) {
    throw new FourtierError({
      where: "grad",
      what: "only a scalar can be differentiated",
      found: showShape(loss.shape),
      fix: "sum or average it first",
    })
  }
  const order = topologicalOrder([loss])
  const needed = dependants(order, targets)
  const gradients = new Map<Tensor, Tensor>([[loss, loss.rank === 0 ? scalar(1) : fill(loss.shape, 1)]])
  for (const node of order.reverse()) {
    const dy = gradients.get(node)
    if (dy === undefined || !needed.has(node) || node.inputs.length === 0) continue
    for (const [i, contribution] of inputGradients(node, dy).entries()) {
      const x = node.inputs[i]
      if (contribution === null || !needed.has(x)) continue
      const sum = gradients.get(x)
      gradients.set(x, sum === undefined ? contribution : add(sum, contribution))
    }
  }
  return targets.map((target) => gradients.get(target) ?? fill(target.shape, 0))
}

function inputGradients<K extends OpName>(node: Tensor<K>, dy: Tensor): (Tensor | null)[] {
  const rule = ruleOf(node.op).grad
  if (typeof rule === "string") {
    throw new FourtierError({ where: `tensor op ${node.op}`, what: "has no gradient", fix: rule })
  }
  return rule(dy, node)
}

/** The nodes that depend on a target. */
function dependants(order: readonly Tensor[], targets: readonly Tensor[]): Set<Tensor> {
  const found = new Set<Tensor>(targets)
  for (const node of order) if (node.inputs.some((x) => found.has(x))) found.add(node)
  return found
}
