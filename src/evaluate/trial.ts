/**
 * One trial: every method trained on one split with one seed, and what it says of the test clips.
 *
 * ```
 * channel statistics ─┬─ stage 1 ─ processors ─┬─ stage 2 ─ full
 *                     │                        └─ class anchors (stage 1 alone)
 *                     └─ baseline, attentive probe, linear probe
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
import { type TextEmbeddingTable, trainingTargets } from "../text/targets.ts"
import { AlignGraphs, alignmentTask, type TextTargets } from "../train/align.ts"
import { loadWeights, removeCheckpoint, saveWeights } from "../train/checkpoint.ts"
import type { ScheduleConfig } from "../train/config.ts"
import type { Example, FeatureSet } from "../train/features.ts"
import {
  type ClassificationConfig,
  ClassifierGraphs,
  classificationTask,
  clipProbabilities,
} from "../train/finetune.ts"
import { train } from "../train/loop.ts"
import { type Method, networkOf } from "../train/networks.ts"
import { fitStandardize } from "../train/standardize.ts"
import type { TrainTask } from "../train/task.ts"
import { hashJson } from "../util/files.ts"
import type { Reporter } from "../util/progress.ts"
import { Rng } from "../util/random.ts"
import type { Clip } from "../video/manifest.ts"
import type { Split } from "../video/splits.ts"
import { anchorProbabilities, anchorsOf, anchorWeights } from "./anchors.ts"
import type { Prediction } from "./metrics.ts"

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
  text: { table: TextEmbeddingTable; width: number; center: boolean; id: string } | null
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
}

/** Compiled graphs, shared by all splits and seeds. */
export class TrialGraphs {
  readonly #settings: TrialSettings
  readonly #classifiers = new Map<Method, Promise<ClassifierGraphs>>()
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
  standardize(split: string, train: FeatureSet): Promise<Weights> {
    const { model } = this.#settings
    if (this.#standardize?.split !== split) {
      this.#standardize = { split, weights: fitStandardize(train, model.width) }
    }
    return this.#standardize.weights
  }

  classifier(method: Method): Promise<ClassifierGraphs> {
    const { size, classes, prompts, model, stages, align, text, fewestClips, runtime } = this.#settings
    const space = text && { similarity: align.similarity, textWidth: text.width }
    const { batch, microBatch, dropout } = stages[method]
    const spec = { size, classes: classes.length, width: model.width, build: networkOf(method, prompts, model, space) }
    const graphs =
      this.#classifiers.get(method) ??
      ClassifierGraphs.compile(spec, Math.min(microBatch ?? batch, fewestClips), dropout, runtime)
    this.#classifiers.set(method, graphs)
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
  const train = examplesOf(split.train, classes, features.trainViews)
  const trial = new Trial(settings, graphs, seed, folder, {
    split: split.name,
    training: split.training,
    train: { store: features.train, examples: train },
    labelled: { store: features.train, examples: drawLabelled(train, settings.labelsPerClass, seed) },
    val: { store: features.test, examples: examplesOf(split.val, classes, features.testViews) },
    test: { store: features.test, examples: examplesOf(split.test, classes, features.testViews) },
    groups: new Map(split.test.map(({ id, group }) => [id, group])),
  })
  return trial.run(alignOnly)
}

interface TrialData {
  split: string
  training: string
  /** All training clips: what stage 1 and the channel statistics may see, without their labels. */
  train: FeatureSet
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
  readonly #result: TrialResult = { predictions: new Map(), weights: new Map() }

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
    for (const method of this.#settings.methods) {
      const aligned = method === "full" && this.#settings.prompts.length > 0
      const frozen = aligned ? await this.#align(standardize) : standardize
      await this.#classify(method, frozen, aligned)
    }
    return this.#result
  }

  /** Stage 1: the weights that stage 2 of the full method keeps frozen. Its own answers go into the result too. */
  async #align(standardize: Weights): Promise<Weights> {
    const { text, align, prompts, classes } = this.#settings
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
    const task = alignmentTask(
      graphs,
      { train: { ...train, examples: described }, val },
      targets,
      standardize,
      async (weights) => {
        if (val.examples.length === 0) return null
        const rows = (await anchorProbabilities(graphs, val, weights, anchors)).get("all") ?? []
        return { score: shareRight(rows, val.examples) }
      },
    )
    const trained = await this.#train("stage 1", task, align, { align, text: text.id, batch: graphs.batch })
    const weights: Weights = new Map([...standardize, ...trained, ...anchorWeights(anchors)])
    const count = countWeights(graphs.trained)
    for (const [prompt, rows] of await anchorProbabilities(graphs, test, weights, anchors)) {
      this.#predict(prompt === "all" ? "stage 1 alone" : `stage 1, prompt ${prompt}`, count, rows)
    }
    return weights
  }

  async #classify(method: Method, frozen: Weights, aligned: boolean): Promise<void> {
    const { stages, text, align } = this.#settings
    const graphs = await this.#graphs.classifier(method)
    const { labelled, val } = this.#data
    const task = classificationTask(method, graphs, stages[method], { train: labelled, val }, frozen)
    const stage1 = aligned ? { align, text: text?.id, batch: (await this.#graphs.align()).batch } : null
    const parts = { method, stage: stages[method], batch: graphs.batch, stage1 }
    const trained = await this.#train(method, task, stages[method], parts)
    const weights: Weights = new Map([...frozen, ...trained])
    this.#result.weights.set(method, weights)
    const count = countWeights(graphs.trained)
    const { test } = this.#data
    if (graphs.votes)
      this.#predict(`${method} without vote`, count, await clipProbabilities(graphs, test, weights, "classifier"))
    this.#predict(method, count, await clipProbabilities(graphs, test, weights))
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

function examplesOf(clips: readonly Clip[], classes: readonly string[], views: number): Example[] {
  return clips.map(({ id, hash, label }) => ({
    id,
    hash,
    label: classes.indexOf(label ?? ""),
    views: [...Array(views).keys()],
  }))
}

/** Whether a clip has an answer to every prompt: others sit out stage 1. */
export function isDescribed(clip: string, prompts: readonly string[], table: TextEmbeddingTable): boolean {
  return prompts.every((prompt) => table.get(prompt)?.has(clip))
}

/** At most `perClass` clips of each class, drawn by the seed; all with null. */
function drawLabelled(examples: readonly Example[], perClass: number | null, seed: number): readonly Example[] {
  if (perClass === null) return examples
  const taken = new Map<number, number>()
  return Rng.fork(seed, "labelled")
    .shuffle(examples)
    .filter(({ label }) => {
      const count = (taken.get(label) ?? 0) + 1
      taken.set(label, count)
      return count <= perClass
    })
}

/** How many of the clips have a label that may be used. */
export function countLabelled(clips: readonly Clip[], perClass: number | null): number {
  const counts = new Map<string | null, number>()
  for (const { label } of clips) counts.set(label, (counts.get(label) ?? 0) + 1)
  return [...counts.values()].reduce((sum, count) => sum + Math.min(count, perClass ?? count), 0)
}

function countWeights(params: readonly Param[]): number {
  return params.reduce((sum, { tensor }) => sum + tensor.size, 0)
}

function shareRight(rows: readonly Float32Array[], examples: readonly Example[]): number {
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === examples[i].label).length / rows.length
}

/** "stage 1" -> "stage-1" */
export function safeName(name: string): string {
  return name.normalize("NFKD").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
}
