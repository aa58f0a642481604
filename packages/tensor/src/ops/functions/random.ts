/** Random numbers inside the graph. */

import type { Shape } from "../../shape.ts"
import { apply, type Tensor } from "../../tensor.ts"

/**
 * Uniform numbers in [0,1), a function of the seed (i64 []), the salt and the position alone.
 *
 * @param salt tells apart the random numbers of one graph
 * @param from position of the first number, i64 []; default 0: a later part of a larger tensor has that tensor's numbers
 *
 * @example
 * ```ts
 * import { input, less, randomUniform } from "@fourtier/tensor"
 *
 * const seed = input("seed", [], "i64")
 * less(randomUniform(seed, [8, 64], 0), 0.9).shape // [8, 64]: true with probability 0.9
 * ```
 */
export function randomUniform(seed: Tensor, shape: Shape, salt: number, from?: Tensor): Tensor {
  return apply("randomUniform", from ? [seed, from] : [seed], { shape, salt })
}
