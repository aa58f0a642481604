/** From probabilities to an answer: calibrated, in order, or unknown. */

import type { Calibration, Unknown } from "../schemas/bundle.ts"
import { withTemperature } from "../util/temperature.ts"

export interface Guess {
  label: string
  probability: number
}

export interface Recognition {
  /** Most probable first. */
  top: Guess[]
  /** By class number, [C]; their sum is 1. */
  probabilities: Float32Array
  /** Whether the best guess is not to be believed: see `Bundle.unknown`; always false where the bundle has no threshold. */
  unknown: boolean
  /** Frames of the input that stand in for another: the clip has too few, or one does not decode. */
  padded: number
}

/** What of a bundle makes an answer of probabilities. */
export interface AnsweringBundle {
  labels: readonly string[]
  calibration: Calibration | null
  unknown: Unknown | null
}

/**
 * The views' probabilities as an answer with its `top` most probable classes: their mean, as sure as the bundle's calibration says.
 * @param rows probabilities [C] of each view
 *
 * @example
 * ```ts
 * import { answerOf } from "@fourtier/core/bundle"
 *
 * const bundle = { labels: ["jump", "wave"], calibration: null, unknown: null }
 * answerOf(bundle, [Float32Array.of(0.25, 0.75)], 1, 0).top // [{ label: "wave", probability: 0.75 }]
 * ```
 */
export function answerOf(
  { labels, calibration, unknown }: AnsweringBundle,
  rows: readonly Float32Array[],
  top: number,
  padded: number,
): Recognition {
  const mean = new Float32Array(labels.length)
  for (const row of rows) for (const [c, p] of row.entries()) mean[c] += p / rows.length
  const probabilities = calibration ? withTemperature(mean, calibration.temperature) : mean
  const guesses = labels.map((label, c) => ({ label, probability: probabilities[c] }))
  const sorted = guesses.sort((a, b) => b.probability - a.probability)
  const [best] = sorted
  return {
    top: sorted.slice(0, top),
    probabilities,
    unknown: unknown !== null && best.probability <= unknown.threshold,
    padded,
  }
}
