/**
 * One trial: one split with one seed. Its clips, the folder with its weights and journals, and what it has predicted so far.
 * A training that is finished in the folder is not done again.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { formatSeconds } from "@fourtier/core"
import { withoutBackground } from "@fourtier/core/bundle"
import type { Prediction } from "@fourtier/core/metrics"
import type { Method } from "@fourtier/core/model"
import { FileJournal, fileCheckpoints, loadWeights, removeCheckpoint, saveWeights } from "@fourtier/core/node"
import type { ScheduleConfig } from "@fourtier/core/schemas"
import {
  type Example,
  type FeatureSet,
  type FeatureSource,
  type Labelled,
  type Retrieval,
  type TrainTask,
  train,
} from "@fourtier/core/train"
import type { Param, Weights } from "@fourtier/tensor/nn"
import { hashJson } from "@fourtier/tensor/node"
import type { Split } from "../video/splits.ts"
import { drawLabelled, examplesOf, labelledOf, provenBy } from "./examples.ts"
import type { Experiment } from "./experiment.ts"
import type { PseudoLabelFigures } from "./pseudo-label-figures.ts"
import type { Suggestion } from "./suggest.ts"
import type { Team } from "./together.ts"

/** How well held-out clips find their own answers, and how much each prompt counts for it. */
export interface RetrievalFigures {
  /** Whose answers: "" the clips' own, ", shuffled answers" for the control. */
  answers: string
  prompts: Record<string, Retrieval & { weight: number }>
}

export interface TrialResult {
  /** By method; stage 1 without a classifier as "stage 1, prompt A" … and "stage 1 alone". */
  predictions: Map<string, { trainedWeights: number; predictions: Prediction[] }>
  /** Every weight of each method's network. */
  weights: Map<Method, Weights>
  /** One for each kind of answers; none where every clip's label could be used. */
  pseudoLabels: PseudoLabelFigures[]
  /** One for each kind of answers. */
  retrieval: RetrievalFigures[]
  /** By prompt: mean predicted unit text embedding [Dt] of the training clips, where stage 1 predicts any. */
  means: ReadonlyMap<string, Float32Array>
  /** Clips without a label whose label would teach most, the first first. */
  suggestions: Suggestion[]
  /** What each training wrote of its losses. */
  journals: { title: string; path: string }[]
}

export interface TrialData {
  split: string
  training: string
  /** All training clips: what stage 1 and the channel statistics may see, without their labels. */
  train: FeatureSet<Example>
  /** The same clips as stage 1 sees them when it is fitted. */
  aligned: FeatureSet<Example>
  /** Class numbers of those that have one, also where it may not be used: to measure pseudo-labels with, for nothing else. */
  known: ReadonlyMap<string, number>
  /** Those whose labels may be used. */
  labelled: FeatureSet
  /** What a network without language learns from: those, and background where it is learned. */
  taught: FeatureSet
  val: FeatureSet
  test: FeatureSet
  groups: ReadonlyMap<string, string | null>
}

/**
 * One split with one seed.
 *
 * @example
 * ```ts
 * import { type Experiment, fineTune, Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * async function baseline(experiment: Experiment, split: Split) {
 *   const trial = new Trial(experiment, split, 0, "runs/mine/seed-0")
 *   const clips = trial.data.labelled
 *   await fineTune(trial, "baseline", { clips, fewest: clips.examples.length })
 *   return trial.result.predictions.get("baseline")
 * }
 * ```
 */
export class Trial {
  readonly experiment: Experiment
  readonly seed: number
  readonly folder: string
  readonly data: TrialData
  readonly result: TrialResult = {
    predictions: new Map(),
    weights: new Map(),
    pseudoLabels: [],
    retrieval: [],
    means: new Map(),
    suggestions: [],
    journals: [],
  }

  /**
   * @param folder holds weights and journals
   * @param tested where the features of the test clips are, and how many views of each are looked at; default: those of evaluation
   */
  constructor(
    experiment: Experiment,
    split: Split,
    seed: number,
    folder: string,
    tested?: { source: FeatureSource; views: number },
  ) {
    const { features, classes, labelsPerClass } = experiment.settings
    const { source, views } = tested ?? { source: features.test, views: features.testViews }
    this.experiment = experiment
    this.seed = seed
    this.folder = folder
    const known = labelledOf(split.train, classes, features.trainViews)
    const train = { source: features.train, examples: examplesOf(split.train, features.trainViews) }
    const { align } = features
    const labelled = drawLabelled(known, labelsPerClass, seed)
    this.data = {
      split: split.name,
      training: split.training,
      train,
      aligned: align ? { source: align.source, examples: examplesOf(split.train, align.views) } : train,
      known: new Map(known.map(({ id, label }) => [id, label])),
      labelled: { source: features.train, examples: labelled },
      taught: { source: features.train, examples: [...labelled, ...backgroundOf(split, experiment)] },
      val: { source: features.test, examples: labelledOf(split.val, classes, features.testViews) },
      test: { source, examples: provenBy(split.test, classes, views) },
      groups: new Map(split.test.map(({ id, group }) => [id, group])),
    }
  }

