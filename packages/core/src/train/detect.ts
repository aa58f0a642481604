/**
 * Action detection as a training task (paper Sec. 4.2): boxes of people on a clip's map, several labels each, by binary
 * cross-entropy.
 *
 * ```
 * m float16, boxes ─ jitter ─ standardise ─ build ─ logits [B·K,C] ─ binary cross-entropy ─ gradients of the trained weights
 * ```
 * K is the number of boxes of a clip that one step sees. A clip with more people gives K of them, drawn anew each time; one
 * with fewer is filled up with boxes that count nothing. Every clip counts the same.
 */

import {
  cast,
  FourtierError,
  grad,
  input,
  type Rng,
  Session,
  type SessionOptions,
  sigmoid,
  type Tensor,
} from "@fourtier/tensor"
import { type Dropout, type Param, selectWeights, type Weights } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import { heldBox } from "../frames/boxes.ts"
import { area, type Box, type Detection, evaluateDetections, type FrameBox } from "../metrics/index.ts"
import { placesOf } from "../model/map.ts"
import { type RegionNetwork, type RegionSpec, regionsOnRawMap } from "../model/regions.ts"
import { binaryCrossEntropy } from "../objective/binary.ts"
import type { DetectionConfig } from "../schemas/detection.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"
import { clearGradients } from "./gradients.ts"
import type { TrainTask } from "./task.ts"

/** A person in a clip's key frame. */
export interface Person {
  /** Shares of the picture that the clip's map is of. */
  box: Box
  /** Numbers of all classes that hold. */
  labels: readonly number[]
}

/** A clip around a key frame, with the people of that frame. */
export interface Populated extends Example {
  people: readonly Person[]
}

/**
 * Compiled graphs of one network: weights are inputs, so every fold and seed shares them.
 *
 * @example
 * ```ts
 * import { regionMethod } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { RegionGraphs } from "@fourtier/core/train"
 *
 * const build = regionMethod("baseline", { prompts: [], model: modelSchema.parse({}), textWidth: 0 })
 * const spec = { size: { T: 8, H: 6, W: 8, D: 64 }, classes: 12, width: null, pool: "mean" as const, build }
 * const graphs = await RegionGraphs.compile(spec, 16, 4, 0) // batches of 16 clips with 4 boxes each, no dropout
 * await graphs.release()
 * ```
 */
export class RegionGraphs {
  readonly spec: RegionSpec
  readonly trained: readonly Param[]
  readonly frozen: readonly Param[]
  /** Clips of one step, and boxes of each. */
  readonly batch: number
  readonly boxes: number
  readonly gradient: Session
  readonly evaluation: Session

  private constructor(
    spec: RegionSpec,
    sizes: { batch: number; boxes: number },
    params: { trained: Param[]; frozen: Param[] },
    sessions: { gradient: Session; evaluation: Session },
  ) {
    this.spec = spec
    this.batch = sizes.batch
    this.boxes = sizes.boxes
    this.trained = params.trained
    this.frozen = params.frozen
    this.gradient = sessions.gradient
    this.evaluation = sessions.evaluation
  }

  static async compile(
    spec: RegionSpec,
    batch: number,
    boxes: number,
    dropoutRate: number,
    runtime: SessionOptions = {},
  ): Promise<RegionGraphs> {
    let salt = 0
    const rows = { count: batch, first: input("first", [], "i64") }
    const dropout: Dropout | null =
      dropoutRate > 0 ? { seed: input("seed", [], "i64"), rate: dropoutRate, nextSalt: () => salt++, rows } : null
    const network = buildOnHalves(spec, batch, boxes, dropout)
    const targets = input("targets", [batch * boxes, spec.classes])
    const loss = binaryCrossEntropy(network.logits, targets, input("weights", [batch * boxes]))
    const gradients = grad(
      loss,
      network.trained.map(({ tensor }) => tensor),
    )
    const outputs: Record<string, Tensor> = { loss }
    for (const [i, { name }] of network.trained.entries()) outputs[`grad/${name}`] = gradients[i]
    const evaluated = buildOnHalves(spec, batch, boxes, null)
    return new RegionGraphs(spec, { batch, boxes }, network, {
      gradient: await Session.compile({ outputs }, runtime),
      evaluation: await Session.compile({ outputs: { probabilities: sigmoid(evaluated.logits) } }, runtime),
    })
  }

  async release(): Promise<void> {
    await this.gradient.release()
    await this.evaluation.release()
  }
}

function buildOnHalves(spec: RegionSpec, batch: number, boxes: number, dropout: Dropout | null): RegionNetwork {
  const raw = cast(input("m", [batch, spec.size.T, placesOf(spec.size), spec.size.D], "f16"), "f32")
  return regionsOnRawMap(raw, input("boxes", [batch, boxes, 4]), spec, dropout)
}

