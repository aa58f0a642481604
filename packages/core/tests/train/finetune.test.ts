/** Stage 2: every method learns a set that can be learned, repeatably, and micro-batches change nothing. */

import { liveSessions, Rng } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { beforeAll, describe, expect, it } from "vitest"
import { METHOD_NAMES, type Method, methodNamed } from "../../src/model/methods/index.ts"
import type { NetworkSpec } from "../../src/model/network.ts"
import { classificationSchema } from "../../src/schemas/classification.ts"
import { type ModelConfig, modelSchema } from "../../src/schemas/model.ts"
import { scheduleSchema } from "../../src/schemas/schedule.ts"
import type { FeatureSet } from "../../src/train/features.ts"
import { ClassifierGraphs, classificationTask, clipProbabilities } from "../../src/train/finetune.ts"
import { train } from "../../src/train/loop.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { silent } from "../../src/util/progress.ts"
import { CLASSES, difference, halves, makeFeatures, PROMPTS, SIZE } from "./fixtures.ts"

let set: FeatureSet
let standardize: Weights
beforeAll(async () => {
  set = await makeFeatures({ clips: 48, views: 1, noise: 0.5 })
  standardize = await fitStandardize(set, null)
})

interface Variant {
  method?: Method
  seed?: number
  microBatch?: number
  epochs?: number
  dropout?: number
  mixup?: number
  model?: Partial<ModelConfig>
}

function specOf(method: Method, some: Partial<ModelConfig> = {}): NetworkSpec {
  const model = modelSchema.parse({ headWidth: 8, blocks: 1, ...some })
  const build = methodNamed(method).build({ prompts: PROMPTS, model, space: null })
  return { size: SIZE, classes: CLASSES, width: null, pool: model.pool, build }
}

async function finetune({ method = "full", seed = 1, microBatch = 8, epochs = 6, ...rest }: Variant = {}) {
  const config = classificationSchema.parse({ mixup: rest.mixup ?? 0, dropout: rest.dropout ?? 0 })
  const schedule = scheduleSchema.parse({ epochs, batch: 8, learningRate: 3e-3, warmupEpochs: 1 })
  const graphs = await ClassifierGraphs.compile(specOf(method, rest.model), microBatch, config.dropout)
  try {
    const { train: own, val } = halves(set)
    const processors = graphs.frozen.filter(({ name }) => !standardize.has(name))
    const frozen: Weights = new Map([...standardize, ...initialize(processors, (name) => Rng.fork(name))])
    const task = classificationTask(method, graphs, config, { train: own, val: { ...val, examples: [] } }, frozen)
    const options = { schedule, seed, reporter: silent }
    const { weights } = await train(task, options)
    const rows = await clipProbabilities(graphs, val, new Map([...frozen, ...weights]))
    const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === val.examples[i].label).length
    return { weights, rows, accuracy: right / val.examples.length }
  } finally {
    await graphs.release()
  }
}

describe("stage 2", () => {
  it.each(METHOD_NAMES)("%s learns to tell classes apart, and leaks no session", async (method) => {
    const before = liveSessions()
    const { accuracy, rows } = await finetune({ method, epochs: 12 })
    expect(accuracy).toBeGreaterThan(method === "linear-probe" ? 0.5 : 0.8)
    for (const row of rows) expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
    expect(liveSessions()).toBe(before)
  })

  it.each([
    { model: { attention: "divided" } },
    { model: { integration: "learned" } },
    { model: { ffn: "conv" } },
    { model: { pool: "max", mix: false } },
    { model: { blocks: 0 } },
    { dropout: 0.2 },
    { mixup: 0.8 },
  ] satisfies Variant[])("learns with %o", async (variant) => {
    expect((await finetune({ ...variant, epochs: 12 })).accuracy).toBeGreaterThan(0.6)
  })

  it("gives the same weights for the same seed, others for another, with dropout and mixup too", async () => {
    const noisy = { dropout: 0.1, mixup: 0.8, epochs: 2 }
    const first = await finetune(noisy)
    expect((await finetune(noisy)).weights).toEqual(first.weights)
    expect((await finetune({ ...noisy, seed: 2 })).weights).not.toEqual(first.weights)
  })

  it("micro-batches give the whole batch's weights", async () => {
    const whole = await finetune({ epochs: 2 })
    const parts = await finetune({ epochs: 2, microBatch: 4 })
    for (const [name, values] of whole.weights) {
      expect(difference(parts.weights.get(name) ?? [], values), name).toBeLessThan(2e-4)
    }
  })

  it("repeated augmentation: an update sees different views of each of its clips, and there are as many updates", async () => {
    const { source, examples } = await makeFeatures({ clips: 16, views: 3 })
    const read: string[] = []
    const watched: FeatureSet = {
      source: {
        ...source,
        size: source.size,
        read(key, kind, into) {
          read.push(`${key.clip}/${key.view}`)
          return source.read(key, kind, into)
        },
      },
      examples,
    }
    const steps: number[] = []
    const frozen = await fitStandardize({ source, examples }, null)
    for (const repeats of [1, 2]) {
      read.length = 0
      const config = classificationSchema.parse({ mixup: 0, repeats })
      const graphs = await ClassifierGraphs.compile(specOf("baseline"), 8, 0)
      const data = { train: watched, val: { source, examples: [] } }
      const task = classificationTask("baseline", graphs, config, data, frozen)
      const schedule = scheduleSchema.parse({ epochs: 1, batch: 8, learningRate: 1e-3 })
      steps.push((await train(task, { schedule, seed: 1, reporter: silent })).steps)
      await graphs.release()
      expect(read).toHaveLength(16 * repeats)
      for (let start = 0; start < read.length; start += 8 * repeats) {
        const batch = read.slice(start, start + 8 * repeats)
        expect(new Set(batch).size).toBe(8 * repeats)
        expect(new Set(batch.map((key) => key.split("/")[0])).size).toBe(8)
      }
    }
    expect(steps).toEqual([2, 2])
  })

  it("a clip's probabilities do not depend on which clips share its batch", async () => {
    const { weights } = await finetune({ epochs: 1 })
    const results: Float32Array[][] = []
    for (const batch of [1, 7]) {
      const graphs = await ClassifierGraphs.compile(specOf("full"), batch, 0)
      const processors = graphs.frozen.filter(({ name }) => !standardize.has(name))
      const fixed = initialize(processors, (name) => Rng.fork(name))
      results.push(await clipProbabilities(graphs, set, new Map([...standardize, ...fixed, ...weights])))
      await graphs.release()
    }
    for (const [i, row] of results[0].entries()) expect(difference(row, results[1][i])).toBeLessThan(1e-5)
  })
})