  /** What brings the frozen map to a common scale, fitted on the split's training clips. */
  standardize(): Promise<Weights> {
    return this.experiment.standardize(this.data.train)
  }

  /**
   * Trains a task, or takes over what an earlier run of the same settings and data has trained.
   * @param parts whatever else decides the outcome
   * @param options `start` computes first weights instead of random ones, `share` lets other processes take part; both are called only
   * where the task is trained now
   */
  async train(
    name: string,
    task: TrainTask,
    schedule: ScheduleConfig,
    parts: unknown,
    options: { start?: () => Promise<Weights>; share?: (team: Team) => Promise<void> } = {},
  ): Promise<Weights> {
    const { size, model, prompts, classes, runtime, reporter, signal, team } = this.experiment.settings
    // test clips' views decide nothing here: without validation clips, their store is not looked at
    const sets = [this.data.train, this.data.taught, this.data.val].map(({ source, examples }, part) =>
      part === 2 && examples.length === 0 ? null : [source.id, examples],
    )
    const params = task.params.map(({ name: param, shape }) => [param, shape])
    const key = hashJson({ name, parts, size, model, prompts, classes, seed: this.seed, sets, params })
    const folder = join(this.folder, safeName(name))
    const path = join(folder, "weights.safetensors")
    const checkpointPath = join(folder, "checkpoint.safetensors")
    const journalPath = join(folder, "metrics.jsonl")
    if (existsSync(path)) {
      const known = await loadWeights(path)
      if (known.metadata.key === key) {
        await removeCheckpoint(checkpointPath)
        this.keepJournal(name)
        return known.weights
      }
    }
    const start = await options.start?.()
    const ranks = options.share ? team?.ranks : undefined
    if (team && options.share) await options.share(team)
    const begun = { at: performance.now(), talk: ranks?.traffic.seconds ?? 0 }
    const { weights, steps, keptStep } = await train(task, {
      schedule,
      seed: this.seed,
      start,
      collective: ranks,
      checkpoints: fileCheckpoints(checkpointPath, key),
      journal: new FileJournal(journalPath),
      runtime,
      reporter,
      signal,
    })
    if (ranks) {
      const [all, talk] = [(performance.now() - begun.at) / 1000, ranks.traffic.seconds - begun.talk]
      reporter.say(`${name}: ${formatSeconds(all)}, ${((100 * talk) / all).toFixed(0)} % of it to hear from the others`)
    }
    await saveWeights(path, task.params, weights, { key, steps: String(steps), keptStep: String(keptStep) })
    await removeCheckpoint(checkpointPath)
    this.keepJournal(name)
    return weights
  }

  /** Notes where a training's losses are, for the report: nowhere where there was no update, or somebody has removed them. */
  keepJournal(name: string): void {
    const path = join(this.folder, safeName(name), "metrics.jsonl")
    if (existsSync(path)) this.result.journals.push({ title: name, path })
  }

  /** Writes down what a method says of the test clips: a row of probabilities each, of the classes and of background if it is learned. */
  predict(method: string, trained: readonly Param[], rows: readonly Float32Array[]): void {
    const { split, test, groups } = this.data
    const predictions = test.examples.map(({ id, label }, i) => ({
      clipId: id,
      label,
      probabilities: withoutBackground(rows[i], this.experiment.settings.classes.length).actions,
      fold: split,
      seed: this.seed,
      group: groups.get(id) ?? undefined,
    }))
    const trainedWeights = trained.reduce((sum, { tensor }) => sum + tensor.size, 0)
    this.result.predictions.set(method, { trainedWeights, predictions })
  }
}

/** The clips of no class that a split may learn from. */
function backgroundOf({ background }: Split, { settings }: Experiment): Labelled[] {
  if (!settings.background) return []
  const examples = examplesOf(background?.held ?? [], settings.features.trainViews)
  return examples.map((example) => ({ ...example, label: settings.classes.length }))
}

/**
 * "stage 1" -> "stage-1"
 *
 * @example
 * ```ts
 * import { safeName } from "fourtier/experiment"
 *
 * safeName("stage 1, prompt A") // "stage-1-prompt-A"
 * ```
 */
export function safeName(name: string): string {
  return name.normalize("NFKD").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
}
