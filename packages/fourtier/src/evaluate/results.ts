/** What a comparison of methods is given, and what it finds: `results.json` (docs/results-format.md). */

import type {
  Averaging,
  BootstrapOptions,
  ClassMetrics,
  Difference,
  FigureName,
  Interval,
  Prediction,
  ReliabilityBin,
} from "@fourtier/core/metrics"
import type { Calibration } from "@fourtier/core/schemas"
import type { BackgroundFigures } from "../experiment/background.ts"
import type { PseudoLabelFigures } from "../experiment/pseudo-label-figures.ts"
import type { RetrievalFigures } from "../experiment/trial.ts"
import type { PublishedCost } from "./published.ts"

/** What one method predicted on one split: all its folds and seeds. */
export interface MethodPredictions {
  split: string
  method: string
  /** Number of weights trained for this method; null where it makes no sense. */
  trainedWeights: number | null
  predictions: readonly Prediction[]
}

export interface EvaluationInput {
  classes: readonly string[]
  runs: readonly MethodPredictions[]
  /** The method that all others are compared with. */
  reference: string
  /** A second set of figures per split that leaves these classes out (see `leaveOut`). */
  exclude?: readonly string[]
  averaging?: Averaging
  bootstrap?: BootstrapOptions
  /** Of the reference, by the fold of its predictions; none where it was not calibrated. */
  calibrations?: ReadonlyMap<string, Calibration>
  /** Splits, each with a training of its own, whose mean is reported: the three of UCF-101 and HMDB51. None where there is one. */
  together?: readonly string[]
  /** What the tested views are, and what they cost. */
  views?: TestedViews
  /** Hash of the resolved configuration. */
  configHash: string
  /** How well pseudo-labels fitted, trial by trial; none where every training clip's label could be used. */
  pseudoLabels?: readonly PseudoLabelTrial[]
  /** How well stage 1 did on clips that it was not fitted on, trial by trial. */
  retrieval?: readonly RetrievalTrial[]
  /** What the reference says of clips of no class, trial by trial. */
  background?: readonly BackgroundTrial[]
}

/** Multi-view testing as the paper's tables count it. */
export interface TestedViews {
  /** Temporal views of a clip, and spatial ones of each. */
  clips: number
  crops: number
  encoder: string
  frames: number
  /** Height and width in pixels. */
  resolution: readonly [number, number]
  networks: NetworkCost[]
}

export interface NetworkCost {
  /** A method, or "encoder". */
  name: string
  weights: number
  /** Multiply-adds of one view, and of all views of a clip in units of 10^12. */
  macs: number
  tflops: number
  /** The row of the paper's tables, where it has this network with these views. */
  published: PublishedCost | null
}

export interface PseudoLabelTrial extends PseudoLabelFigures {
  split: string
  seed: number
}

export interface RetrievalTrial extends RetrievalFigures {
  split: string
  seed: number
}

export interface BackgroundTrial extends BackgroundFigures {
  split: string
  seed: number
}

export interface PairedDifference extends Difference {
  /** Two-sided sign-flip p over clips or groups, the trained models held fixed. */
  p: number
}

export interface ClassSummary extends ClassMetrics {
  name: string
  /** Wilson interval of the recall, by the number of distinct clips; null without clips. */
  interval: Interval | null
}

export interface MethodSummary {
  method: string
  trainedWeights: number | null
  seeds: number[]
  figures: Partial<Record<FigureName, Interval>>
  calibrationError: number
  /** What chance alone would make of it: see `calibrationErrorByChance`. */
  calibrationErrorByChance: number
  /** How often predictions are right by how sure they are: 15 bins of the confidence, from 0 to 1. */
  reliability: ReliabilityBin[]
  /** Mean over the classes of the average precision of each against all others, by its probability. */
  meanAveragePrecision: number
  /** The same figures at the temperature that the shipped model has; null for other methods, and where nothing was calibrated. */
  calibrated: CalibratedFigures | null
  /** Reference minus this method; null for the reference itself. */
  difference: Partial<Record<FigureName, PairedDifference>> | null
  perFold: { fold: string; clips: number; top1: number; meanClass: number }[]
  perSeed: { seed: number; top1: number; meanClass: number }[]
  classes: ClassSummary[]
  /** `[C][C]` counts over all folds and seeds: row = true class, column = predicted class. */
  confusion: number[][]
}

export interface CalibratedFigures extends Calibration {
  /** Mean negative log-likelihood, nats. */
  nll: number
  calibrationError: number
  calibrationErrorByChance: number
  reliability: ReliabilityBin[]
}

export interface SplitSummary {
  split: string
  /** Classes left out of these figures. */
  excluded: string[]
  classes: string[]
  clips: number
  /** Number of groups that intervals draw from; null where clips are drawn. */
  groups: number | null
  folds: string[]
  methods: MethodSummary[]
}

export interface EvaluationResults {
  format: 1
  configHash: string
  reference: string
  averaging: Averaging
  resamples: number
  level: number
  bootstrapSeed: number | string
  seeds: number[]
  pseudoLabels: readonly PseudoLabelTrial[]
  retrieval: readonly RetrievalTrial[]
  background: readonly BackgroundTrial[]
  /** Each split with all classes, then, where classes are left out, once more without them. */
  splits: SplitSummary[]
  /** Means over several splits, every split counting the same: `perFold` has each. Empty where there is one. */
  means: SplitSummary[]
  views: TestedViews | null
}
