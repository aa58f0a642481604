/** Several processes that share every batch train to what one process trains to, and stop and resume together. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { beforeAll, describe, expect, it } from "vitest"
import { methodNamed } from "../../src/model/methods/index.ts"
import { fileCheckpoints } from "../../src/node/checkpoint.ts"
import { FileJournal } from "../../src/node/journal.ts"
import { type ClassificationConfig, classificationSchema } from "../../src/schemas/classification.ts"
import { type ContrastiveConfig, contrastiveSchema } from "../../src/schemas/contrastive.ts"
import { modelSchema } from "../../src/schemas/model.ts"
import { type ScheduleConfig, scheduleSchema } from "../../src/schemas/schedule.ts"
import { alignmentTask } from "../../src/train/align.ts"
import { AlignGraphs } from "../../src/train/align-graphs.ts"
import { alone, type Collective } from "../../src/train/collective.ts"
import type { FeatureSet } from "../../src/train/features.ts"
import { ClassifierGraphs, classificationTask } from "../../src/train/finetune.ts"
import type { Journal, Metrics } from "../../src/train/journal.ts"
import { type LoopOptions, type Trained, train } from "../../src/train/loop.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { microBatchOf, rowsOf, type TrainTask } from "../../src/train/task.ts"
import { silent } from "../../src/util/progress.ts"
import {
  CLASSES,
  difference,
  halves,
  makeFeatures,
  makeTexts,
  PROMPTS,
  SIZE,
  scratchFolder,
  TEXT_WIDTH,
} from "./fixtures.ts"
import { ranksInOneProcess } from "./ranks.ts"

const folder = scratchFolder()
let set: FeatureSet
let standardize: Weights
beforeAll(async () => {
  set = await makeFeatures({ clips: 33, views: 2 })
  standardize = await fitStandardize(set, null)
})

class Lines implements Journal {
  readonly train: Metrics[] = []
  readonly val: Metrics[] = []
  write(_step: number, _epoch: number, part: "train" | "val", metrics: Metrics): void {
    this[part].push(metrics)
  }
  async rewind(): Promise<void> {}
}

const BATCH = 10
const schedule = (some: Partial<ScheduleConfig> = {}) =>
  scheduleSchema.parse({ epochs: 2, batch: BATCH, learningRate: 5e-3, warmupEpochs: 1, ...some })

type Make = (ranks: number, microBatch?: number) => Promise<{ task: TrainTask; release(): Promise<void> }>

/** Stage 2 with everything that is drawn at random, and validation. */
function classification(some: Partial<ClassificationConfig> = {}): Make {
  const config = classificationSchema.parse({ mixup: 0.8, dropout: 0.2, repeats: 2, ...some })
  return async (ranks, microBatch = 100) => {
    const model = modelSchema.parse({ headWidth: 8, blocks: 1 })
    const build = methodNamed("full").build({ prompts: PROMPTS, model, space: null })
    const spec = { size: SIZE, classes: CLASSES, width: null, pool: model.pool, build }
    const rows = microBatchOf({ rows: BATCH * config.repeats, microBatch, ranks })
    const graphs = await ClassifierGraphs.compile(
      spec,
      rows,
      config.dropout,
      { threads: 1 },
      rows < BATCH * config.repeats,
    )
    const processors = graphs.frozen.filter(({ name }) => !standardize.has(name))
    const frozen: Weights = new Map([...standardize, ...initialize(processors, (name) => Rng.fork(name))])
    return {
      task: classificationTask("full", graphs, config, halves(set), frozen, BATCH),
      release: () => graphs.release(),
    }
  }
}

/** Stage 1, with texts that lack for some clips. */
function alignment(some: Partial<ContrastiveConfig> = {}): Make {
  return async (ranks, microBatch = BATCH) => {
    const contrastive = contrastiveSchema.parse(some)
    const spec = {
      size: SIZE,
      prompts: PROMPTS,
      textWidth: TEXT_WIDTH,
      contrastive,
      width: null,
      processors: modelSchema.parse({}),
      partial: true,
    }
    const graphs = await AlignGraphs.compile(spec, BATCH, microBatchOf({ rows: BATCH, microBatch, ranks }), {
      threads: 1,
    })
    const { train: own, val } = halves(set)
    const embeddings = makeTexts(own.examples)
    embeddings.get("B")?.delete(own.examples[3].id)
    const texts = { width: TEXT_WIDTH, embeddings }
    const task = alignmentTask(graphs, { train: own, val }, texts, standardize, async () => null)
    return { task, release: () => graphs.release() }
  }
}

async function trainOn(
  ranks: readonly Collective[],
  make: Make,
  options: (rank: number) => Partial<LoopOptions> = () => ({}),
  microBatch?: number,
): Promise<Trained[]> {
  const made = await Promise.all(ranks.map(() => make(ranks.length, microBatch)))
  try {
    const runs = made.map(({ task }, rank) =>
      train(task, { schedule: schedule(), seed: 1, reporter: silent, collective: ranks[rank], ...options(rank) }),
    )
    const settled = await Promise.allSettled(runs)
    const failed = settled.find((one) => one.status === "rejected")
    if (failed) throw failed.reason
    return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
  } finally {
    for (const { release } of made) await release()
  }
}

