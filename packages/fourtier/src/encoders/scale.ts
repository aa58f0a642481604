/** The setting `scale` of encoders with weights of their own: features beyond the range of float16 cannot be stored. */

import { mul, type Tensor } from "@fourtier/tensor"
import { z } from "zod"

export const scaleSchema = z
  .number()
  .positive()
  .default(1)
  .describe(
    "multiplies the map; below 1 for networks with features beyond 65504, the largest number of the feature store",
  )

/** The map times the scale. */
export function scaledMap(map: Tensor, scale: number): Tensor {
  return scale === 1 ? map : mul(map, scale)
}

/** What a scale adds to an encoder's identity. */
export function scaleIdentity(scale: number): { scale?: number } {
  return scale === 1 ? {} : { scale }
}
