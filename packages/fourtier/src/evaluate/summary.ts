/**
 * From the predictions of several methods to the figures of a report: per split and method the figures with intervals,
 * the paired difference to the reference method, per-class figures and the confusion matrix.
 */

import { distinct, groupBy, withTemperature } from "@fourtier/core"
import {
  type Averaging,
  type BootstrapOptions,
  bootstrap,
  calibrationError,
  calibrationErrorByChance,
  classMetrics,
  clusterOf,
  confusionMatrix,
  exchangeP,
  type FigureName,
  figureStatistics,
  type Interval,
  multiLabelPrecision,
  negativeLogLikelihood,
  type Prediction,
  pairedBootstrap,
  reliability,
  signFlipP,
  wilson,
} from "@fourtier/core/metrics"
import type { Calibration } from "@fourtier/core/schemas"
import { checkComparable } from "./comparability.ts"
import type {
  CalibratedFigures,
  ClassSummary,
  EvaluationInput,
  EvaluationResults,
  MethodPredictions,
  MethodSummary,
  PairedDifference,
  SplitSummary,
} from "./results.ts"

/**
 * Figures of every method with intervals, and its difference to the reference.
 * @throws FourtierError where the methods cannot be compared (see `checkComparable`)
 *
 * @example
 * ```ts
 * import { summarise } from "fourtier/evaluate"
 *
 * const predictions = [{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }]
 * const runs = [{ split: "test", method: "full", trainedWeights: null, predictions }]
 * const { splits } = summarise({ classes: ["jump", "wave"], runs, reference: "full", configHash: "5f1c" })
 * splits[0].methods[0].figures.top1?.value // 1
 * ```
 */
export function summarise(input: EvaluationInput): EvaluationResults {
  const { classes, runs, exclude = [], averaging = "clips", reference } = input
  const options = { resamples: 2000, level: 0.95, seed: 0, ...input.bootstrap }
  checkComparable(input)
  const settings = { reference, averaging, options, calibrations: input.calibrations ?? new Map() }
  const splits = [...groupBy(runs, ({ split }) => split).values()]
  const whole = splits.map((ofSplit) => summariseSplit(ofSplit, [...classes], [], settings))
  const partial =
    exclude.length === 0 ? [] : splits.flatMap((ofSplit) => withoutClasses(ofSplit, classes, exclude, settings))
  return {
    format: 1,
    configHash: input.configHash,
    reference,
    averaging,
    resamples: options.resamples,
    level: options.level,
    bootstrapSeed: options.seed,
    seeds: distinct(runs.flatMap((run) => seedsOf(run.predictions))).sort((a, b) => a - b),
    pseudoLabels: input.pseudoLabels ?? [],
    retrieval: input.retrieval ?? [],
    background: input.background ?? [],
    splits: [...whole, ...partial],
    means: meansOver(input.together ?? [], runs, classes, settings),
    views: input.views ?? null,
  }
}

/** The splits as the folds of one: means over them, their clips and groups drawn together. */
function meansOver(
  together: readonly string[],
  runs: readonly MethodPredictions[],
  classes: readonly string[],
  settings: Settings,
): SplitSummary[] {
  if (together.length < 2) return []
  const methods = groupBy(
    runs.filter(({ split }) => together.includes(split)),
    ({ method }) => method,
  )
  const everywhere = [...methods.values()].filter((own) => own.length === together.length)
  const joined = everywhere.map(([first, ...rest]) => ({
    ...first,
    split: `mean of ${together.join(", ")}`,
    predictions: [first, ...rest].flatMap(({ split, predictions }) =>
      predictions.map((prediction) => ({ ...prediction, fold: split })),
    ),
  }))
  if (!joined.some(({ method }) => method === settings.reference)) return []
  return [summariseSplit(joined, [...classes], [], { ...settings, averaging: "folds" })]
}

interface Settings {
  reference: string
  averaging: Averaging
  options: Required<BootstrapOptions>
  calibrations: ReadonlyMap<string, Calibration>
}

function withoutClasses(
  runs: readonly MethodPredictions[],
  classes: readonly string[],
  exclude: readonly string[],
  settings: Settings,
): SplitSummary[] {
  const left = runs.map((run) => ({ ...run, predictions: leaveOut(run.predictions, classes, exclude) }))
  if (left.some(({ predictions }) => predictions.length === 0)) return []
  const names = classes.filter((name) => !exclude.includes(name))
  return [summariseSplit(left, names, [...exclude], settings)]
}