async function journalled(ranks: readonly Collective[], make: Make, microBatch?: number) {
  const journal = new Lines()
  const trained = await trainOn(ranks, make, (rank) => (rank === 0 ? { journal } : {}), microBatch)
  return { journal, trained }
}

function expectAlike(found: Lines, wanted: Lines, tolerance: number): void {
  expect(found.train).toHaveLength(wanted.train.length)
  for (const [step, losses] of wanted.train.entries()) {
    for (const [name, loss] of Object.entries(losses)) {
      expect(Math.abs(found.train[step][name] - loss), `update ${step + 1}, ${name}`).toBeLessThan(tolerance)
    }
  }
  expect(found.val.map(({ top1 }) => top1)).toEqual(wanted.val.map(({ top1 }) => top1))
}

function expectWeights(found: Weights, wanted: Weights, tolerance: number): void {
  for (const [name, values] of wanted) {
    expect(difference(found.get(name) ?? [], values), name).toBeLessThan(tolerance)
  }
}

describe("shares of a batch", () => {
  it("cover it once, whatever the number of ranks", () => {
    for (const rows of [1, 7, 10, 64]) {
      for (const size of [1, 2, 3, 4, 16]) {
        const shares = Array.from({ length: size }, (_, rank) => rowsOf(rows, { rank, size }))
        const covered = shares.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i))
        expect(covered).toEqual([...Array(rows).keys()])
      }
    }
  })
})

describe("one loss for any number of ranks", () => {
  it.each([
    ["stage 2 with mixup, dropout and two views a clip", classification()],
    ["stage 1", alignment()],
    ["stage 1 with mixup", alignment({ mixup: 0.8 })],
  ] as const)("%s: 2, 3, 4 ranks and micro-batches", async (_, make) => {
    const one = await journalled([alone], make)
    const parts = await journalled([alone], make, 3)
    expectAlike(parts.journal, one.journal, 1e-5)
    for (const size of [2, 3, 4]) {
      const { ranks, calls } = ranksInOneProcess(size)
      const { journal, trained } = await journalled(ranks, make)
      expectAlike(journal, one.journal, 1e-5)
      expectWeights(trained[0].weights, one.trained[0].weights, 2e-4)
      // gradients and losses are one message
      expect(calls.sum).toBe(one.journal.train.length)
    }
  })

  it("every rank makes the same update, bit for bit, also one that has no rows", async () => {
    const { ranks } = ranksInOneProcess(6)
    const one = await journalled([alone], alignment())
    const { journal, trained } = await journalled(ranks, alignment())
    expectAlike(journal, one.journal, 1e-5)
    for (const { weights } of trained.slice(1)) expect(weights).toEqual(trained[0].weights)
  })

  it("says so where mixup's partners are out of the graphs' reach", async () => {
    const config = classificationSchema.parse({ mixup: 0.8 })
    const model = modelSchema.parse({ headWidth: 8, blocks: 1 })
    const build = methodNamed("baseline").build({ prompts: [], model, space: null })
    const graphs = await ClassifierGraphs.compile(
      { size: SIZE, classes: CLASSES, width: null, pool: "mean", build },
      5,
      0,
    )
    const task = classificationTask("baseline", graphs, config, halves(set), standardize)
    await expect(train(task, { schedule: schedule(), seed: 1, reporter: silent })).rejects.toThrow(
      /baseline: mixup in batches of 10 clips, of which the graphs take 5 at a time.*partners/s,
    )
    await graphs.release()
  })
})

describe("stopping", () => {
  it("ranks stop together when one is told to, and others in another number go on to the same weights", async () => {
    const make = classification()
    const patient = { schedule: schedule({ epochs: 5, patience: 3 }) }
    const [whole] = await trainOn([alone], make, () => patient)
    const path = join(folder, "ranks.safetensors")
    const journalPath = join(folder, "ranks.jsonl")
    const firstRank = (rank: number) =>
      rank === 0 ? { checkpoints: fileCheckpoints(path, "k"), journal: new FileJournal(journalPath) } : {}
    // the second of two ranks is told to stop, in its fifth update
    const controller = new AbortController()
    let calls = 0
    const stopped: Make = async (...args) => {
      const made = await make(...args)
      const gradients: TrainTask["gradients"] = (part, optimizer) => {
        if (part.start > 0 && ++calls === 5) controller.abort()
        return made.task.gradients(part, optimizer)
      }
      return { ...made, task: { ...made.task, gradients } }
    }
    const two = trainOn(ranksInOneProcess(2).ranks, stopped, (rank) => ({
      ...patient,
      ...firstRank(rank),
      ...(rank === 1 ? { signal: controller.signal } : {}),
    }))
    await expect(two).rejects.toMatchObject({ name: "AbortError" })
    const [resumed] = await trainOn(ranksInOneProcess(3).ranks, make, (rank) => ({ ...patient, ...firstRank(rank) }))
    expect(resumed).toMatchObject({ steps: whole.steps, keptStep: whole.keptStep })
    expectWeights(resumed.weights, whole.weights, 5e-4)
    const steps = readFileSync(journalPath, "utf8").match(/"step":\d+,"epoch":\d+,"split":"train"/g)
    expect(new Set(steps).size).toBe(whole.steps)
    expect(steps).toHaveLength(whole.steps)
  })
})
