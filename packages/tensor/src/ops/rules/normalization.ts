/** Softmax, layer norm and batch norm, fused in ONNX Runtime; their gradients are written with the simpler ops. */

import { apply, type Tensor } from "../../tensor.ts"
import type { NormalizationOps } from "../attributes.ts"
import { add, div, exp, expand, matmul, mul, neg, reshape, sqrt, sub, sum } from "../functions.ts"
import type { OpRules } from "../rule.ts"
import { unbroadcast } from "./adjoint.ts"

const LAYER_NORM_OUTPUTS = ["value", "mean", "invStd"] as const

export const normalization: OpRules<NormalizationOps> = {
  softmax: {
    // y·(dy − Σ y·dy)
    grad: (dy, y) => [mul(y, sub(dy, sum(mul(y, dy), y.attrs.axis, true)))],
    onnx: (emit, inputs, y) => emit.node("Softmax", inputs, { axis: y.attrs.axis }),
  },

  logSoftmax: {
    // dy − softmax·Σ dy
    grad: (dy, y) => [sub(dy, mul(exp(y), sum(dy, y.attrs.axis, true)))],
    onnx: (emit, inputs, y) => emit.node("LogSoftmax", inputs, { axis: y.attrs.axis }),
  },

  layerNorm: {
    grad: (dy, y) => {
      const [x, scale, bias] = y.inputs
      const { epsilon, out } = y.attrs
      const width = x.shape[x.rank - 1]
      if (out === "mean") return [expand(mul(dy, 1 / width), x.shape), null, null]
      const mu = apply("layerNorm", [x, scale, bias], { epsilon, out: "mean" })
      const r = apply("layerNorm", [x, scale, bias], { epsilon, out: "invStd" })
      const normed = mul(sub(x, mu), r)
      // d(1/std)/dx = −normed/(D·std²)
      if (out === "invStd") return [neg(mul(mul(dy, mul(r, r)), mul(normed, 1 / width))), null, null]
      // r·(dn − mean dn − normed·mean(dn·normed)) with dn = dy·scale; the means are products with the scale vector
      const column = reshape(mul(scale, 1 / width), [width, 1])
      const product = mul(dy, normed)
      const dx = mul(r, sub(sub(mul(dy, scale), matmul(dy, column)), mul(normed, matmul(product, column))))
      return [dx, unbroadcast(product, scale.shape), unbroadcast(dy, bias.shape)]
    },
    onnx: (emit, inputs, y) => {
      const { epsilon, out } = y.attrs
      const attrs = { axis: -1, epsilon: { float: epsilon } }
      // the plain value is a node of one output, which every provider takes; the statistics share one node of three
      if (out === "value") return emit.node("LayerNormalization", inputs, attrs)
      return emit.nodes("LayerNormalization", inputs, 3, attrs)[LAYER_NORM_OUTPUTS.indexOf(out)]
    },
  },

  batchNorm: {
    grad: (dy, y) => {
      const [x, scale, , mu, variance] = y.inputs
      const column = (v: Tensor) => reshape(v, [v.shape[0], ...new Array<number>(x.rank - 2).fill(1)])
      const overAllBut1 = (t: Tensor) => reshape(unbroadcast(t, column(scale).shape), scale.shape)
      const std = column(sqrt(add(variance, y.attrs.epsilon)))
      const normed = div(sub(x, column(mu)), std)
      const dx = div(mul(dy, column(scale)), std)
      const dVariance = mul(mul(dx, normed), div(-0.5, std))
      return [dx, overAllBut1(mul(dy, normed)), overAllBut1(dy), overAllBut1(neg(dx)), overAllBut1(dVariance)]
    },
    onnx: (emit, inputs, y) => emit.node("BatchNormalization", inputs, { epsilon: { float: y.attrs.epsilon } }),
  },
}