/**
 * Predictions as if some classes did not exist: their clips are dropped, and the probabilities of the other classes are
 * scaled to sum to 1 (all equal where nothing is left of them). The models are the same; they are not trained again.
 * Labels count within the classes that are left, in their old order.
 *
 * @example
 * ```ts
 * import { leaveOut } from "fourtier/evaluate"
 *
 * const prediction = { clipId: "wave/b", label: 2, probabilities: [0.2, 0.5, 0.3] }
 * leaveOut([prediction], ["jump", "point", "wave"], ["point"])[0].probabilities // [0.4, 0.6]
 * ```
 */
export function leaveOut(
  predictions: readonly Prediction[],
  classes: readonly string[],
  exclude: readonly string[],
): Prediction[] {
  const kept = classes.flatMap((name, c) => (exclude.includes(name) ? [] : [c]))
  return predictions
    .filter(({ label }) => kept.includes(label))
    .map((prediction) => {
      const rest = kept.map((c) => prediction.probabilities[c])
      const sum = rest.reduce((total, p) => total + p, 0)
      const probabilities = rest.map((p) => (sum > 0 ? p / sum : 1 / kept.length))
      return { ...prediction, label: kept.indexOf(prediction.label), probabilities }
    })
}

function summariseSplit(
  runs: readonly MethodPredictions[],
  classes: string[],
  excluded: string[],
  settings: Settings,
): SplitSummary {
  const reference = runs.find(({ method }) => method === settings.reference) ?? runs[0]
  const clips = new Set(reference.predictions.map(({ clipId }) => clipId))
  const groups = new Set(reference.predictions.map(clusterOf))
  return {
    split: runs[0].split,
    excluded,
    classes,
    clips: clips.size,
    groups: reference.predictions.some(({ group }) => group !== undefined) ? groups.size : null,
    folds: distinct(reference.predictions.flatMap(({ fold }) => (fold === undefined ? [] : [fold]))).sort(),
    methods: runs.map((run) => summariseMethod(run, reference, classes, settings)),
  }
}

function summariseMethod(
  run: MethodPredictions,
  reference: MethodPredictions,
  classes: readonly string[],
  { averaging, options, calibrations }: Settings,
): MethodSummary {
  const { predictions } = run
  const confusion = confusionMatrix(predictions)
  const folds = groupBy(predictions, ({ fold }) => fold)
  const seeds = groupBy(predictions, ({ seed }) => seed)
  return {
    method: run.method,
    trainedWeights: run.trainedWeights,
    seeds: seedsOf(predictions),
    figures: intervals(predictions, averaging, options),
    calibrationError: calibrationError(predictions),
    calibrationErrorByChance: calibrationErrorByChance(predictions),
    reliability: reliability(predictions),
    meanAveragePrecision: averagePrecision(predictions),
    calibrated: run === reference ? calibratedFigures(predictions, calibrations) : null,
    difference: run === reference ? null : pairedDifferences(reference.predictions, predictions, averaging, options),
    perFold: [...folds].flatMap(([fold, part]) =>
      fold === undefined
        ? []
        : [{ fold, clips: new Set(part.map(({ clipId }) => clipId)).size, ...accuracies(part, "clips") }],
    ),
    perSeed: [...seeds].flatMap(([seed, part]) =>
      seed === undefined ? [] : [{ seed, ...accuracies(part, averaging) }],
    ),
    classes: classSummaries(predictions, confusion, classes, options.level),
    confusion,
  }
}

/** Figures of the calibrated predictions, where all folds are calibrated; temperature and clips are means over the folds. */
function calibratedFigures(
  predictions: readonly Prediction[],
  calibrations: ReadonlyMap<string, Calibration>,
): CalibratedFigures | null {
  const found = distinct(predictions.map(({ fold }) => fold ?? "")).map(
    (fold) => [fold, calibrations.get(fold)] as const,
  )
  const known = new Map(found.flatMap(([fold, calibration]) => (calibration ? [[fold, calibration] as const] : [])))
  if (known.size < found.length) return null
  const own = [...known.values()]
  const calibrated = predictions.map((prediction) => {
    const { temperature } = known.get(prediction.fold ?? "") ?? own[0]
    return { ...prediction, probabilities: withTemperature(prediction.probabilities, temperature) }
  })
  const mean = (value: (one: Calibration) => number) => own.reduce((sum, one) => sum + value(one), 0) / own.length
  return {
    temperature: Math.exp(mean(({ temperature }) => Math.log(temperature))),
    clips: Math.round(mean(({ clips }) => clips)),
    from: own[0].from,
    nll: negativeLogLikelihood(calibrated),
    calibrationError: calibrationError(calibrated),
    calibrationErrorByChance: calibrationErrorByChance(calibrated),
    reliability: reliability(calibrated),
  }
}

