/**
 * One trial: every method trained on one split with one seed, and what it says of the test clips.
 *
 * ```
 * channel statistics ─┬─ stage 1 ─ processors ─┬─ stage 2 ─ full
 *                     │                        └─ class anchors (stage 1 alone)
 *                     └─ baseline, attentive probe, row probe, linear probe
 * answers ─ pseudo-labels of training clips without a label ─ stage 2 of full
 * ```
 * Weights and predictions lie in the trial's folder; a method that is finished there is not trained again.
 */

import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import type { FeatureStore } from "../encoders/store.ts"
import type { MapSize, ModelConfig } from "../model/config.ts"
import type { ContrastiveConfig } from "../objective/contrastive.ts"
import type { Param, Weights } from "../tensor/nn/params.ts"
import type { SessionOptions } from "../tensor/runtime/session.ts"
import { type EmbeddedTexts, trainingTargets } from "../text/targets.ts"
import { AlignGraphs, alignmentTask, type TextTargets } from "../train/align.ts"
import { loadWeights, removeCheckpoint, saveWeights } from "../train/checkpoint.ts"
import type { ScheduleConfig } from "../train/config.ts"
import type { Example, FeatureSet, Labelled, Taught } from "../train/features.ts"
import {
  type ClassificationConfig,
  ClassifierGraphs,
  classificationTask,
  clipProbabilities,
} from "../train/finetune.ts"
import { train } from "../train/loop.ts"
import { type Method, networkOf } from "../train/networks.ts"
import type { PseudoLabelsConfig } from "../train/pseudo-labels.ts"
import { fitStandardize } from "../train/standardize.ts"
import type { TrainTask } from "../train/task.ts"
import { FourtierError } from "../util/errors.ts"
import { hashJson, writeFileAtomic } from "../util/files.ts"
import type { Reporter } from "../util/progress.ts"
import type { Split } from "../video/splits.ts"
import { anchorProbabilities, anchorsOf, anchorWeights } from "./anchors.ts"
import { drawLabelled, examplesOf, isDescribed, labelledOf } from "./examples.ts"
import type { Prediction } from "./metrics.ts"
import { addPseudoLabelled, formatFigures, type PseudoLabelFigures, pseudoLabelTable } from "./pseudo-labelled.ts"

/** What is the same for every split and seed. */
export interface TrialSettings {
  methods: readonly Method[]
  classes: readonly string[]
  prompts: readonly string[]
  size: MapSize
  model: ModelConfig
  align: ContrastiveConfig & ScheduleConfig
  stages: Record<Method, ClassificationConfig & ScheduleConfig>
  /** `id` names texts and encoder; null when there are no prompts. */
  text: EmbeddedTexts | null
  /** Null: clips without a label teach stage 1 alone. */
  pseudoLabels: PseudoLabelsConfig | null
  /** Stores and view counts of training and of evaluation. */
  features: { train: FeatureStore; trainViews: number; test: FeatureStore; testViews: number }
  /** Training clips of each class that are labelled; null: all. */
  labelsPerClass: number | null
  /** Training clips of the smallest split: bounds the batch, which is compiled in. */
  fewestClips: number
  /** Those among them with an answer to every prompt. */
  fewestDescribed: number
  /** Device and threads of training. */
  runtime: SessionOptions
  reporter: Reporter
  signal?: AbortSignal
}

export interface TrialResult {
  /** By method; stage 1 without a classifier as "stage 1, prompt A" … and "stage 1 alone". */
  predictions: Map<string, { trainedWeights: number; predictions: Prediction[] }>
  /** Every weight of each method's network. */
  weights: Map<Method, Weights>
  /** Null where every clip's label could be used. */
  pseudoLabels: PseudoLabelFigures | null
}

/** The network without prompts, taught with the same pseudo-labels: tells what the processors do from what the labels do. */
const CONTROL = "baseline, pseudo-labels"