/** A box moved and stretched by up to `amount` of its sides, as detected boxes are off; never out of the picture. */
function jittered(box: Box, amount: number, rng: Rng): Box {
  const [x1, y1, x2, y2] = box
  const [dx, dy] = [(x2 - x1) * amount, (y2 - y1) * amount]
  const draw = (by: number) => rng.uniform(-by, by)
  const moved: Box = [x1 + draw(dx), y1 + draw(dy), x2 + draw(dx), y2 + draw(dy)]
  const held: Box = [Math.max(0, moved[0]), Math.max(0, moved[1]), Math.min(1, moved[2]), Math.min(1, moved[3])]
  return area(held) > 0 ? held : box
}

/**
 * Probabilities of all classes for boxes of each example, the mean over its views: [boxes][C] each. Any number of boxes:
 * as many runs as they need.
 * @param boxes those of each example, in shares of the picture; parts outside are cut off
 * @param weights every weight of the network, frozen ones included
 * @throws FourtierError for a box with a NaN, swapped corners, no area, or wholly outside the picture
 *
 * @example
 * ```ts
 * import { type FeatureSet, type Populated, type RegionGraphs, regionProbabilities } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * // How well the true boxes are read.
 * async function onTrueBoxes(graphs: RegionGraphs, clips: FeatureSet<Populated>, weights: Weights) {
 *   const boxes = clips.examples.map(({ people }) => people.map(({ box }) => box))
 *   return regionProbabilities(graphs, clips, boxes, weights)
 * }
 * ```
 */
export async function regionProbabilities(
  graphs: RegionGraphs,
  { source, examples }: FeatureSet<Example>,
  boxes: readonly (readonly Box[])[],
  weights: Weights,
): Promise<Float32Array[][]> {
  const { classes } = graphs.spec
  const feeds = Object.fromEntries(selectWeights("detection", [...graphs.trained, ...graphs.frozen], weights))
  const held = examples.map(({ id }, i) => boxes[i].map((box) => heldBox(box, `clip ${id}`)))
  const means = held.map((own) => own.map(() => new Float32Array(classes)))
  const jobs = examples.flatMap(({ hash, views }, clip) =>
    views.flatMap((view) =>
      Array.from({ length: Math.ceil(held[clip].length / graphs.boxes) }, (_, part) => ({
        clip,
        key: { clip: hash, view },
        first: part * graphs.boxes,
      })),
    ),
  )
  for (let i = 0; i < jobs.length; i += graphs.batch) {
    const part = jobs.slice(i, i + graphs.batch)
    // the last batch is filled up with its own last record, a clip's last boxes with no box
    const keys = Array.from({ length: graphs.batch }, (_, row) => part[Math.min(row, part.length - 1)].key)
    const corners = new Float32Array(graphs.batch * graphs.boxes * 4)
    for (const [row, { clip, first }] of part.entries()) {
      const own = held[clip].slice(first, first + graphs.boxes)
      corners.set(own.flat(), row * graphs.boxes * 4)
    }
    const m = await readBatch(source, keys, "m")
    const { probabilities } = await graphs.evaluation.run({ ...feeds, m, boxes: corners })
    for (const [row, { clip, first }] of part.entries()) {
      for (const [k, mean] of means[clip].slice(first, first + graphs.boxes).entries()) {
        const from = (row * graphs.boxes + k) * classes
        for (let c = 0; c < classes; c++) mean[c] += Number(probabilities[from + c]) / examples[clip].views.length
      }
    }
  }
  return means
}

/**
 * Training of a detection network. Validation reads the true boxes; its score is the mean average precision.
 * @param frozen weights that are not trained: `standardize.*` and the processors'
 * @throws FourtierError for a person whose box holds nothing of the picture, or of a class that there is not
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { detectionSchema, scheduleSchema } from "@fourtier/core/schemas"
 * import * as core from "@fourtier/core/train"
 *
 * async function detector(graphs: core.RegionGraphs, clips: core.FeatureSet<core.Populated>) {
 *   const frozen = await core.fitStandardize(clips, null)
 *   const data = { train: clips, val: { ...clips, examples: [] } }
 *   const task = core.detectionTask("baseline", graphs, detectionSchema.parse({}), data, frozen)
 *   const schedule = scheduleSchema.parse({ epochs: 50, batch: 16, learningRate: 1e-3 })
 *   return core.train(task, { schedule, seed: 0, reporter: silent })
 * }
 * ```
 */
