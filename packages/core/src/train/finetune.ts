/**
 * Stage 2 (paper Sec. 3.2): the classifier on frozen features, by cross-entropy. The same task trains the full method, the
 * network without prompts and the probes: they differ in `build` alone.
 *
 * ```
 * m float16 ─ standardise ─ mixup ─ build ─ logits ─ soft cross-entropy ─ gradients of build's trained weights
 * ```
 */

import {
  cast,
  FourtierError,
  grad,
  input,
  Session,
  type SessionOptions,
  softmax,
  type Tensor,
  type Values,
} from "@fourtier/tensor"
import { type Dropout, type Param, selectWeights, type Weights } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import { type MapSize, placesOf } from "../model/map.ts"
import { type NetworkSpec, onRawMap, type RawMapNetwork } from "../model/network.ts"
import { softCrossEntropy, softLabels } from "../objective/classification.ts"
import { drawMixing, type Mixing, mixBatch, mixHalves } from "../objective/mixup.ts"
import type { ClassificationConfig } from "../schemas/classification.ts"
import type { Collective } from "./collective.ts"
import { drawViews, type Example, type FeatureSet, type RecordKey, readBatch, type Taught } from "./features.ts"
import { clearGradients } from "./gradients.ts"
import { rowsOf, type TrainTask } from "./task.ts"

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
  /** Whether the gradient's clips come with their partners of mixup, which may be of another part of the batch. */
  readonly partners: boolean
  readonly gradient: Session
  readonly evaluation: Session

  private constructor(
    spec: NetworkSpec,
    batch: number,
    partners: boolean,
    network: RawMapNetwork,
    sessions: { gradient: Session; evaluation: Session },
  ) {
    this.spec = spec
    this.batch = batch
    this.partners = partners
    this.trained = network.trained
    this.frozen = network.frozen
    this.finalFrozen = network.finalFrozen
    this.hasLanguage = network.final !== network.logits
    this.gradient = sessions.gradient
    this.evaluation = sessions.evaluation
  }

  /**
   * @param batch clips of one gradient step and of one evaluation
   * @param partners whether steps are parts of larger batches with mixup: then a part reads the maps of its clips' partners as well
   */
  static async compile(
    spec: NetworkSpec,
    batch: number,
    dropoutRate: number,
    runtime: SessionOptions = {},
    partners = false,
  ): Promise<ClassifierGraphs> {
    let salt = 0
    const rows = { count: batch, first: input("first", [], "i64") }
    const dropout: Dropout | null =
      dropoutRate > 0 ? { seed: input("seed", [], "i64"), rate: dropoutRate, nextSalt: () => salt++, rows } : null
    const m = input("m", mapShape(partners ? 2 * batch : batch, spec.size), "f16")
    const share = input("share", [batch])
    const partner = input("partner", [batch], "i64")
    const mix = (x: Tensor) => (partners ? mixHalves(x, share) : mixBatch(x, partner, share))
    const targets = input("targets", [batch, spec.classes])
    const network = onRawMap(cast(m, "f32"), spec, dropout, mix)
    const loss = softCrossEntropy(network.logits, targets)
    const gradients = grad(
      loss,
      network.trained.map(({ tensor }) => tensor),
    )
    const outputs: Record<string, Tensor> = { loss }
    for (const [i, { name }] of network.trained.entries()) outputs[`grad/${name}`] = gradients[i]
    const evaluated = onRawMap(cast(input("m", mapShape(batch, spec.size), "f16"), "f32"), spec, null)
    return new ClassifierGraphs(spec, batch, partners, network, {
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
 * The same from several processes, which look at a share of the clips each: every rank gets the rows of all.
 *
 * @example
 * ```ts
 * import { type ClassifierGraphs, type Collective, type FeatureSet, sharedProbabilities } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * function onEveryRank(ranks: Collective, graphs: ClassifierGraphs, clips: FeatureSet, weights: Weights) {
 *   return sharedProbabilities(ranks, graphs, clips, weights)
 * }
 * ```
 */
export async function sharedProbabilities(
  collective: Collective,
  graphs: ClassifierGraphs,
  { source, examples }: FeatureSet<Example>,
  weights: Weights,
  output: "probabilities" | "classifier" = "probabilities",
): Promise<Float32Array[]> {
  const { classes } = graphs.spec
  const { start, end } = rowsOf(examples.length, collective)
  const share = new Float32Array(Math.ceil(examples.length / collective.size) * classes)
  const own = await clipProbabilities(graphs, { source, examples: examples.slice(start, end) }, weights, output)
  for (const [i, row] of own.entries()) share.set(row, i * classes)
  const all = await collective.gather(share)
  return examples.map((_, i) => all.slice(i * classes, (i + 1) * classes))
}

/**
 * Stage 2 as a training task.
 * @param frozen weights that are not trained: `standardize.*` and the processors'
 * @param unit a batch is a multiple of so many clips; default: those that the graphs take at a time
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
  unit = graphs.batch,
): TrainTask {
  const { classes } = graphs.spec
  const fixed = Object.fromEntries(selectWeights(name, graphs.frozen, frozen))
  let bound: AdamW | null = null
  return {
    name,
    params: graphs.trained,
    examples: data.train.examples.length,
    microBatch: graphs.batch,
    unit,
    repeats: config.repeats,

    async gradients({ clips, start, end, rng }, optimizer) {
      if (bound !== optimizer) bindGradients(graphs, optimizer)
      bound = optimizer
      if (start === end) {
        clearGradients(optimizer, graphs.trained)
        return { loss: 0 }
      }
      const keys = drawViews(data.train, clips, rng)
      const mixing = drawMixing(clips.length, config.mixup, rng)
      const labels = clips.map((i) => data.train.examples[i].label)
      const rows = { start, end, count: graphs.batch }
      const result = await graphs.gradient.run({
        ...fixed,
        ...parametersOf(graphs.trained, (param) => optimizer.parameter(param)),
        ...(await mixedRows(name, graphs, data.train, keys, mixing, rows)),
        targets: rowsWithin(softLabels(labels, classes, config.labelSmoothing, mixing), classes, rows),
        seed: BigInt64Array.of(BigInt(rng.bits())),
        first: BigInt64Array.of(BigInt(start)),
      })
      return { loss: Number(result.loss[0]) }
    },

    async validate(parameter, collective) {
      if (data.val.examples.length === 0) return null
      const weights: Weights = new Map([...frozen])
      for (const param of graphs.trained) weights.set(param.name, parameter(param.name))
      return scoreClips(graphs, data.val, weights, collective)
    },
  }
}

interface Rows {
  start: number
  end: number
  /** As many as the graph takes: filled up behind `end`. */
  count: number
}

/** Maps of some rows of a batch, and how each is mixed. Rows that fill up are the last one again: their targets are zero. */
async function mixedRows(
  name: string,
  graphs: ClassifierGraphs,
  { source }: FeatureSet<Example>,
  keys: readonly RecordKey[],
  { partner, share }: Mixing,
  rows: Rows,
): Promise<Values> {
  const at = Array.from({ length: rows.count }, (_, row) => Math.min(rows.end - 1, rows.start + row))
  const shares = Float32Array.from(at, (row) => share[row])
  const own = at.map((row) => keys[row])
  if (graphs.partners) {
    const others = at.map((row) => keys[Number(partner[row])])
    return { m: await readBatch(source, [...own, ...others], "m"), share: shares }
  }
  const whole = rows.start === 0 && rows.end === keys.length && rows.count === keys.length
  if (!whole && shares.some((part) => part < 1)) {
    throw new FourtierError({
      where: name,
      what: `mixup in batches of ${keys.length} clips, of which the graphs take ${rows.count} at a time`,
      fix: "compile the graphs with `partners`",
    })
  }
  const alike = BigInt64Array.from(at, (_, row) => BigInt(row))
  return { m: await readBatch(source, own, "m"), share: shares, partner: whole ? partner : alike }
}

/** Some rows of a table [B,columns], filled up with zeros. */
function rowsWithin(values: Float32Array, columns: number, { start, end, count }: Rows): Float32Array {
  const own = new Float32Array(count * columns)
  own.set(values.subarray(start * columns, end * columns))
  return own
}

function bindGradients(graphs: ClassifierGraphs, optimizer: AdamW): void {
  for (const { name } of graphs.trained) graphs.gradient.bind(`grad/${name}`, optimizer.gradientBuffer(name))
}

function parametersOf(params: readonly Param[], value: (name: string) => Float32Array): Record<string, Float32Array> {
  return Object.fromEntries(params.map(({ name }) => [name, value(name)]))
}

/**
 * Top-1 and cross-entropy of clips, probabilities averaged over all their views. Score: top-1, ties by the lower loss. Several processes
 * look at a share of the clips each.
 */
async function scoreClips(graphs: ClassifierGraphs, set: FeatureSet, weights: Weights, collective: Collective) {
  const rows = await sharedProbabilities(collective, graphs, set, weights)
  const n = rows.length
  let hits = 0
  let loss = 0
  for (const [i, { label }] of set.examples.entries()) {
    const row = rows[i]
    if (row.indexOf(Math.max(...row)) === label) hits++
    loss -= Math.log(Math.max(row[label], 1e-12))
  }
  return { top1: hits / n, loss: loss / n, score: hits / n - (1e-3 * loss) / n }
}
