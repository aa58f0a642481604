/** Random numbers inside the graph. */

import type { Shape } from "../../shape.ts"
import { apply, type Tensor } from "../../tensor.ts"

/**
 * Uniform numbers in [0,1), a function of the seed (i64 []), the salt and the position alone.
 *
 * @param salt tells apart the random numbers of one graph
 *
 * @example
 * ```ts
 * import { input, less, randomUniform } from "@fourtier/tensor"
 *
 * const seed = input("seed", [], "i64")
 * less(randomUniform(seed, [8, 64], 0), 0.9).shape // [8, 64]: true with probability 0.9
 * ```
 */
export function randomUniform(seed: Tensor, shape: Shape, salt: number): Tensor {
  return apply("randomUniform", [seed], { shape, salt })
}
