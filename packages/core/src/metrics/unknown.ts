/** Telling clips of the classes from clips of none, by a score that is high for the former. */

import { FourtierError } from "@fourtier/tensor"

/**
 * The score above which at most this share of background clips lies: of n exchangeable clips, a further one lies above the m-th
 * largest score with probability m / (n + 1) at most (Vovk, Gammerman and Shafer 2005, Sec. 2.2). Where n clips are too few for the
 * rate, the largest score.
 * @param background scores of clips of no class
 * @param rate of false alarms, 0 to 1
 *
 * @example
 * ```ts
 * import { unknownThreshold } from "@fourtier/core/metrics"
 *
 * unknownThreshold([0.1, 0.9, 0.3, 0.2], 0.4) // 0.3: one of four is above it
 * ```
 */
export function unknownThreshold(background: readonly number[], rate: number): number {
  if (background.length === 0) {
    throw new FourtierError({ where: "threshold of unknown", what: "no clips of background", expected: "one at least" })
  }
  const falling = [...background].sort((a, b) => b - a)
  return falling[Math.max(1, Math.floor(rate * (falling.length + 1))) - 1]
}

/**
 * Area under the curve of recognised clips over false alarms (ROC): how often a clip of a class scores higher than one of none, ties
 * counting half.
 *
 * @example
 * ```ts
 * import { rocArea } from "@fourtier/core/metrics"
 *
 * rocArea([0.9, 0.6], [0.1, 0.6]) // 0.875
 * ```
 */
export function rocArea(actions: readonly number[], background: readonly number[]): number {
  const all = [...actions.map((score) => ({ score, action: 1 })), ...background.map((score) => ({ score, action: 0 }))]
  all.sort((a, b) => a.score - b.score)
  let below = 0
  let area = 0
  for (let i = 0; i < all.length; ) {
    let [own, others] = [0, 0]
    const { score } = all[i]
    for (; i < all.length && all[i].score === score; i++) {
      own += all[i].action
      others += 1 - all[i].action
    }
    area += own * (below + others / 2)
    below += others
  }
  return area / (actions.length * background.length)
}
