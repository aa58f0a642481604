/** What a trained method says of clips of no class, and from which probability on it is believed. */

import { withTemperature } from "@fourtier/core"
import { rocArea, unknownThreshold } from "@fourtier/core/metrics"
import { type Method, titleOf } from "@fourtier/core/model"
import type { Unknown } from "@fourtier/core/schemas"
import { clipProbabilities } from "@fourtier/core/train"
import type { Split } from "../video/splits.ts"
import { examplesOf } from "./examples.ts"
import type { Trial } from "./trial.ts"

/** Of one split with one seed. */
export interface BackgroundFigures extends Unknown {
  /** Background clips of the test part, and the share of them that is named an action. */
  tested: number
  falseAlarms: number | null
  /** Share of the test clips of classes that is not called unknown. */
  recognised: number
  /** How often a test clip of a class has a surer best class than one of none. */
  rocArea: number | null
}

/**
 * The threshold of unknown from the background clips outside of the test part, and what it does to the test part; null without such
 * clips. No background clip is trained on, so all of them are held out.
 * @param temperature of the shipped model
 * @param rate of false alarms
 *
 * @example
 * ```ts
 * import { judgeBackground, type Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * async function thresholdOf(trial: Trial, split: Split) {
 *   return (await judgeBackground(trial, split, "full", 1, 0.05))?.threshold
 * }
 * ```
 */
export async function judgeBackground(
  trial: Trial,
  split: Split,
  method: Method,
  temperature: number,
  rate: number,
): Promise<BackgroundFigures | null> {
  const { held = [], test = [] } = split.background ?? {}
  const weights = trial.result.weights.get(method)
  if (held.length === 0 || !weights) return null
  const { features, fewestClips } = trial.experiment.settings
  const graphs = await trial.experiment.classifierGraphs(method, Math.max(1, fewestClips))
  const examples = examplesOf([...held, ...test], features.testViews)
  const rows = await clipProbabilities(graphs, { source: features.test, examples }, weights)
  const best = (row: ArrayLike<number>) => Math.max(...withTemperature(row, temperature))
  const scores = rows.map(best)
  const [known, unseen] = [scores.slice(0, held.length), scores.slice(held.length)]
  const threshold = unknownThreshold(known, rate)
  const actions = (trial.result.predictions.get(titleOf(method))?.predictions ?? []).map((one) =>
    best(one.probabilities),
  )
  const above = (values: readonly number[]) => values.filter((value) => value > threshold).length / values.length
  return {
    threshold,
    falseAlarmRate: rate,
    clips: held.length,
    tested: unseen.length,
    falseAlarms: unseen.length > 0 ? above(unseen) : null,
    recognised: above(actions),
    rocArea: unseen.length > 0 ? rocArea(actions, unseen) : null,
  }
}
