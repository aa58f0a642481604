/** Attention heads. */

/**
 * Largest divisor of `width` not above width/headWidth: how many attention heads.
 *
 * @example
 * ```ts
 * import { headsFor } from "@fourtier/core/model"
 *
 * headsFor(384, 64) // 6
 * ```
 */
export function headsFor(width: number, headWidth: number): number {
  let heads = Math.max(1, Math.floor(width / headWidth))
  while (width % heads !== 0) heads--
  return heads
}
