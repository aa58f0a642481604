/** What a trained method says of clips of no class, and from which probability on it is believed. */

import { withTemperature } from "@fourtier/core"
import { withoutBackground } from "@fourtier/core/bundle"
import { rocArea, unknownThreshold } from "@fourtier/core/metrics"
import type { Method } from "@fourtier/core/model"
import type { Unknown } from "@fourtier/core/schemas"
import { clipProbabilities, type Example, type FeatureSet } from "@fourtier/core/train"
import type { Weights } from "@fourtier/tensor/nn"
import type { Clip } from "../video/manifest.ts"
import type { Split } from "../video/splits.ts"
import type { CalibratedTrial } from "./calibrate.ts"
import { examplesOf } from "./examples.ts"
import { predictHeldOutBackground } from "./held-out.ts"
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

/** The threshold where no clip of a learned background could be held out. */
const EVEN = 0.5

/** What a threshold of unknown is taken from, and how. */
export interface BackgroundOptions {
  /** Of the shipped model. */
  temperature: number
  /** Of false alarms. */
  rate: number
  /**
   * Where the network learns background: what models say of background clips that they did not learn from, a row [C+1] each; see
   * `predictHeldOutBackground`. Without them the clips outside of the test part are asked about, of which the network has learned
   * nothing otherwise.
   */
  heldOut?: readonly ArrayLike<number>[]
}

/**
 * The threshold of unknown from the background clips outside of the test part, and what it does to the test part; null without such
 * clips.
 *
 * @example
 * ```ts
 * import { judgeBackground, type Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * async function thresholdOf(trial: Trial, split: Split) {
 *   return (await judgeBackground(trial, split, "full", { temperature: 1, rate: 0.05 }))?.threshold
 * }
 * ```
 */
export async function judgeBackground(
  trial: Trial,
  split: Split,
  method: Method,
  { temperature, rate, heldOut = [] }: BackgroundOptions,
): Promise<BackgroundFigures | null> {
  const { held = [], test = [] } = split.background ?? {}
  const weights = trial.result.weights.get(method)
  if (held.length === 0 || !weights) return null
  const { classes } = trial.experiment.settings
  const learned = trial.experiment.settings.background
  const score = (row: ArrayLike<number>) => {
    const { actions, background } = withoutBackground(Float32Array.from(row), classes.length)
    return Math.max(...withTemperature(actions, temperature)) * (1 - background)
  }
  const known = (learned ? [...heldOut] : await backgroundRows(trial, method, weights, held)).map(score)
  const unseen = (await backgroundRows(trial, method, weights, test)).map(score)
  const actions = (await rowsOf(trial, method, weights, trial.data.test)).map(score)
  const threshold = known.length > 0 ? unknownThreshold(known, rate) : EVEN
  const above = (values: readonly number[]) => values.filter((value) => value > threshold).length / values.length
  return {
    threshold,
    falseAlarmRate: rate,
    clips: known.length,
    learned,
    tested: unseen.length,
    falseAlarms: unseen.length > 0 ? above(unseen) : null,
    recognised: above(actions),
    rocArea: unseen.length > 0 ? rocArea(actions, unseen) : null,
  }
}

/**
 * What a trained method says of clips of no class: a row of probabilities each.
 *
 * @example
 * ```ts
 * import { backgroundRows, type Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * async function tested(trial: Trial, split: Split) {
 *   const weights = trial.result.weights.get("full")
 *   return weights ? backgroundRows(trial, "full", weights, split.background?.test ?? []) : []
 * }
 * ```
 */
export async function backgroundRows(
  trial: Trial,
  method: Method,
  weights: Weights,
  clips: readonly Clip[],
): Promise<Float32Array[]> {
  const { features } = trial.experiment.settings
  return rowsOf(trial, method, weights, { source: features.test, examples: examplesOf(clips, features.testViews) })
}

/**
 * What is said of background clips by models that did not learn from them, where networks learn background: of those that the other
 * folds are tested on, by the models of these; else by cross-fitting, of those that the first seed learns from.
 * @param folds of cross-fitting
 *
 * @example
 * ```ts
 * import { type CalibratedTrial, heldOutBackground } from "fourtier/experiment"
 *
 * const rows = (trained: CalibratedTrial[]) => heldOutBackground(trained, trained[0], "full")
 * ```
 */
export async function heldOutBackground(
  trained: readonly CalibratedTrial[],
  { split, seed }: Pick<CalibratedTrial, "split" | "seed">,
  method: Method,
  folds = 4,
): Promise<ArrayLike<number>[]> {
  const [first] = trained
  if (!first.trial.experiment.settings.background) return []
  if (!first.split.fold) {
    const own = trained.find((one) => one.split.training === split.training && one.seed === first.seed) ?? first
    return predictHeldOutBackground(own.trial, own.split, method, folds)
  }
  const rows: ArrayLike<number>[] = []
  for (const other of trained.filter((one) => one.seed === seed && one.split.name !== split.name)) {
    const weights = other.result.weights.get(method)
    if (weights) rows.push(...(await backgroundRows(other.trial, method, weights, other.split.background?.test ?? [])))
  }
  return rows
}

async function rowsOf(
  trial: Trial,
  method: Method,
  weights: Weights,
  set: FeatureSet<Example>,
): Promise<Float32Array[]> {
  if (set.examples.length === 0) return []
  const graphs = await trial.experiment.classifierGraphs(method, Math.max(1, trial.experiment.settings.fewestClips))
  return clipProbabilities(graphs, set, weights)
}
