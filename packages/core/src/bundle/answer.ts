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
  /** By class number, [C]; their sum is 1: each as if one of the classes were to be seen. */
  probabilities: Float32Array
  /** Probability that none of the classes is; 0 where the model has not learned that. */
  background: number
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
 * @param rows probabilities [C] of each view, with that of background behind them where the model has learned it
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
  const mean = new Float32Array(labels.length + Number(unknown?.learned ?? false))
  for (const row of rows) for (const [c, p] of row.entries()) mean[c] += p / rows.length
  const { actions, background } = withoutBackground(mean, labels.length)
  const probabilities = calibration ? withTemperature(actions, calibration.temperature) : actions
  const guesses = labels.map((label, c) => ({ label, probability: probabilities[c] }))
  const sorted = guesses.sort((a, b) => b.probability - a.probability)
  const [best] = sorted
  return {
    top: sorted.slice(0, top),
    probabilities,
    background,
    unknown: unknown !== null && best.probability * (1 - background) <= unknown.threshold,
    padded,
  }
}

/**
 * Probabilities of the classes, each as if one of them were to be seen, and that of background.
 * @param row [C], or [C+1] with background behind the classes
 *
 * @example
 * ```ts
 * import { withoutBackground } from "@fourtier/core/bundle"
 *
 * withoutBackground(Float32Array.of(0.25, 0.25, 0.5), 2) // { actions: [0.5, 0.5], background: 0.5 }
 * ```
 */
export function withoutBackground(row: Float32Array, classes: number): { actions: Float32Array; background: number } {
  if (row.length === classes) return { actions: row, background: 0 }
  const actions = row.slice(0, classes)
  const sum = actions.reduce((total, p) => total + p, 0)
  // where nothing is left for the classes, they are alike
  return { actions: actions.map((p) => (sum > 0 ? p / sum : 1 / classes)), background: row[classes] }
}

/**
 * What is believed of each class [C] when there may be none of them to see: their sum is 1 less the probability of background.
 *
 * @example
 * ```ts
 * import { believed } from "@fourtier/core/bundle"
 *
 * believed({ probabilities: Float32Array.of(0.5, 0.5), background: 0.5 }) // [0.25, 0.25]
 * ```
 */
export function believed({
  probabilities,
  background,
}: Pick<Recognition, "probabilities" | "background">): Float32Array {
  return background === 0 ? probabilities : probabilities.map((p) => p * (1 - background))
}
