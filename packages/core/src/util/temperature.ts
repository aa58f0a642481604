/** Probabilities at another temperature. */

/**
 * Probabilities as if the logits of their softmax had been divided by `temperature` (Guo et al. 2017, Sec. 4.2): above 1 less
 * sure, below 1 surer. Their order stays, so no accuracy changes. Of several views' mean it is the mean's that is taken.
 * @param probabilities [C], their sum is 1
 * @returns [C], their sum is 1
 *
 * @example
 * ```ts
 * import { withTemperature } from "@fourtier/core"
 *
 * withTemperature([0.75, 0.25], 0.5) // [0.9, 0.1]
 * ```
 */
export function withTemperature(probabilities: ArrayLike<number>, temperature: number): Float32Array {
  const own = Float32Array.from(probabilities)
  if (temperature === 1) return own
  const highest = own.reduce((most, p) => Math.max(most, p), 0)
  const powers = Float64Array.from(own, (p) => (p / highest) ** (1 / temperature))
  const sum = powers.reduce((total, power) => total + power, 0)
  return Float32Array.from(powers, (power) => power / sum)
}
