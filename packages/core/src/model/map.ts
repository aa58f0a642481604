/** The size of an encoder's map. */

/** The encoder's map: T frames of H×W places, D channels. A map without a grid has H = 1 and W = N. */
export interface MapSize {
  T: number
  H: number
  W: number
  D: number
}

/**
 * Places of a frame, N = H·W.
 *
 * @example
 * ```ts
 * import { placesOf } from "@fourtier/core/model"
 *
 * placesOf({ H: 6, W: 6 }) // 36
 * ```
 */
export function placesOf({ H, W }: Pick<MapSize, "H" | "W">): number {
  return H * W
}
