/** Stage 1: gradients in chunks equal those of the whole batch, and what it learns is what the texts say. */

import { liveSessions, Rng, type Values } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { AdamW } from "@fourtier/tensor/optim"
import { beforeAll, describe, expect, it } from "vitest"
import { type ContrastiveConfig, contrastiveSchema } from "../../src/schemas/contrastive.ts"
import { modelSchema } from "../../src/schemas/model.ts"
import { scheduleSchema } from "../../src/schemas/schedule.ts"
import { alignmentTask } from "../../src/train/align.ts"
import { AlignGraphs } from "../../src/train/align-graphs.ts"
import { alone } from "../../src/train/collective.ts"
import { type FeatureSet, readBatch } from "../../src/train/features.ts"
import { train } from "../../src/train/loop.ts"
import { prototypeProbabilities, prototypesOf } from "../../src/train/prototypes.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { silent } from "../../src/util/progress.ts"
import { CLASSES, difference, halves, makeFeatures, makeTexts, PROMPTS, SIZE, TEXT_WIDTH } from "./fixtures.ts"

let set: FeatureSet
let standardize: Weights
beforeAll(async () => {
  set = await makeFeatures()
  standardize = await fitStandardize(set, null)
})

const specOf = (contrastive: ContrastiveConfig) => ({
  size: SIZE,
  prompts: PROMPTS,
  textWidth: TEXT_WIDTH,
  contrastive,
  width: null,
  processors: modelSchema.parse({}),
})

/** Losses and all gradients of the first `batch` clips. */
async function gradients(contrastive: ContrastiveConfig, batch: number, chunk: number) {
  const graphs = await AlignGraphs.compile(specOf(contrastive), batch, chunk)
  const optimizer = await AdamW.create(graphs.trained, { beta1: 0, weightDecay: 0 })
  for (const [name, values] of initialize(graphs.trained, (name) => Rng.fork(1, name))) {
    const rng = Rng.fork("bend", name)
    optimizer.parameter(name).set(values.map((x) => x + 0.05 * rng.normal()))
  }
  graphs.bind(optimizer)
  const rows = contrastive.similarity === "tokens" ? SIZE.T + SIZE.H * SIZE.W : 1
  const weights: Values = { ...Object.fromEntries(standardize) }
  for (const { name } of graphs.trained) weights[name] = optimizer.parameter(name)
  const texts: Values = Object.fromEntries(
    PROMPTS.map((prompt) => {
      const rng = Rng.fork("texts", prompt)
      return [`text/${prompt}`, Float32Array.from({ length: batch * rows * TEXT_WIDTH }, () => rng.normal())]
    }),
  )
  const keys = set.examples.slice(0, batch).map(({ hash }) => ({ clip: hash, view: 0 }))
  const losses = await graphs.gradients(
    weights,
    texts,
    (i, j, kind) => readBatch(set.source, keys.slice(i, j), kind),
    optimizer,
  )
  // with beta1 = 0 the first moment after a step is the gradient itself
  if (optimizer.accumulated > 0) await optimizer.accumulate()
  await optimizer.step({ learningRate: 0, weight: 1 })
  const { firstMoments } = optimizer.state()
  await optimizer.release()
  await graphs.release()
  return { losses, firstMoments }
}

describe("gradient caching", () => {
  it.each(
    (["pooled", "tokens"] as const).flatMap((similarity) =>
      (["identity", "text-similarity"] as const).map((targets) => ({ similarity, targets })),
    ),
  )("$similarity, $targets: chunks give the whole batch's losses and gradients", async (some) => {
    const config = contrastiveSchema.parse(some)
    const whole = await gradients(config, 12, 12)
    for (const chunk of [1, 4, 5]) {
      const parts = await gradients(config, 12, chunk)
      for (const [name, loss] of Object.entries(whole.losses)) expect(parts.losses[name]).toBeCloseTo(loss, 5)
      for (const [name, gradient] of whole.firstMoments) {
        const largest = Math.max(...gradient.map(Math.abs))
        expect(largest, name).toBeGreaterThan(0)
        expect(difference(parts.firstMoments.get(name) ?? [], gradient) / largest, name).toBeLessThan(1e-5)
      }
    }
  })
})