/** Compiled graphs, shared by all splits and seeds. */
export class TrialGraphs {
  readonly #settings: TrialSettings
  readonly #classifiers = new Map<string, Promise<ClassifierGraphs>>()
  #align: Promise<AlignGraphs> | undefined
  #standardize: { split: string; weights: Promise<Weights> } | undefined

  constructor(settings: TrialSettings) {
    this.#settings = settings
  }

  align(): Promise<AlignGraphs> {
    const { size, prompts, align, text, fewestDescribed, runtime } = this.#settings
    const batch = Math.min(align.batch, fewestDescribed)
    const chunk = Math.min(align.microBatch ?? batch, batch)
    const spec = { size, prompts, textWidth: text?.width ?? 0, contrastive: align, width: this.#settings.model.width }
    this.#align ??= AlignGraphs.compile(spec, batch - (batch % chunk), chunk, runtime)
    return this.#align
  }

  /** Fitted once a split: all seeds and methods share it. */
  standardize(split: string, train: FeatureSet<Example>): Promise<Weights> {
    const { model } = this.#settings
    if (this.#standardize?.split !== split) {
      this.#standardize = { split, weights: fitStandardize(train, model.width) }
    }
    return this.#standardize.weights
  }

  /** @param clips training clips at least: bound the batch, which is compiled in */
  classifier(method: Method, clips: number): Promise<ClassifierGraphs> {
    const { size, classes, prompts, model, stages, align, text, runtime } = this.#settings
    const space = text && { similarity: align.similarity, textWidth: text.width }
    const { batch, microBatch, dropout } = stages[method]
    const spec = { size, classes: classes.length, width: model.width, build: networkOf(method, prompts, model, space) }
    const own = Math.min(microBatch ?? batch, clips)
    const key = `${method}/${own}`
    const graphs = this.#classifiers.get(key) ?? ClassifierGraphs.compile(spec, own, dropout, runtime)
    this.#classifiers.set(key, graphs)
    return graphs
  }

  async release(): Promise<void> {
    for (const graphs of [...this.#classifiers.values(), this.#align]) await (await graphs)?.release()
  }
}

/** Trains and tests all methods, or stage 1 alone, on one split with one seed. `folder` holds weights and journals. */
export async function runTrial(
  settings: TrialSettings,
  graphs: TrialGraphs,
  split: Split,
  seed: number,
  folder: string,
  alignOnly = false,
): Promise<TrialResult> {
  const { features, classes } = settings
  const train = examplesOf(split.train, features.trainViews)
  const known = labelledOf(split.train, classes, features.trainViews)
  const trial = new Trial(settings, graphs, seed, folder, {
    split: split.name,
    training: split.training,
    train: { store: features.train, examples: train },
    known: new Map(known.map(({ id, label }) => [id, label])),
    labelled: { store: features.train, examples: drawLabelled(known, settings.labelsPerClass, seed) },
    val: { store: features.test, examples: labelledOf(split.val, classes, features.testViews) },
    test: { store: features.test, examples: labelledOf(split.test, classes, features.testViews) },
    groups: new Map(split.test.map(({ id, group }) => [id, group])),
  })
  return trial.run(alignOnly)
}

interface TrialData {
  split: string
  training: string
  /** All training clips: what stage 1 and the channel statistics may see, without their labels. */
  train: FeatureSet<Example>
  /** Class numbers of those that have one, also where it may not be used: to measure pseudo-labels with, for nothing else. */
  known: ReadonlyMap<string, number>
  /** Those whose labels may be used. */
  labelled: FeatureSet
  val: FeatureSet
  test: FeatureSet
  groups: ReadonlyMap<string, string | null>
}

class Trial {
  readonly #settings: TrialSettings
  readonly #graphs: TrialGraphs
  readonly #seed: number
  readonly #folder: string
  readonly #data: TrialData
  readonly #result: TrialResult = { predictions: new Map(), weights: new Map(), pseudoLabels: null }

  constructor(settings: TrialSettings, graphs: TrialGraphs, seed: number, folder: string, data: TrialData) {
    this.#settings = settings
    this.#graphs = graphs
    this.#seed = seed
    this.#folder = folder
    this.#data = data
  }

  async run(alignOnly: boolean): Promise<TrialResult> {
    const standardize = await this.#graphs.standardize(this.#data.training, this.#data.train)
    if (alignOnly) {
      if (this.#settings.text) await this.#align(standardize)
      return this.#result
    }
    const { methods, fewestClips, fewestDescribed } = this.#settings
    const taught = methods.includes("full") ? await this.#pseudoLabelled() : null
    for (const method of methods) {
      const aligned = method === "full" && this.#settings.prompts.length > 0
      const frozen = aligned ? await this.#align(standardize) : standardize
      const train = aligned && taught ? taught : this.#data.labelled
      const graphs = await this.#graphs.classifier(
        method,
        Math.max(fewestClips, train === taught ? fewestDescribed : 0),
      )
      const weights = await this.#classify(method, method, graphs, frozen, train, aligned)
      this.#result.weights.set(method, weights)
    }
    if (taught && methods.includes("baseline")) {
      const graphs = await this.#graphs.classifier("baseline", Math.max(fewestClips, fewestDescribed))
      await this.#classify(CONTROL, "baseline", graphs, standardize, taught, false)
    }
    return this.#result
  }

  /** Clips to teach with, pseudo-labels included; those are written down as `pseudo-labels.csv`. Null where there are none. */
  async #pseudoLabelled(): Promise<FeatureSet<Taught> | null> {
    const { text, pseudoLabels, classes, reporter } = this.#settings
    if (!text || !pseudoLabels) return null
    const found = addPseudoLabelled(this.#data, text, pseudoLabels)
    if (!found) return null
    this.#result.pseudoLabels = found.figures
    reporter.say(`pseudo-labels: ${formatFigures(found.figures)}`)
    await writeFileAtomic(join(this.#folder, "pseudo-labels.csv"), pseudoLabelTable(found.probabilities, classes))
    if (!found.figures.used) {
      reporter.warn(
        found.figures.check.clips === 0
          ? "no labelled clip has answers to check the others by: clips without a label are left out of stage 2; have some labelled clips described"
          : "the answers do not tell the classes: clips without a label are left out of stage 2 (pseudoLabels.leastRight)",
      )
      return null
    }
    return { store: this.#data.train.store, examples: found.examples }
  }

  /** Stage 1: the weights that stage 2 of the full method keeps frozen. Its own answers go into the result too. */
  async #align(standardize: Weights): Promise<Weights> {
    const { text, align, prompts, classes, model, reporter } = this.#settings
    if (!text) throw new Error("internal error: stage 1 without texts")
    const graphs = await this.#graphs.align()
    const { train, val, test } = this.#data
    const described = train.examples.filter(({ id }) => isDescribed(id, prompts, text.table))
    const targets: TextTargets = {
      width: text.width,
      embeddings: trainingTargets(text.table, new Set(described.map(({ id }) => id)), text),
    }
    const labelled = this.#data.labelled.examples.filter(({ id }) => isDescribed(id, prompts, text.table))
    const anchors = anchorsOf(targets, labelled, classes.length)
    if (!anchors && model.vote > 0) throw noAnchors()
    if (!anchors) reporter.warn("stage 1 is not scored by itself: some class has no labelled clip with answers")
    const task = alignmentTask(
      graphs,
      { train: { ...train, examples: described }, val },
      targets,
      standardize,
      async (weights) => {
        if (val.examples.length === 0 || !anchors) return null
        const rows = (await anchorProbabilities(graphs, val, weights, anchors)).get("all") ?? []
        return { score: shareRight(rows, val.examples) }
      },
    )
    const trained = await this.#train("stage 1", task, align, { align, text: text.id, batch: graphs.batch })
    const weights: Weights = new Map([...standardize, ...trained, ...(anchors ? anchorWeights(anchors) : [])])
    const count = countWeights(graphs.trained)
    if (!anchors) return weights
    for (const [prompt, rows] of await anchorProbabilities(graphs, test, weights, anchors)) {
      this.#predict(prompt === "all" ? "stage 1 alone" : `stage 1, prompt ${prompt}`, count, rows)
    }
    return weights
  }

  /** Stage 2 of a method's network on the clips of `train`; its answers go into the result under `name`. */
  async #classify(
    name: string,
    method: Method,
    graphs: ClassifierGraphs,
    frozen: Weights,
    train: FeatureSet<Taught>,
    aligned: boolean,
  ): Promise<Weights> {
    const { stages, text, align } = this.#settings
    const { val, test } = this.#data
    const task = classificationTask(name, graphs, stages[method], { train, val }, frozen)
    const stage1 = aligned ? { align, text: text?.id, batch: (await this.#graphs.align()).batch } : null
    const parts = { method, stage: stages[method], batch: graphs.batch, stage1, taught: train.examples }
    const trained = await this.#train(name, task, stages[method], parts)
    const weights: Weights = new Map([...frozen, ...trained])
    const count = countWeights(graphs.trained)
    if (graphs.votes)
      this.#predict(`${name} without vote`, count, await clipProbabilities(graphs, test, weights, "classifier"))
    this.#predict(name, count, await clipProbabilities(graphs, test, weights))
    return weights
  }

  /** Trains a task, or takes over what an earlier run of the same settings and data has trained. */
  async #train(name: string, task: TrainTask, schedule: ScheduleConfig, parts: unknown): Promise<Weights> {
    const { size, model, prompts, classes, runtime, reporter, signal } = this.#settings
    const sets = [this.#data.train, this.#data.labelled, this.#data.val].map(({ store, examples }) => [
      basename(store.path),
      examples,
    ])
    const params = task.params.map(({ name: param, shape }) => [param, shape])
    const key = hashJson({ name, parts, size, model, prompts, classes, seed: this.#seed, sets, params })
    const folder = join(this.#folder, safeName(name))
    const path = join(folder, "weights.safetensors")
    const checkpointPath = join(folder, "checkpoint.safetensors")
    if (existsSync(path)) {
      const known = await loadWeights(path)
      if (known.metadata.key === key) {
        await removeCheckpoint(checkpointPath)
        return known.weights
      }
    }
    const journalPath = join(folder, "metrics.jsonl")
    const options = { schedule, seed: this.#seed, key, checkpointPath, journalPath, runtime, reporter, signal }
    const { weights, steps, keptStep } = await train(task, options)
    await saveWeights(path, task.params, weights, { key, steps: String(steps), keptStep: String(keptStep) })
    await removeCheckpoint(checkpointPath)
    return weights
  }

  #predict(method: string, trainedWeights: number, rows: readonly Float32Array[]): void {
    const { split, test, groups } = this.#data
    const predictions = test.examples.map(({ id, label }, i) => ({
      clipId: id,
      label,
      probabilities: rows[i],
      fold: split,
      seed: this.#seed,
      group: groups.get(id) ?? undefined,
    }))
    this.#result.predictions.set(method, { trainedWeights, predictions })
  }
}

function noAnchors(): FourtierError {
  return new FourtierError({
    where: "model.vote",
    what: "stage 1 cannot vote: some class has no labelled training clip with answers",
    fix: "have a labelled clip of each class described, or set model.vote=0",
  })
}

function countWeights(params: readonly Param[]): number {
  return params.reduce((sum, { tensor }) => sum + tensor.size, 0)
}

function shareRight(rows: readonly Float32Array[], examples: readonly Labelled[]): number {
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === examples[i].label).length / rows.length
}

/** "stage 1" -> "stage-1" */
export function safeName(name: string): string {
  return name.normalize("NFKD").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
}
