/** From the predictions of single trainings to those of methods on whole splits. */

import { distinct, groupBy, plural, type Reporter } from "@fourtier/core"
import type { MethodPredictions } from "./evaluate/results.ts"
import type { TrialResult } from "./experiment/trial.ts"
import type { Split } from "./video/splits.ts"

/** The baseline that learns from the same pseudo-labels as the full method. */
export const PSEUDO_LABELLED_BASELINE = "baseline, pseudo-labels"

/**
 * Predictions of all trials by method; folds of one kind make one split of the report. Where a trial's pseudo-labels are refused, the
 * baseline that would have learned from them is the baseline. Other methods that some trials of a split could not score, as stage 1 where a
 * class has no described clip, have no figure of all of it: they are told and left out.
 */
export function collect(
  trained: readonly { split: Pick<Split, "fold" | "name">; result: Pick<TrialResult, "predictions"> }[],
  reporter: Pick<Reporter, "warn">,
): MethodPredictions[] {
  const runs: MethodPredictions[] = []
  for (const [split, trials] of groupBy(trained, ({ split }) => (split.fold ? "all folds" : split.name))) {
    for (const method of distinct(trials.flatMap(({ result }) => [...result.predictions.keys()]))) {
      const found = trials.flatMap(({ result: { predictions } }) => {
        const other = method === PSEUDO_LABELLED_BASELINE ? predictions.get("baseline") : undefined
        return predictions.get(method) ?? other ?? []
      })
      if (found.length < trials.length) {
        reporter.warn(
          `${split}: ${method} is left out: scored in ${found.length} of ${plural(trials.length, "training")}`,
        )
        continue
      }
      const predictions = found.flatMap(({ predictions }) => predictions)
      runs.push({ split, method, trainedWeights: found[0].trainedWeights, predictions })
    }
  }
  return runs
}
