/**
 * An experiment: the features and texts that methods learn from, and the graphs that all splits and seeds share. Weights are inputs of the graphs, so each is compiled once.
 */

import type { Reporter } from "@fourtier/core"
import { type MapSize, type Method, methodNamed, type NetworkSpec, type TrainingSection } from "@fourtier/core/model"
import type {
  ClassificationConfig,
  ContrastiveConfig,
  ModelConfig,
  PseudoLabelsConfig,
  ScheduleConfig,
} from "@fourtier/core/schemas"
import {
  AlignGraphs,
  ClassifierGraphs,
  clipProbabilities,
  type Example,
  type FeatureSet,
  type FeatureSource,
  fitStandardize,
  microBatchOf,
} from "@fourtier/core/train"
import type { SessionOptions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { hashJson } from "@fourtier/tensor/node"
import type { EmbeddedTexts } from "../text/targets.ts"
import type { Alignment, AlignmentSpace } from "./alignment.ts"
import { isPartlyDescribed } from "./examples.ts"
import { type GraphsRecipe, type NetworkRecipe, networkOf, shareProbabilities, type Team } from "./together.ts"

/** What is the same for every split and seed. */
export interface ExperimentSettings {
  classes: readonly string[]
  /** Whether the clips of no class teach one more output of the networks, behind the classes: it is never counted or shown. */
  background: boolean
  prompts: readonly string[]
  size: MapSize
  model: ModelConfig
  align: ContrastiveConfig & ScheduleConfig
  /** What trains each method: its section of the configuration. */
  training: Record<TrainingSection, ClassificationConfig & ScheduleConfig>
  /** `id` names texts and encoder; null when there are no prompts. */
  text: EmbeddedTexts | null
  /** Null: clips without a label teach stage 1 alone. */
  pseudoLabels: PseudoLabelsConfig | null
  /** Where features are read, and how many views a clip has there, for training and for evaluation. */
  features: {
    /** Of training clips in stage 1, where it sees others than stage 2. */
    align?: { source: FeatureSource; views: number }
    train: FeatureSource
    trainViews: number
    test: FeatureSource
    testViews: number
  }
  /**
  /**
   * What an alignment of these clips and texts reads and meets; where alignments are kept, if anywhere; one from elsewhere, and
   * whether these clips' own answers refine it. `wider`: the same as `space` with further prompts, whose processors serve as well
   * where they were trained together.
   */
  alignment: {
    space: AlignmentSpace
    /** Folder that alignments are kept in, and others that they are read from. */
    cache: { folder: string; others: readonly string[] } | null
    given: Alignment | null
    refine: boolean
    wider?: AlignmentSpace
  }
  /** The data set of each training clip, by clip id, where they come from several. */
  sets?: ReadonlyMap<string, string>
  /** Training clips of each class that are labelled; null: all. */
  labelsPerClass: number | null
  /** Training clips of the smallest split: bounds the batch, which is compiled in. */
  fewestClips: number
  /** Those among them with an answer to any prompt. */
  fewestDescribed: number
  /** Probabilities [C] of every test clip from class texts alone, by clip id; none where nobody asked for them. */
  zeroShot?: ReadonlyMap<string, Float32Array> | null
  /** Device and threads of training. */
  runtime: SessionOptions
  /** The processes that train together, where this is the first of several. */
  team?: Team
  reporter: Reporter
  signal?: AbortSignal
}

/** What brings frozen maps to a common scale, by source, width and clips: experiments on the same features may share them. */
export type Standardisations = Map<string, Promise<Weights>>

/**
 * What all trials share: settings, and each graph compiled once.
 *
 * @example
 * ```ts
 * import { Experiment, type ExperimentSettings, Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * function firstTrial(settings: ExperimentSettings, split: Split) {
 *   return new Trial(new Experiment(settings), split, 0, "runs/mine/seed-0")
 * }
 * ```
 */
export class Experiment {
  readonly settings: ExperimentSettings
  readonly #classifiers = new Map<string, Promise<ClassifierGraphs>>()
  #align: Promise<AlignGraphs> | undefined
  readonly #standardisations: Standardisations

  constructor(settings: ExperimentSettings, standardisations: Standardisations = new Map()) {
    this.settings = settings
    this.#standardisations = standardisations
  }

  /** Outputs of the networks: the classes, and background where it is learned. */
  get outputs(): number {
    return this.settings.classes.length + Number(this.settings.background)
  }

  /** The graphs of stage 1. */
  alignGraphs(): Promise<AlignGraphs> {
    const { size, prompts, align, text, fewestDescribed, runtime, model } = this.settings
    const heldOut = align.epochs > 0 ? Math.round(align.holdOut * fewestDescribed) : 0
    const batch = Math.max(1, Math.min(align.batch, fewestDescribed - heldOut))
    const unit = Math.min(align.microBatch ?? batch, batch)
    const rows = batch - (batch % unit)
    const chunk = microBatchOf({ rows, microBatch: unit, ranks: this.#ranks })
    const spec = {
      size,
      prompts,
      textWidth: text?.width ?? 0,
      contrastive: align,
      width: model.width,
      processors: model,
      partial: text ? isPartlyDescribed(prompts, text.table) : false,
    }
    this.#align ??= AlignGraphs.compile(spec, rows, chunk, runtime)
    return this.#align
  }

  /** Clips that a batch of stage 2 is a multiple of, where the fewest clips that are trained on are so many. */
  unitOf(method: Method, clips: number): number {
    const { batch, microBatch } = this.trainingOf(method)
    return Math.min(microBatch ?? batch, clips)
  }

  /**
   * The graphs of stage 2.
   * @param clips training clips at least: bound the batch, which is compiled in
   * @param taught training clips of the training they are for; default: none, they are to predict with
   */
  classifierGraphs(method: Method, clips: number, taught = 0): Promise<ClassifierGraphs> {
    const recipe = this.graphsRecipe(method, clips, taught)
    const key = (partners: boolean) => `${method}/${recipe.rows}/${partners}`
    const graphs =
      this.#classifiers.get(key(true)) ??
      (recipe.partners ? undefined : this.#classifiers.get(key(false))) ??
      ClassifierGraphs.compile(
        this.networkSpec(method),
        recipe.rows,
        recipe.dropout,
        this.settings.runtime,
        recipe.partners,
      )
    this.#classifiers.set(key(recipe.partners), graphs)
    return graphs
  }

  /** How these graphs are compiled, for every process of several. */
  graphsRecipe(method: Method, clips: number, taught: number): GraphsRecipe {
    const { batch, repeats, dropout, mixup } = this.trainingOf(method)
    const unit = this.unitOf(method, clips)
    const most = Math.min(batch, Math.max(clips, taught))
    const whole = (most - (most % unit)) * repeats
    const rows = microBatchOf({ rows: Math.max(unit, whole), microBatch: unit, ranks: this.#ranks })
    return { network: this.networkRecipe(method), rows, dropout, partners: mixup > 0 && taught > 0 && rows < whole }
  }

  get #ranks(): number {
    return this.settings.team?.ranks.size ?? 1
  }

  /**
   * Class probabilities of each example, from all processes that train together.
   * @param recipe that of the graphs, see `graphsRecipe`
   */
  async probabilities(
    recipe: GraphsRecipe,
    graphs: ClassifierGraphs,
    set: FeatureSet<Example>,
    weights: Weights,
    output: "probabilities" | "classifier" = "probabilities",
  ): Promise<Float32Array[]> {
    const { team } = this.settings
    if (!team || set.examples.length === 0) return clipProbabilities(graphs, set, weights, output)
    return shareProbabilities(team, recipe, graphs, set, weights, output)
  }

  /** The network of a method on this experiment's features. */
  networkSpec(method: Method): NetworkSpec {
    return networkOf(this.networkRecipe(method))
  }

  /** What that network is built from. */
  networkRecipe(method: Method): NetworkRecipe {
    const { size, prompts, model, align, text } = this.settings
    const space = text && { similarity: align.similarity, textWidth: text.width }
    return { method, prompts, model, space, size, classes: this.outputs, width: model.width, pool: model.pool }
  }

  /** The settings that train a method's network. */
  trainingOf(method: Method): ClassificationConfig & ScheduleConfig {
    return this.settings.training[methodNamed(method).trainedBy]
  }

  /** What brings the frozen map to a common scale; fitted once on the training clips of a split. */
  standardize(train: FeatureSet<Example>): Promise<Weights> {
    const { width } = this.settings.model
    const key = hashJson([train.source.id, width, train.examples])
    const known = this.#standardisations.get(key) ?? fitStandardize(train, width)
    this.#standardisations.set(key, known)
    return known
  }

  async release(): Promise<void> {
    for (const graphs of new Set([...this.#classifiers.values(), this.#align])) await (await graphs)?.release()
  }
}
