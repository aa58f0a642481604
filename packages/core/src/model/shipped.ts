/** The trained network as it is shipped: a head on the encoder's map, with its weights, as ONNX. */

import { cast, softmax, type Tensor } from "@fourtier/tensor"
import { selectWeights, type Weights } from "@fourtier/tensor/nn"
import { type ModelProto, toOnnx } from "@fourtier/tensor/onnx"
import { PROBABILITIES } from "../schemas/bundle.ts"
import { type NetworkSpec, onRawMap } from "./network.ts"

/**
 * Training saw features as a store holds them, in half precision: so does the shipped network.
 *
 * @example
 * ```ts
 * import { asStored } from "@fourtier/core/model"
 * import { input } from "@fourtier/tensor"
 *
 * asStored(input("m", [1, 8, 36, 64])).dtype // "f32", rounded to float16
 * ```
 */
export const asStored = (m: Tensor): Tensor => cast(cast(m, "f16"), "f32")

/**
 * The head: map m [1,T,N,D] -> output `probabilities` [1,C].
 * @param m the encoder's own map, an input or computed from inputs
 * @param weights every weight of the network
 * @throws FourtierError where one is missing
 *
 * @example
 * ```ts
 * import { methodNamed, shippedHead } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { input } from "@fourtier/tensor"
 * import type { Weights } from "@fourtier/tensor/nn"
 * import { encodeModel } from "@fourtier/tensor/onnx"
 *
 * function headOf(weights: Weights) {
 *   const build = methodNamed("baseline").build({ prompts: [], model: modelSchema.parse({}), space: null })
 *   const spec = { size: { T: 8, H: 6, W: 6, D: 64 }, classes: 12, width: null, pool: "mean" as const, build }
 *   return encodeModel(shippedHead(input("m", [1, 8, 36, 64]), spec, weights))
 * }
 * ```
 */
export function shippedHead(m: Tensor, spec: NetworkSpec, weights: Weights): ModelProto {
  const network = onRawMap(asStored(m), spec, null)
  return toOnnx({
    outputs: { [PROBABILITIES]: softmax(network.final) },
    weights: selectWeights("bundle", [...network.trained, ...network.finalFrozen], weights),
  })
}
