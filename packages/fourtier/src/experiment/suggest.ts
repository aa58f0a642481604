/** Which clips' labels would teach most. */

import { dot, unit } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"

/** Clips that are compared, at most. */
const MOST_CLIPS = 1000
/** Entropy, in units of log C, from which a clip's class is unsure. */
const LEAST_UNSURE = 0.02

export interface Suggestion {
  clip: string
  /** The class that it seems to be of; empty where it resembles none. */
  guess: string
  /** Probability of that class, 0 to 1. */
  probability: number
}

/**
 * Clips that are compared: all, or some by chance where there are very many.
 *
 * @example
 * ```ts
 * import { suggestionCandidates } from "fourtier/experiment"
 *
 * suggestionCandidates(new Map([["a", Float32Array.of(0.99, 0.01)]])) // ["a"]
 * ```
 */
export function suggestionCandidates(probabilities: ReadonlyMap<string, Float32Array>): string[] {
  const clips = [...probabilities.keys()]
  return clips.length <= MOST_CLIPS ? clips : Rng.fork("suggest").shuffle(clips).slice(0, MOST_CLIPS)
}

/**
 * Clips to label next: unsure ones (entropy of the class probabilities) that stand for many (similarity to the other clips, Settles
 * and Craven 2008), unlike those suggested before them. None where every clip's class is sure.
 * @param probabilities class probabilities [C] of the clips without a label
 * @param none clips that resemble no class
 * @param rows features [F] by clip, of the candidates
 *
 * @example
 * ```ts
 * import { suggestLabels } from "fourtier/experiment"
 *
 * const probabilities = new Map([["a", Float32Array.of(0.99, 0.01)], ["b", Float32Array.of(0.6, 0.4)]])
 * const rows = new Map([["a", Float32Array.of(1, 0)], ["b", Float32Array.of(0, 1)]])
 * suggestLabels(probabilities, new Set(), rows, ["jump", "wave"], 1) // [{ clip: "b", guess: "jump", probability: 0.6 }]
 * ```
 */
export function suggestLabels(
  probabilities: ReadonlyMap<string, Float32Array>,
  none: ReadonlySet<string>,
  rows: ReadonlyMap<string, Float32Array>,
  classes: readonly string[],
  count: number,
): Suggestion[] {
  const clips = Rng.fork("suggest")
    .shuffle([...probabilities.keys()].filter((clip) => rows.has(clip)))
    .slice(0, MOST_CLIPS)
  const vectors = clips.map((clip) => unit(rows.get(clip) ?? new Float32Array()))
  const likeness = vectors.map((a) => Float64Array.from(vectors, (b) => Math.max(0, dot(a, b))))
  const unsure = clips.map((clip) => (none.has(clip) ? 1 : entropy(probabilities.get(clip) ?? new Float32Array())))
  // what a label tells of each clip: all of itself, of others as much as they are alike
  const open = clips.map(() => 1)
  const chosen: Suggestion[] = []
  while (chosen.length < count) {
    const gains = likeness.map((row, i) =>
      open[i] === 0 || unsure[i] < LEAST_UNSURE
        ? -1
        : unsure[i] * row.reduce((sum, alike, j) => sum + alike * open[j] * (0.1 + unsure[j]), 0),
    )
    const best = gains.indexOf(Math.max(...gains))
    if (best < 0 || gains[best] < 0) break
    const row = probabilities.get(clips[best]) ?? new Float32Array()
    const most = Math.max(...row)
    const known = !none.has(clips[best])
    chosen.push({
      clip: clips[best],
      guess: known ? classes[row.indexOf(most)] : "",
      probability: known ? most : 0,
    })
    for (const [j, alike] of likeness[best].entries()) open[j] *= 1 - Math.min(1, alike)
    open[best] = 0
  }
  return chosen
}

/** In units of log C: 0 sure, 1 all classes alike. */
function entropy(row: Float32Array): number {
  return row.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0) / Math.log(Math.max(2, row.length))
}
