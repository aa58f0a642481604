/**
 * What `report.html` holds as data: everything that its page draws, bounded in size. The page (`tools/report-page`) imports these
 * types and nothing else.
 */

import type { ClassSummary, EvaluationResults, MethodSummary, SplitSummary } from "../evaluate/results.ts"
import type { Inspection } from "../experiment/inspection.ts"
import type { Advice } from "./advice.ts"
import type { Health } from "./health.ts"
import type { About, StageTime } from "./run-files.ts"

export type { ClassMetrics, FigureName, Interval, ReliabilityBin } from "@fourtier/core/metrics"
export type {
  BackgroundTrial,
  CalibratedFigures,
  PairedDifference,
  PseudoLabelTrial,
  RetrievalTrial,
} from "../evaluate/results.ts"
export type { Doubt } from "../experiment/doubts.ts"
export type { Finding } from "../video/findings.ts"
export type { About, Advice, Health, Inspection, StageTime }

export interface PageData {
  format: 1
  /** Version of fourtier that has made the page. */
  fourtier: string
  /** Whether a server keeps the page up to date. */
  live: boolean
  runs: RunData[]
}

/** A method of `results.json`; classes and confusion are kept of the reference and of what it is compared with alone. */
export interface PageMethod extends Omit<MethodSummary, "classes" | "confusion"> {
  /** Its place in `methods` of `results.json`. */
  index: number
  classes: ClassSummary[] | null
  /** Counts that are not zero: true class, predicted class, how often; of the reference alone. */
  confusion: [truth: number, said: number, count: number][] | null
}

export interface PageSplit extends Omit<SplitSummary, "methods"> {
  /** Where it stands in `results.json`: "splits[0]", "means[0]". */
  place: string
  methods: PageMethod[]
}

export interface PageResults extends Omit<EvaluationResults, "splits" | "means"> {
  splits: PageSplit[]
  means: PageSplit[]
}

/** One prediction of the reference: clip, true class, predicted class, its probability and that of the true class; fold, seed. */
export type PagePrediction = [
  clip: string,
  label: number,
  said: number,
  probability: number,
  own: number,
  fold: string,
  seed: number | null,
]

export interface PagePredictions {
  split: string
  method: string
  /** The most confident mistakes first, then the others; cut off at a limit. */
  rows: PagePrediction[]
  /** How many there are in `predictions.csv`. */
  all: number
}

export interface PageCurve {
  /** For example "full: loss". */
  panel: string
  series: { name: string; points: [step: number, value: number][] }[]
}

/** What is known of a clip that is shown. */
export interface PageClip {
  /** Path relative to the data. */
  path: string
  label: string | null
  group: string | null
  seconds: number
  frames: number
  width: number
  height: number
  /** A small JPEG as data URI; null where there was no room. */
  strip: string | null
}

export interface PseudoLabelRow {
  clip: string
  /** Empty where it resembles none. */
  label: string
  probability: number
  /** The label that was held back, where there is one. */
  known: string | null
}

export interface RunData {
  /** Name of the run's folder. */
  name: string
  title: string
  about: About | null
  results: PageResults | null
  predictions: PagePredictions[]
  curves: PageCurve[]
  inspection: Inspection | null
  /** By clip id, then prompt: answers that the page shows. */
  answers: Record<string, Record<string, string>>
  clips: Record<string, PageClip>
  /** Clips that are shown but have no strip. */
  withoutStrip: number
  pseudoLabels: { rows: PseudoLabelRow[]; all: number } | null
  suggestions: { clip: string; guess: string; probability: number }[]
  health: Health | null
  advice: Advice[]
  times: StageTime[]
  /** `config.yaml` as it is. */
  config: string | null
}