export function detectionTask(
  name: string,
  graphs: RegionGraphs,
  config: DetectionConfig,
  data: { train: FeatureSet<Populated>; val: FeatureSet<Populated> },
  frozen: Weights,
): TrainTask {
  const { classes } = graphs.spec
  for (const { examples } of [data.train, data.val]) for (const example of examples) checkPeople(example, classes)
  // a clip without people teaches nothing
  const taught = data.train.examples.filter(({ people }) => people.length > 0)
  const fixed = Object.fromEntries(selectWeights(name, graphs.frozen, frozen))
  let bound: AdamW | null = null
  return {
    name,
    params: graphs.trained,
    examples: taught.length,
    microBatch: graphs.batch,

    async gradients({ clips: batch, start, end, rng }, optimizer) {
      if (bound !== optimizer) {
        for (const param of graphs.trained) {
          graphs.gradient.bind(`grad/${param.name}`, optimizer.gradientBuffer(param.name))
        }
      }
      bound = optimizer
      if (start === end) {
        clearGradients(optimizer, graphs.trained)
        return { loss: 0 }
      }
      const clips = batch.map((i) => taught[i])
      const keys = clips.map(({ hash, views }) => ({ clip: hash, view: rng.pick(views) }))
      const at = Array.from({ length: graphs.batch }, (_, row) => Math.min(end - 1, start + row))
      const people = drawPeople(clips, graphs, classes, config.jitter, rng)
      const result = await graphs.gradient.run({
        ...fixed,
        ...Object.fromEntries(graphs.trained.map((param) => [param.name, optimizer.parameter(param.name)])),
        ...peopleWithin(people, clips.length, { start, end, count: graphs.batch }),
        m: await readBatch(
          data.train.source,
          at.map((row) => keys[row]),
          "m",
        ),
        seed: BigInt64Array.of(BigInt(rng.bits())),
        first: BigInt64Array.of(BigInt(start)),
      })
      return { loss: Number(result.loss[0]) }
    },

    async validate(parameter) {
      const { val } = data
      if (!val.examples.some(({ people }) => people.length > 0)) return null
      const weights: Weights = new Map([...frozen])
      for (const param of graphs.trained) weights.set(param.name, parameter(param.name))
      const boxes = val.examples.map(({ people }) => people.map(({ box }) => box))
      const found = await regionProbabilities(graphs, val, boxes, weights)
      const map = scoreOf(val.examples, boxes, found, classes)
      return { map, score: map }
    },
  }
}

function checkPeople({ id, people }: Populated, classes: number): void {
  for (const { box, labels } of people) {
    heldBox(box, `clip ${id}`)
    const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes)
    if (wrong === undefined) continue
    throw new FourtierError({
      where: `clip ${id}`,
      what: "a label that is no class",
      expected: `class numbers from 0 to ${classes - 1}`,
      found: String(wrong),
    })
  }
}

/** K boxes of each clip with their targets; the clip's weight is shared by its boxes, those that fill up have none. */
function drawPeople(
  clips: readonly Populated[],
  graphs: Pick<RegionGraphs, "batch" | "boxes">,
  classes: number,
  jitter: number,
  rng: Rng,
) {
  const K = graphs.boxes
  const boxes = new Float32Array(clips.length * K * 4)
  const targets = new Float32Array(clips.length * K * classes)
  const weights = new Float32Array(clips.length * K)
  for (const [row, { id, people }] of clips.entries()) {
    const drawn = people.length > K ? rng.shuffle([...people]).slice(0, K) : people
    for (const [k, { box, labels }] of drawn.entries()) {
      const at = row * K + k
      boxes.set(jittered(heldBox(box, `clip ${id}`), jitter, rng), at * 4)
      for (const label of labels) targets[at * classes + label] = 1
      weights[at] = 1 / (drawn.length * graphs.batch)
    }
  }
  return { boxes, targets, weights }
}

/** The people of some rows; those that fill up have no weight. */
function peopleWithin(
  people: Record<"boxes" | "targets" | "weights", Float32Array>,
  clips: number,
  { start, end, count }: { start: number; end: number; count: number },
) {
  const rows = (values: Float32Array) => {
    const width = values.length / clips
    const own = new Float32Array(count * width)
    own.set(values.subarray(start * width, end * width))
    return own
  }
  return { boxes: rows(people.boxes), targets: rows(people.targets), weights: rows(people.weights) }
}

/** Mean average precision of true boxes with the probabilities found for them. */
function scoreOf(
  examples: readonly Populated[],
  boxes: readonly (readonly Box[])[],
  found: readonly (readonly Float32Array[])[],
  classes: number,
): number {
  const frame = (id: string) => ({ videoId: id, timestamp: 0 })
  const truths = examples.flatMap(({ id, people }): FrameBox[] =>
    people.flatMap(({ box, labels }) => labels.map((classId) => ({ ...frame(id), box, classId }))),
  )
  const detections = examples.flatMap(({ id }, i): Detection[] =>
    boxes[i].flatMap((box, k) => Array.from(found[i][k], (score, classId) => ({ ...frame(id), box, classId, score }))),
  )
  const capacity = Math.max(1, ...boxes.map((own) => own.length)) * classes
  return evaluateDetections(truths, detections, { classes: [...Array(classes).keys()], capacity }).meanAveragePrecision
}