describe("stage 1", () => {
  const schedule = scheduleSchema.parse({ epochs: 15, batch: 12, learningRate: 0.02, warmupEpochs: 1 })

  async function align(texts: Map<string, Map<string, Float32Array>>, seed = 1) {
    const { train: own, val } = halves(set)
    const targets = { width: TEXT_WIDTH, embeddings: texts }
    const graphs = await AlignGraphs.compile(specOf(contrastiveSchema.parse({})), 12, 12)
    try {
      const task = alignmentTask(graphs, { train: own, val }, targets, standardize, async () => null)
      const options = { schedule, seed, reporter: silent }
      const { weights } = await train(task, options)
      const prototypes = prototypesOf(targets, own.examples, CLASSES)
      if (!prototypes) throw new Error("a class without texts")
      const all: Weights = new Map([...standardize, ...weights])
      const rows = (await prototypeProbabilities(graphs, val, all, prototypes)).get("all") ?? []
      const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === val.examples[i].label).length
      return { weights, accuracy: right / val.examples.length }
    } finally {
      await graphs.release()
    }
  }

  it("finds the class of unseen clips from texts alone, and leaks no session", async () => {
    const before = liveSessions()
    const { accuracy } = await align(makeTexts(set.examples))
    expect(accuracy).toBeGreaterThan(0.8)
    expect(liveSessions()).toBe(before)
  })

  it("gives the same weights for the same seed, others for another", async () => {
    const texts = makeTexts(set.examples)
    const [first, again, other] = [await align(texts), await align(texts), await align(texts, 2)]
    expect(again.weights).toEqual(first.weights)
    expect(other.weights).not.toEqual(first.weights)
  })

  it("never reads the texts of clips it does not train on", async () => {
    const texts = makeTexts(set.examples)
    const clean = await align(texts)
    const outside = new Set(halves(set).val.examples.map(({ id }) => id))
    for (const byClip of texts.values()) {
      for (const [clip, vector] of byClip) if (outside.has(clip)) vector.fill(Number.NaN)
    }
    const poisoned = await align(texts)
    expect(poisoned.weights).toEqual(clean.weights)
    expect(poisoned.accuracy).toBe(clean.accuracy)
  })
})

describe("answers that lack", () => {
  it("leave their clips to the other prompts, whole or in chunks", async () => {
    const embeddings = makeTexts(set.examples)
    const [first] = PROMPTS
    const some = new Map([...(embeddings.get(first) ?? [])].filter((_, i) => i % 3 !== 0))
    const texts = { width: TEXT_WIDTH, embeddings: new Map([...embeddings, [first, some]]) }
    const spec = { ...specOf(contrastiveSchema.parse({})), partial: true }
    const losses: number[] = []
    for (const chunk of [16, 8]) {
      const graphs = await AlignGraphs.compile(spec, 16, chunk)
      const task = alignmentTask(
        graphs,
        { train: set, val: { ...set, examples: [] } },
        texts,
        standardize,
        async () => null,
      )
      const optimizer = await AdamW.create(task.params, {})
      const start = initialize(task.params, (name) => Rng.fork(2, name))
      for (const [name, values] of start) optimizer.parameter(name).set(values)
      const found = await task.gradients(
        { clips: [...Array(16).keys()], start: 0, end: 16, rng: Rng.fork("views"), collective: alone },
        optimizer,
      )
      losses.push(found[`loss.${first}`])
      expect(Object.values(found).every(Number.isFinite)).toBe(true)
      await optimizer.release()
      await graphs.release()
    }
    expect(losses[0]).toBeGreaterThan(0)
    expect(losses[1]).toBeCloseTo(losses[0], 4)
  })
})
