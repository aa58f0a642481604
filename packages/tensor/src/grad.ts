/** Reverse-mode differentiation. Gradients are graphs of the same ops, so gradients of gradients work. */

import { FourtierError } from "./errors.ts"
import type { ComputedOp } from "./ops/attributes.ts"
import { add, concat } from "./ops/functions.ts"
import { ruleOf } from "./ops/table.ts"
import { showShape } from "./shape.ts"
import { fill, isComputed, isOp, scalar, type Tensor, topologicalOrder } from "./tensor.ts"

/**
 * Gradients of a scalar with respect to `targets`, in their order and shapes. A target that `loss` does not depend on gets
 * zeros. Throws a FourtierError when `loss` is no scalar, or depends on a target through an op without a gradient.
 *
 * @example
 * ```ts
 * import { evaluate, grad, input, mul, sum } from "@fourtier/tensor"
 *
 * const x = input("x", [3])
 * const [dx] = grad(sum(mul(x, x)), [x])
 * await evaluate({ outputs: { dx } }, { x: Float32Array.of(1, 2, 3) }) // dx: 2, 4, 6
 * ```
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
  /** What each node's users contribute to its gradient. */
  const contributions = new Map<Tensor, Tensor[]>([[loss, [loss.rank === 0 ? scalar(1) : fill(loss.shape, 1)]]])
  const gradients = new Map<Tensor, Tensor>()
  for (const node of order.reverse()) {
    const parts = contributions.get(node)
    if (parts === undefined || !needed.has(node)) continue
    const dy = total(parts)
    gradients.set(node, dy)
    if (!isComputed(node)) continue
    for (const [i, contribution] of inputGradients(node, dy).entries()) {
      const x = node.inputs[i]
      if (contribution === null || !needed.has(x)) continue
      contributions.set(x, [...(contributions.get(x) ?? []), contribution])
    }
  }
  return targets.map((target) => gradients.get(target) ?? fill(target.shape, 0))
}

/** The sum. Parts padded with zeros whose contents tile an axis, as those of a split's slices do, are concatenated instead. */
function total(parts: readonly Tensor[]): Tensor {
  const padded = parts.filter((part) => isOp(part, "pad") && part.attrs.value === 0)
  const rest = parts.filter((part) => !padded.includes(part))
  const joined = concatenated(padded)
  return (joined ? [joined, ...rest] : parts).reduce((sum, part) => add(sum, part))
}

/** One concatenation in place of the sum of padded `parts`, if their contents tile one axis. */
function concatenated(parts: readonly Tensor[]): Tensor | null {
  const pieces = parts.flatMap((part) => {
    if (!isOp(part, "pad")) return []
    const axes = part.attrs.pads.flatMap(([before, after], axis) => (before > 0 || after > 0 ? [axis] : []))
    return axes.length === 1 ? [{ axis: axes[0], start: part.attrs.pads[axes[0]][0], content: part.inputs[0] }] : []
  })
  if (pieces.length < 2 || pieces.length !== parts.length) return null
  const { axis } = pieces[0]
  pieces.sort((a, b) => a.start - b.start)
  let end = 0
  for (const piece of pieces) {
    if (piece.axis !== axis || piece.start !== end) return null
    end += piece.content.shape[axis]
  }
  const contents = pieces.map(({ content }) => content)
  return end === parts[0].shape[axis] ? concat(contents, axis) : null
}

function inputGradients<K extends ComputedOp>(node: Tensor<K>, dy: Tensor): (Tensor | null)[] {
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
