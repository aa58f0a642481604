/** Gradients and ONNX forms of reductions. */

import { reducedShape, sizeOf } from "../../shape.ts"
import type { Tensor } from "../../tensor.ts"
import type { ReduceAttrs, ReduceName, ReductionOps } from "../attributes.ts"
import { cast, div, equal, expand, mul, reshape, sum } from "../functions.ts"
import type { OpRule, OpRules } from "../rule.ts"

function reduce<K extends ReduceName>(
  onnx: string,
  grad: (dy: Tensor, x: Tensor, y: Tensor, attrs: ReduceAttrs) => Tensor,
): OpRule<K> {
  return {
    // dy and y come with the reduced axes kept, so that they broadcast against x
    grad: (dy, y) => {
      const [x] = y.inputs
      const attrs: ReduceAttrs = y.attrs
      const kept = reducedShape(x.shape, attrs.axes, true)
      return [grad(reshape(dy, kept), x, reshape(y, kept), attrs)]
    },
    onnx: (emit, [x], y) => {
      const { axes, keepDims }: ReduceAttrs = y.attrs
      return emit.node(onnx, [x, emit.ints(axes)], { keepdims: keepDims ? 1 : 0 })
    },
  }
}

/** The gradient goes to the places of the extreme value, in equal parts. */
function toExtremes(dy: Tensor, x: Tensor, y: Tensor, { axes }: ReduceAttrs): Tensor {
  const hit = cast(equal(x, y), "f32")
  return mul(hit, div(dy, sum(hit, axes, true)))
}

export const reduction: OpRules<ReductionOps> = {
  sum: reduce("ReduceSum", (dy, x) => expand(dy, x.shape)),
  mean: reduce("ReduceMean", (dy, x, y) => expand(mul(dy, sizeOf(y.shape) / sizeOf(x.shape)), x.shape)),
  max: reduce("ReduceMax", toExtremes),
  min: reduce("ReduceMin", toExtremes),
  argmax: {
    grad: () => [null],
    onnx: (emit, inputs, y) => emit.node("ArgMax", inputs, { axis: y.attrs.axis, keepdims: y.attrs.keepDims ? 1 : 0 }),
  },
}
