/** Reductions over axes. */

import { normalizeAxis, reducedShape, sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { commonDtype, NUMBERS } from "./check.ts"
import { cast, div, equal, expand, mul, reshape, sum } from "./functions.ts"
import type { OpRule, ReduceAttrs, ReduceName } from "./rule.ts"

function reduce<K extends ReduceName>(
  op: K,
  onnx: string,
  axesAsInput: boolean,
  grad: (dy: Tensor, x: Tensor, y: Tensor, attrs: ReduceAttrs) => Tensor,
): OpRule<K> {
  return {
    infer: ([x], { axes, keepDims }) => ({
      shape: reducedShape(x.shape, axes, keepDims),
      dtype: commonDtype(op, [x], NUMBERS),
    }),
    // dy and y come with the reduced axes kept, so that they broadcast against x
    grad: (dy, y) => {
      const [x] = y.inputs
      const attrs: ReduceAttrs = y.attrs
      const kept = reducedShape(x.shape, attrs.axes, true)
      return [grad(reshape(dy, kept), x, reshape(y, kept), attrs)]
    },
    onnx: (emit, [x], y) => {
      const attrs: ReduceAttrs = y.attrs
      const keepdims = attrs.keepDims ? 1 : 0
      return axesAsInput
        ? emit.node(onnx, [x, emit.ints(attrs.axes)], { keepdims })
        : emit.node(onnx, [x], { keepdims, axes: attrs.axes })
    },
  }
}

/** The gradient goes to the places that hold the extreme value, in equal parts. */
function toExtremes(dy: Tensor, x: Tensor, y: Tensor, { axes }: ReduceAttrs): Tensor {
  const hit = cast(equal(x, y), "f32")
  return mul(hit, div(dy, sum(hit, axes, true)))
}

export const reduction: { [K in ReduceName]: OpRule<K> } & { argmax: OpRule<"argmax"> } = {
  sum: reduce("sum", "ReduceSum", true, (dy, x) => expand(dy, x.shape)),
  mean: reduce("mean", "ReduceMean", true, (dy, x, y) => expand(mul(dy, sizeOf(y.shape) / sizeOf(x.shape)), x.shape)),
  max: reduce("max", "ReduceMax", true, toExtremes),
  min: reduce("min", "ReduceMin", true, toExtremes),
  argmax: {
    infer: ([x], { axis, keepDims }) => {
      commonDtype("argmax", [x], ["f32", "i32"])
      return { shape: reducedShape(x.shape, [normalizeAxis("argmax", axis, x.rank)], keepDims), dtype: "i64" }
    },
    grad: () => [null],
    onnx: (emit, inputs, y) => emit.node("ArgMax", inputs, { axis: y.attrs.axis, keepdims: y.attrs.keepDims ? 1 : 0 }),
  },
}
