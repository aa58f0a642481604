/** Calibration of the shipped method, from clips that its models were not trained on. */

import { distinct } from "@fourtier/core"
import { fitTemperature, type Prediction } from "@fourtier/core/metrics"
import { type Method, titleOf } from "@fourtier/core/model"
import type { Calibration } from "@fourtier/core/schemas"
import type { Split } from "../video/splits.ts"
import { FEWEST_HELD_OUT, predictHeldOut } from "./held-out.ts"
import type { Trial, TrialResult } from "./trial.ts"

/** A trial that has run. */
export interface CalibratedTrial {
  split: Split
  seed: number
  trial: Trial
  result: TrialResult
}

export interface Calibrations {
  /** By the name of the split that is tested. */
  tested: Map<string, Calibration>
  /** Of the model to ship. */
  shipped: Calibration | null
}

/**
 * How sure the method may be, from clips that its models were not trained on. Each fold of several learns it from the test clips of
 * the other folds, and the model to ship from those of all; else clips are held out from the training clips of the first seed.
 * @param calibration the setting; null: nothing is calibrated
 *
 * @example
 * ```ts
 * import { calibrate, type CalibratedTrial } from "fourtier/experiment"
 *
 * // How far the first split's probabilities are from what they say: 1 where they mean it.
 * async function temperature(trained: CalibratedTrial[]) {
 *   const { tested } = await calibrate(trained, "full", { folds: 4 })
 *   return tested.get(trained[0].split.name)?.temperature ?? 1
 * }
 * ```
 */
export async function calibrate(
  trained: readonly CalibratedTrial[],
  method: Method,
  calibration: { folds: number } | null,
): Promise<Calibrations> {
  const tested = new Map<string, Calibration>()
  const none = { tested, shipped: null }
  if (!calibration) return none
  const fit = (predictions: readonly Prediction[], from: string): Calibration => {
    return {
      temperature: fitTemperature(predictions),
      clips: distinct(predictions.map(({ clipId }) => clipId)).length,
      from,
    }
  }
  const [{ split: first }] = trained
  if (first.fold) {
    const all = trained.flatMap(({ result }) => result.predictions.get(titleOf(method))?.predictions ?? [])
    if (all.length < FEWEST_HELD_OUT) return none
    for (const { split } of trained) {
      tested.set(
        split.name,
        fit(
          all.filter(({ fold }) => fold !== split.name),
          "the other folds",
        ),
      )
    }
    return { tested, shipped: fit(all, "all folds") }
  }
  let shipped: Calibration | null = null
  for (const { split, trial } of trained.filter(({ seed }) => seed === trained[0].seed)) {
    const heldOut = await predictHeldOut(trial, split, method, calibration.folds)
    const found = heldOut && fit(heldOut.predictions, heldOut.from)
    if (found) tested.set(split.name, found)
    shipped ??= found
  }
  return { tested, shipped }
}
