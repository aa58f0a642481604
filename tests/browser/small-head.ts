/** A small head trained in both stages, and a bundle that recognises: the same code in Node and in a page. */

import { silent } from "@fourtier/core"
import { FrameRecognizer, parseBundle } from "@fourtier/core/bundle"
import { framesInMemory } from "@fourtier/core/frames"
import { methodNamed } from "@fourtier/core/model"
import { classificationSchema, contrastiveSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import {
  AlignGraphs,
  alignmentTask,
  ClassifierGraphs,
  classificationTask,
  clipProbabilities,
  type FeatureSet,
  fitStandardize,
  type Journal,
  type Labelled,
  MemoryFeatures,
  type Metrics,
  train,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"

const SIZE = { T: 3, H: 2, W: 2, D: 16 }
const RECORD = { T: 3, N: 4, D: 16 }
const CLASSES = 3
const PROMPTS = ["A", "B"]
const TEXT_WIDTH = 6
const UPDATES = 20

/** Clips whose class shows in how a few channels change over time; the rest is noise. */
function makeSet(): FeatureSet {
  const { T, N, D } = RECORD
  const source = new MemoryFeatures("made up", RECORD)
  const examples = Array.from({ length: 24 }, (_, i): Labelled => {
    const label = i % CLASSES
    const rng = Rng.fork("clip", i)
    const m = Float32Array.from({ length: T * N * D }, (_, at) => {
      const [d, t] = [at % D, Math.floor(at / (N * D))]
      return rng.normal() + (d % CLASSES === label ? 2 * (t - 1) + 1 : 0)
    })
    source.add({ clip: `${i}`, view: 0 }, m)
    return { id: `${i}`, hash: `${i}`, label, views: [0] }
  })
  return { source, examples }
}

function makeTexts(examples: readonly Labelled[]): Map<string, Map<string, Float32Array>> {
  const vector = (prompt: string, { id, label }: Labelled) => {
    const [own, center] = [Rng.fork(prompt, id), Rng.fork(prompt, label)]
    return Float32Array.from({ length: TEXT_WIDTH }, () => center.normal() + 0.1 * own.normal())
  }
  return new Map(PROMPTS.map((prompt) => [prompt, new Map(examples.map((clip) => [clip.id, vector(prompt, clip)]))]))
}

/** Keeps the loss of every update. */
class Losses implements Journal {
  readonly values: number[] = []

  write(_step: number, _epoch: number, _part: "train" | "val", metrics: Metrics): void {
    this.values.push(metrics.loss)
  }

  async rewind(): Promise<void> {}
}

export interface TrainedHead {
  /** Loss of each update. */
  stage1: number[]
  stage2: number[]
  /** [clips][C] */
  probabilities: number[][]
}

/** Twenty updates of stage 1, then twenty of stage 2 of the full method. */
export async function trainSmallHead(): Promise<TrainedHead> {
  const set = makeSet()
  const none = { ...set, examples: [] }
  const standardize = await fitStandardize(set, 8)
  const schedule = scheduleSchema.parse({ epochs: UPDATES / 2, batch: 12, learningRate: 5e-3, warmupEpochs: 1 })
  const run = async (task: Parameters<typeof train>[0]) => {
    const journal = new Losses()
    const { weights } = await train(task, { schedule, seed: 1, journal, reporter: silent })
    return { weights, losses: journal.values }
  }

  const contrastive = contrastiveSchema.parse({ mixup: 0.8 })
  const spec = {
    size: SIZE,
    prompts: PROMPTS,
    textWidth: TEXT_WIDTH,
    contrastive,
    width: 8,
    processors: modelSchema.parse({}),
  }
  const align = await AlignGraphs.compile(spec, 12, 12)
  const targets = { width: TEXT_WIDTH, embeddings: makeTexts(set.examples) }
  const stage1 = await run(alignmentTask(align, { train: set, val: none }, targets, standardize, async () => null))
  await align.release()

  const model = modelSchema.parse({ width: 8, headWidth: 4, blocks: 1, ffn: "conv", classifierPooling: "rows" })
  const build = methodNamed("full").build({ prompts: PROMPTS, model, space: null })
  const network = { size: SIZE, classes: CLASSES, width: 8, pool: model.pool, build }
  const classifier = await ClassifierGraphs.compile(network, 12, 0.1)
  const frozen: Weights = new Map([...standardize, ...stage1.weights])
  const settings = classificationSchema.parse({ dropout: 0.1 })
  const stage2 = await run(classificationTask("full", classifier, settings, { train: set, val: none }, frozen))
  const rows = await clipProbabilities(classifier, set, new Map([...frozen, ...stage2.weights]))
  await classifier.release()
  return { stage1: stage1.losses, stage2: stage2.losses, probabilities: rows.map((row) => [...row]) }
}

/** Probabilities of a made-up clip of 30 frames, 64×48, by a bundle's two files. */
export async function recogniseMadeUpClip(model: Uint8Array, bundle: unknown): Promise<number[]> {
  const [count, height, width] = [30, 48, 64]
  const rng = new Rng("frames")
  const data = Uint8Array.from({ length: count * height * width * 3 }, (_, i) => {
    const frame = Math.floor(i / (height * width * 3))
    return Math.min(255, 8 * frame + rng.int(16))
  })
  const recognizer = await FrameRecognizer.load(model, parseBundle(bundle, "bundle.json"))
  const { probabilities } = await recognizer.recognize(framesInMemory({ data, count, height, width }, 25))
  await recognizer.release()
  return [...probabilities]
}
