/** Whether predictions can be scored, and methods compared with each other. */

import { distinct, groupBy } from "@fourtier/core"
import { checkPredictions, type Prediction } from "@fourtier/core/metrics"
import { FourtierError, nearest } from "@fourtier/tensor"
import type { EvaluationInput, MethodPredictions } from "./results.ts"

/**
 * Whether predictions can be scored and the methods of each split compared.
 * @throws FourtierError where predictions cannot be scored or the methods of a split cannot be compared: other clips or
 * labels, a seed missing for some clips, a clip twice, no reference.
 *
 * @example
 * ```ts
 * import { checkComparable } from "fourtier/evaluate"
 *
 * const predictions = [{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }]
 * const runs = [{ split: "test", method: "full", trainedWeights: null, predictions }]
 * checkComparable({ classes: ["jump", "wave"], runs, reference: "full", configHash: "5f1c" })
 * ```
 */
export function checkComparable({ classes, runs, exclude = [], reference }: EvaluationInput): void {
  checkExcluded(classes, exclude)
  for (const run of runs) checkRun(run, classes)
  for (const ofSplit of groupBy(runs, ({ split }) => split).values()) checkSplit(ofSplit, reference)
}

/**
 * Whether these classes can be left out.
 * @throws FourtierError for a class to leave out that there is not, or when none is left
 *
 * @example
 * ```ts
 * import { checkExcluded } from "fourtier/evaluate"
 *
 * checkExcluded(["jump", "point", "wave"], ["point"])
 * ```
 */
export function checkExcluded(classes: readonly string[], exclude: readonly string[]): void {
  for (const name of exclude) {
    if (classes.includes(name)) continue
    const near = nearest(name, classes)
    throw new FourtierError({
      where: "classes left out",
      what: "unknown class",
      expected: `some of ${classes.join(", ")}`,
      found: name,
      ...(near === undefined ? {} : { fix: `did you mean ${near}?` }),
    })
  }
  if (classes.length > 0 && new Set(exclude).size >= classes.length) {
    throw new FourtierError({ where: "classes left out", what: "no class is left", found: exclude.join(", ") })
  }
}

function checkRun({ split, method, predictions }: MethodPredictions, classes: readonly string[]): void {
  const where = `${method} on ${split}`
  const found = checkPredictions(predictions, where)
  if (found !== classes.length) {
    throw new FourtierError({
      where,
      what: "wrong number of probabilities",
      expected: `${classes.length} (${classes.join(", ")})`,
      found: `${found}`,
    })
  }
  const complete = distinct(predictions.map(({ seed }) => seed)).length
  for (const [, runs] of groupBy(predictions, testKey)) {
    const seeds = distinct(runs.map(({ seed }) => seed))
    const { clipId } = runs[0]
    if (seeds.length !== runs.length) {
      throw new FourtierError({
        where,
        what: `clip ${clipId} appears twice`,
        expected: "one prediction per fold and seed",
      })
    }
    if (seeds.length !== complete) {
      throw new FourtierError({
        where,
        what: `clip ${clipId} was not tested with every seed`,
        expected: `${complete} seeds, as for the other clips`,
        found: seeds.join(", "),
      })
    }
  }
}

function testKey({ fold, clipId }: Prediction): string {
  return JSON.stringify([fold ?? null, clipId])
}

function checkSplit(runs: readonly MethodPredictions[], reference: string): void {
  const { split } = runs[0]
  const names = runs.map(({ method }) => method)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new FourtierError({ where: split, what: `method ${twice} appears twice` })
  const base = runs.find(({ method }) => method === reference)
  if (base === undefined) {
    throw new FourtierError({
      where: split,
      what: "the reference method is missing",
      expected: reference,
      found: names.join(", "),
    })
  }
  const known = new Map(base.predictions.map((prediction) => [testKey(prediction), prediction]))
  for (const { method, predictions } of runs) {
    for (const prediction of predictions) {
      const expected = known.get(testKey(prediction))
      if (expected === undefined) continue
      const differs =
        expected.label !== prediction.label ? "label" : expected.group !== prediction.group ? "group" : undefined
      if (differs === undefined) continue
      throw new FourtierError({
        where: `${method} on ${split}: clip ${prediction.clipId}`,
        what: `${differs} differs from that of ${reference}`,
        expected: `${expected[differs]}`,
        found: `${prediction[differs]}`,
      })
    }
  }
}