function accuracies(predictions: readonly Prediction[], averaging: Averaging): { top1: number; meanClass: number } {
  const ones = new Float64Array(predictions.length).fill(1)
  const figures = figureStatistics(predictions, averaging)
  const value = (name: FigureName) => figures.get(name)?.statistic(ones) ?? Number.NaN
  return { top1: value("top1"), meanClass: value("meanClass") }
}

/** Intervals of all figures. Where every clip is right, or every one wrong, resampling sees no spread: Wilson instead. */
function intervals(
  predictions: readonly Prediction[],
  averaging: Averaging,
  options: Required<BootstrapOptions>,
): Partial<Record<FigureName, Interval>> {
  const figures = [...figureStatistics(predictions, averaging)]
  const found = bootstrap(
    predictions,
    figures.map(([, { statistic }]) => statistic),
    options,
  )
  const clusters = new Set(predictions.map(clusterOf)).size
  return Object.fromEntries(
    figures.map(([name], k) => {
      const extreme = name !== "nll" && (found[k].value === 0 || found[k].value === 1)
      return [name, extreme ? wilson(found[k].value * clusters, clusters, options.level) : found[k]]
    }),
  )
}

/** Differences reference − other of all figures, paired by clip, each with its interval and p. */
export function pairedDifferences(
  reference: readonly Prediction[],
  other: readonly Prediction[],
  averaging: Averaging,
  options: Required<BootstrapOptions>,
): Partial<Record<FigureName, PairedDifference>> {
  const [first, second] = [reference, other].map((predictions) => figureStatistics(predictions, averaging))
  const names = [...first.keys()].filter((name) => second.has(name))
  const side = (observations: readonly Prediction[], figures: typeof first) => ({
    observations,
    statistics: names.flatMap((name) => figures.get(name)?.statistic ?? []),
  })
  const found = pairedBootstrap(side(reference, first), side(other, second), options)
  return Object.fromEntries(
    names.map((name, k) => {
      const [own, others] = [first.get(name)?.shares, second.get(name)?.shares]
      const p =
        own && others
          ? signFlipP(clusterSums(reference, own, other, others), { seed: options.seed })
          : exchanged(reference, other, name, averaging, options)
      return [name, { ...found[k], p }]
    }),
  )
}

/** What each clip or group adds to the difference of a figure that is a sum of shares. */
export function clusterSums(
  reference: readonly Prediction[],
  own: Float64Array,
  other: readonly Prediction[],
  others: Float64Array,
): number[] {
  const byCluster = new Map<string, number>()
  addShares(byCluster, reference, own, 1)
  addShares(byCluster, other, others, -1)
  return [...byCluster.values()].map(cleared)
}

function addShares(
  sums: Map<string, number>,
  predictions: readonly Prediction[],
  shares: Float64Array,
  sign: number,
): void {
  predictions.forEach((prediction, i) => {
    const cluster = clusterOf(prediction)
    sums.set(cluster, (sums.get(cluster) ?? 0) + sign * shares[i])
  })
}

/** p of any other figure. */
function exchanged(
  reference: readonly Prediction[],
  other: readonly Prediction[],
  name: FigureName,
  averaging: Averaging,
  { resamples, seed }: Required<BootstrapOptions>,
): number {
  const both = figureStatistics([...reference, ...other], averaging).get(name)
  if (!both) throw new Error(`internal error: no figure ${name}`)
  return exchangeP(reference, other, both.statistic, { resamples, seed })
}

/** Of single-label predictions, each class against all others. */
function averagePrecision(predictions: readonly Prediction[]): number {
  return multiLabelPrecision(
    predictions.map(({ clipId, label, probabilities }) => ({ clipId, labels: [label], scores: probabilities })),
  ).mean
}

/** Zero for what is only rounding. */
function cleared(value: number): number {
  return Math.abs(value) < 1e-12 ? 0 : value
}

function classSummaries(
  predictions: readonly Prediction[],
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
  level: number,
): ClassSummary[] {
  const clips = groupBy(predictions, ({ label }) => label)
  return classMetrics(confusion).map((metrics, c) => {
    const trials = new Set((clips.get(c) ?? []).map(({ clipId }) => clipId)).size
    const interval = metrics.recall === null ? null : wilson(metrics.recall * trials, trials, level)
    return { name: classes[c], ...metrics, interval }
  })
}

function seedsOf(predictions: readonly Prediction[]): number[] {
  return distinct(predictions.flatMap(({ seed }) => (seed === undefined ? [] : [seed]))).sort((a, b) => a - b)
}
