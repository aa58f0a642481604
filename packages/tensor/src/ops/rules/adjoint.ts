/** Steps that the gradients of several ops share. */

import { broadcastAxes, type Shape, sameShape } from "../../shape.ts"
import type { Tensor } from "../../tensor.ts"
import { matmul, reshape, sum, transpose } from "../functions.ts"

/** The gradient of a tensor of shape `to` from that of its broadcast: sums over the axes along which it was repeated. */
export function unbroadcast(dy: Tensor, to: Shape): Tensor {
  if (sameShape(dy.shape, to)) return dy
  const { added, repeated } = broadcastAxes(to, dy.shape)
  const axes = [...Array(added).keys(), ...repeated]
  return reshape(axes.length === 0 ? dy : sum(dy, axes, true), to)
}

/**
 * The gradient of a weight shared by a batch: Σ xᵀ·dy for x [..,M,K] and dy [..,M,N], one product over batch and rows
 * together. ONNX Runtime's product is a tenth faster on a matrix that is not transposed, so the narrower of the two is
 * transposed before it.
 */
export function sumOfOuterProducts(x: Tensor, dy: Tensor): Tensor {
  const [K, N] = [x.shape[x.rank - 1], dy.shape[dy.rank - 1]]
  const rows = (t: Tensor) => reshape(t, [-1, t.shape[t.rank - 1]]) // [..,M,K] -> [..·M,K]
  const columns = (t: Tensor) =>
    reshape(transpose(t, [t.rank - 1, ...[...t.shape.keys()].slice(0, -1)]), [t.shape[t.rank - 1], -1])
  return K <= N ? matmul(columns(x), rows(dy)) : transpose(matmul(columns(dy), rows(x)), [1, 0])
}
