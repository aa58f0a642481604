/**
 * Stage 2 (paper Sec. 3.2): the classifier on frozen features, by cross-entropy. The same task trains the full method, the
 * network without prompts and the probes: they differ in `build` alone.
 *
 * ```
 * m float16 ─ standardise ─ mixup ─ build ─ logits ─ soft cross-entropy ─ gradients of build's trained weights
 * ```
 */

import { cast, grad, input, Session, type SessionOptions, softmax, type Tensor } from "@fourtier/tensor"
import { type Dropout, type Param, selectWeights, type Weights } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import { type MapSize, placesOf } from "../model/map.ts"
import { type NetworkSpec, onRawMap, type RawMapNetwork } from "../model/network.ts"
import { softCrossEntropy, softLabels } from "../objective/classification.ts"
import { drawMixing, mixBatch } from "../objective/mixup.ts"
import type { ClassificationConfig } from "../schemas/classification.ts"
import { drawViews, type Example, type FeatureSet, readBatch, type Taught } from "./features.ts"
import type { TrainTask } from "./task.ts"

const mapShape = (batch: number, size: MapSize) => [batch, size.T, placesOf(size), size.D]

/**
 * Compiled graphs of one network: weights are inputs, so every fold and seed shares them.
 *
 * @example
 * ```ts
 * import { methodNamed } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { ClassifierGraphs } from "@fourtier/core/train"
 *
 * const build = methodNamed("baseline").build({ prompts: [], model: modelSchema.parse({}), space: null })
 * const spec = { size: { T: 8, H: 6, W: 6, D: 64 }, classes: 12, width: null, pool: "mean" as const, build }
 * const graphs = await ClassifierGraphs.compile(spec, 16, 0) // batches of 16 clips, no dropout
 * await graphs.release()
 * ```
 */
export class ClassifierGraphs {
  readonly spec: NetworkSpec
  readonly trained: readonly Param[]
  /** Frozen weights that training needs, and those that evaluation needs. */
  readonly frozen: readonly Param[]
  readonly finalFrozen: readonly Param[]
  /** Whether what stage 1 has learned is added to the classifier outside of training. */
  readonly hasLanguage: boolean
  /** Clips of one gradient step and of one evaluation. */
  readonly batch: number
  readonly gradient: Session
  readonly evaluation: Session

  private constructor(
    spec: NetworkSpec,
    batch: number,
    network: RawMapNetwork,
    sessions: { gradient: Session; evaluation: Session },
  ) {
    this.spec = spec
    this.batch = batch
    this.trained = network.trained
    this.frozen = network.frozen
    this.finalFrozen = network.finalFrozen
    this.hasLanguage = network.final !== network.logits
    this.gradient = sessions.gradient
    this.evaluation = sessions.evaluation
  }

  static async compile(
    spec: NetworkSpec,
    batch: number,
    dropoutRate: number,
    runtime: SessionOptions = {},
  ): Promise<ClassifierGraphs> {
    let salt = 0
    const dropout: Dropout | null =
      dropoutRate > 0 ? { seed: input("seed", [], "i64"), rate: dropoutRate, nextSalt: () => salt++ } : null
    const m = input("m", mapShape(batch, spec.size), "f16")
    const partner = input("partner", [batch], "i64")
    const share = input("share", [batch])
    const targets = input("targets", [batch, spec.classes])
    const network = onRawMap(cast(m, "f32"), spec, dropout, (x) => mixBatch(x, partner, share))
    const loss = softCrossEntropy(network.logits, targets)
    const gradients = grad(
      loss,
      network.trained.map(({ tensor }) => tensor),
    )
    const outputs: Record<string, Tensor> = { loss }
    for (const [i, { name }] of network.trained.entries()) outputs[`grad/${name}`] = gradients[i]
    const evaluated = onRawMap(cast(input("m", mapShape(batch, spec.size), "f16"), "f32"), spec, null)
    return new ClassifierGraphs(spec, batch, network, {
      gradient: await Session.compile({ outputs }, runtime),
      evaluation: await Session.compile(
        { outputs: { probabilities: softmax(evaluated.final), classifier: softmax(evaluated.logits) } },
        runtime,
      ),
    })
  }

  async release(): Promise<void> {
    await this.gradient.release()
    await this.evaluation.release()
  }
}

/**
 * Class probabilities of each example, the mean over its views: [C] each.
 * @param weights every weight of the network, frozen ones included
 * @param output `classifier` leaves out what language adds
 *
 * @example
 * ```ts
 * import { argmax } from "@fourtier/core/metrics"
 * import { type ClassifierGraphs, clipProbabilities, type FeatureSet } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * // Class numbers of clips.
 * async function classesOf(graphs: ClassifierGraphs, clips: FeatureSet, weights: Weights) {
 *   return (await clipProbabilities(graphs, clips, weights)).map(argmax)
 * }
 * ```
 */
