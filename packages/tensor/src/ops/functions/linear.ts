/** Matrix products. */

import { apply, type Tensor } from "../../tensor.ts"

/**
 * a [..,M,K] times b [..,K,N]; either may be given transposed on its last two axes. Batch axes broadcast.
 *
 * @example
 * ```ts
 * import { input, matmul } from "@fourtier/tensor"
 *
 * const [queries, keys] = [input("q", [8, 49, 64]), input("k", [8, 49, 64])]
 * matmul(queries, keys, { transposeB: true }).shape // [8, 49, 49]
 * matmul(queries, input("w", [64, 32])).shape // [8, 49, 32]
 * ```
 */
export function matmul(a: Tensor, b: Tensor, flags: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
  return apply("matmul", [a, b], { transposeA: flags.transposeA ?? false, transposeB: flags.transposeB ?? false })
}

/**
 * softmax(scores)·v: scores [..,M,K], v [..,K,D] -> [..,M,D]. Its gradient takes one pass over the scores less than that of
 * `softmax` and `matmul`.
 *
 * @example
 * ```ts
 * import { attend, input } from "@fourtier/tensor"
 *
 * attend(input("scores", [8, 49, 49]), input("v", [8, 49, 64])).shape // [8, 49, 64]
 * ```
 */
export function attend(scores: Tensor, v: Tensor): Tensor {
  return apply("attend", [scores, v], {})
}
