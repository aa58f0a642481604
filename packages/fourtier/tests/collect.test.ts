/** Protects a report of several trainings: what some of them could not score does not end it after all of them. */

import { describe, expect, it } from "vitest"
import { collect } from "../src/collect.ts"
import { summarise } from "../src/evaluate/summary.ts"
import type { TrialResult } from "../src/experiment/trial.ts"

/** A training of a fold that scored some methods, each right about its one clip. */
function trial(fold: string, methods: readonly string[]) {
  const predictions = [{ clipId: `clip of ${fold}`, label: 0, probabilities: [0.8, 0.2], fold, seed: 0 }]
  const scored: TrialResult["predictions"] = new Map(methods.map((name) => [name, { trainedWeights: 10, predictions }]))
  return { split: { name: fold, fold: true }, result: { predictions: scored } }
}

function collected(...trials: ReturnType<typeof trial>[]) {
  const warnings: string[] = []
  const runs = collect(trials, { warn: (line) => void warnings.push(line) })
  return { runs, warnings }
}

describe("predictions of several trainings", () => {
  it("leave out what some folds could not score, and say so", () => {
    const { runs, warnings } = collected(
      trial("fold 1", ["stage 1 alone", "baseline", "full"]),
      trial("fold 2", ["baseline", "full"]),
    )
    expect(runs.map(({ split, method }) => `${split}: ${method}`)).toEqual(["all folds: baseline", "all folds: full"])
    expect(warnings).toEqual(["all folds: stage 1 alone is left out: scored in 1 of 2 trainings"])
    const { splits } = summarise({ classes: ["jump", "wave"], runs, reference: "full", configHash: "5f1c" })
    expect(splits[0].methods.map(({ difference }) => difference?.top1?.value ?? null)).toEqual([0, null])
  })

  it("take the baseline where pseudo-labels are refused: what would have learned from them learns without", () => {
    const { runs, warnings } = collected(
      trial("fold 1", ["baseline", "full", "baseline, pseudo-labels"]),
      trial("fold 2", ["baseline", "full"]),
    )
    const own = runs.find(({ method }) => method === "baseline, pseudo-labels")
    expect(own?.predictions.map(({ clipId }) => clipId)).toEqual(["clip of fold 1", "clip of fold 2"])
    expect(warnings).toEqual([])
  })
})