export async function clipProbabilities(
  graphs: ClassifierGraphs,
  { source, examples }: FeatureSet<Example>,
  weights: Weights,
  output: "probabilities" | "classifier" = "probabilities",
): Promise<Float32Array[]> {
  const { classes } = graphs.spec
  const feeds = Object.fromEntries(selectWeights("classifier", [...graphs.trained, ...graphs.finalFrozen], weights))
  const means = examples.map(() => new Float32Array(classes))
  const jobs = examples.flatMap(({ hash, views }, clip) => views.map((view) => ({ clip, key: { clip: hash, view } })))
  for (let i = 0; i < jobs.length; i += graphs.batch) {
    const part = jobs.slice(i, i + graphs.batch)
    // the last batch is filled up with its own last record
    const keys = Array.from({ length: graphs.batch }, (_, row) => part[Math.min(row, part.length - 1)].key)
    const result = await graphs.evaluation.run({ ...feeds, m: await readBatch(source, keys, "m") }, [output])
    for (const [row, { clip }] of part.entries()) {
      for (let c = 0; c < classes; c++) {
        means[clip][c] += Number(result[output][row * classes + c]) / examples[clip].views.length
      }
    }
  }
  return means
}

/**
 * Stage 2 as a training task.
 * @param frozen weights that are not trained: `standardize.*` and the processors'
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { classificationSchema, scheduleSchema } from "@fourtier/core/schemas"
 * import * as core from "@fourtier/core/train"
 *
 * async function stage2(graphs: core.ClassifierGraphs, clips: core.FeatureSet) {
 *   const standardize = await core.fitStandardize(clips, null)
 *   const data = { train: clips, val: { ...clips, examples: [] } }
 *   const task = core.classificationTask("baseline", graphs, classificationSchema.parse({}), data, standardize)
 *   const schedule = scheduleSchema.parse({ epochs: 50, batch: 16, learningRate: 1e-3 })
 *   return core.train(task, { schedule, seed: 0, reporter: silent })
 * }
 * ```
 */
export function classificationTask(
  name: string,
  graphs: ClassifierGraphs,
  config: ClassificationConfig,
  data: { train: FeatureSet<Taught>; val: FeatureSet },
  frozen: Weights,
): TrainTask {
  const { classes } = graphs.spec
  const fixed = Object.fromEntries(selectWeights(name, graphs.frozen, frozen))
  let bound: AdamW | null = null
  return {
    name,
    params: graphs.trained,
    examples: data.train.examples.length,
    microBatch: graphs.batch,
    repeats: config.repeats,

    async gradients(batch, rng, optimizer) {
      if (bound !== optimizer) bindGradients(graphs, optimizer)
      bound = optimizer
      const keys = drawViews(data.train, batch, rng)
      const mixing = drawMixing(batch.length, config.mixup, rng)
      const labels = batch.map((i) => data.train.examples[i].label)
      const result = await graphs.gradient.run({
        ...fixed,
        ...parametersOf(graphs.trained, (param) => optimizer.parameter(param)),
        m: await readBatch(data.train.source, keys, "m"),
        targets: softLabels(labels, classes, config.labelSmoothing, mixing),
        partner: mixing.partner,
        share: mixing.share,
        seed: BigInt64Array.of(BigInt(rng.bits())),
      })
      return { loss: Number(result.loss[0]) }
    },

    async validate(parameter) {
      if (data.val.examples.length === 0) return null
      const weights: Weights = new Map([...frozen])
      for (const param of graphs.trained) weights.set(param.name, parameter(param.name))
      return scoreClips(graphs, data.val, weights)
    },
  }
}

function bindGradients(graphs: ClassifierGraphs, optimizer: AdamW): void {
  for (const { name } of graphs.trained) graphs.gradient.bind(`grad/${name}`, optimizer.gradientBuffer(name))
}

function parametersOf(params: readonly Param[], value: (name: string) => Float32Array): Record<string, Float32Array> {
  return Object.fromEntries(params.map(({ name }) => [name, value(name)]))
}

/** Top-1 and cross-entropy of clips, probabilities averaged over all their views. Score: top-1, ties by the lower loss. */
async function scoreClips(graphs: ClassifierGraphs, set: FeatureSet, weights: Weights) {
  const probabilities = await clipProbabilities(graphs, set, weights)
  let hits = 0
  let loss = 0
  for (const [i, { label }] of set.examples.entries()) {
    const row = probabilities[i]
    if (row.indexOf(Math.max(...row)) === label) hits++
    loss -= Math.log(Math.max(row[label], 1e-12))
  }
  const n = set.examples.length
  return { top1: hits / n, loss: loss / n, score: hits / n - (1e-3 * loss) / n }
}
