/** A paired test of any figure: what if it were by chance which of two methods has said what (Noreen 1989)? */

import { FourtierError, Rng } from "@fourtier/tensor"
import { type BootstrapOptions, clusterOf, type Observation, type Statistic } from "./intervals.ts"

/**
 * Two-sided p of the hypothesis that two methods are interchangeable on every clip or group: the share of random exchanges after
 * which the figure differs by at least as much as it does. For means, such as accuracy, `signFlipP` is the same test, and faster.
 * It holds the trained models fixed; it says nothing about other training seeds.
 * @param first observations of one method, `second` those of the other on the same clips
 * @param statistic the figure, of the observations of both, `first` before `second`
 *
 * @example
 * ```ts
 * import { exchangeP } from "@fourtier/core/metrics"
 *
 * // One method is right on six clips, the other on none.
 * const right = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
 * const clips = right.slice(6).map((_, i) => ({ clipId: `${i}` }))
 * const accuracy = (weights: Float64Array) => right.reduce((sum, x, i) => sum + (x * weights[i]) / 6, 0)
 * exchangeP(clips, clips, accuracy) // about 2/64
 * ```
 */
export function exchangeP(
  first: readonly Observation[],
  second: readonly Observation[],
  statistic: Statistic,
  { resamples = 2000, seed = 0 }: BootstrapOptions = {},
): number {
  if (first.length === 0 || second.length === 0) {
    throw new FourtierError({
      where: "paired test",
      what: "nothing to exchange",
      expected: "predictions of both methods",
    })
  }
  const sides = [first, second]
  const names = [...new Set(sides.flat().map(clusterOf))].sort()
  const index = new Map(names.map((name, i) => [name, i]))
  const cluster = Int32Array.from(sides.flat(), (observation) => index.get(clusterOf(observation)) ?? -1)
  // a method that ran with more seeds has more observations of each clip
  const share = sides.map((observations) => {
    return 1 / Math.max(1, new Set(observations.map((o) => String(o.seed))).size)
  })
  const [own, other] = [new Float64Array(cluster.length), new Float64Array(cluster.length)]
  const difference = (exchanged: (cluster: number) => boolean) => {
    for (let i = 0; i < cluster.length; i++) {
      const side = i < first.length ? 0 : 1
      const stays = exchanged(cluster[i]) ? side === 1 : side === 0
      own[i] = stays ? share[side] : 0
      other[i] = stays ? 0 : share[side]
    }
    return Math.abs(statistic(own) - statistic(other))
  }
  const seen = difference(() => false) - 1e-9
  const rng = Rng.fork(seed, "exchanges")
  const flips = new Uint8Array(names.length)
  let extreme = 0
  for (let r = 0; r < resamples; r++) {
    for (let k = 0; k < flips.length; ) {
      const bits = rng.bits()
      for (let b = 0; b < 32 && k < flips.length; b++, k++) flips[k] = (bits >>> b) & 1
    }
    if (difference((k) => flips[k] === 1) >= seen) extreme++
  }
  return (extreme + 1) / (resamples + 1)
}
