/** Looking at a trained network from outside: it says what evaluation says, and a prompt that is left out leaves nothing behind. */

import { input, Rng } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { beforeAll, describe, expect, it } from "vitest"
import { methodNamed } from "../../src/model/methods/index.ts"
import type { NetworkSpec } from "../../src/model/network.ts"
import { onRawMap } from "../../src/model/network.ts"
import { type ModelConfig, modelSchema } from "../../src/schemas/model.ts"
import type { FeatureSet } from "../../src/train/features.ts"
import { ClassifierGraphs, clipProbabilities } from "../../src/train/finetune.ts"
import { NetworkReader, withoutPrompt } from "../../src/train/network-reader.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { CLASSES, makeFeatures, PROMPTS, RECORD, SIZE, TEXT_WIDTH } from "./fixtures.ts"

let set: FeatureSet
let standardize: Weights
beforeAll(async () => {
  set = await makeFeatures({ clips: 20, views: 2 })
  standardize = await fitStandardize(set, null)
})

function specOf(prompts: readonly string[], some: Partial<ModelConfig> = {}): NetworkSpec {
  const model = modelSchema.parse({ headWidth: 8, blocks: 1, processors: "text", languageWeight: 1, ...some })
  const space = { similarity: "pooled" as const, textWidth: TEXT_WIDTH }
  return {
    size: SIZE,
    classes: CLASSES,
    width: null,
    pool: model.pool,
    build: methodNamed("full").build({ prompts, model, space }),
  }
}

/** Weights of a network that nothing has trained, all different from zero. */
function randomWeights(spec: NetworkSpec): Weights {
  const network = onRawMap(input("m", [1, SIZE.T, RECORD.N, SIZE.D]), spec, null)
  const params = [...network.trained, ...network.finalFrozen].filter(({ name }) => !standardize.has(name))
  const first = initialize(params, (name) => Rng.fork(name))
  const noise = [...first].map(([name, values]) => {
    const rng = Rng.fork("noise", name)
    return [name, values.map((x) => x + 0.3 * rng.normal())] as const
  })
  return new Map([...standardize, ...noise])
}

async function read(spec: NetworkSpec, weights: Weights) {
  const reader = await NetworkReader.compile(spec)
  try {
    return await reader.read(set, weights)
  } finally {
    await reader.release()
  }
}

const flat = (rows: readonly Float32Array[]) => rows.flatMap((row) => [...row])

describe("a network that is looked at", () => {
  it("says what evaluation says, and shows one row of its first layer for each clip", async () => {
    const spec = specOf(PROMPTS)
    const weights = randomWeights(spec)
    const { probabilities, first } = await read(spec, weights)
    const graphs = await ClassifierGraphs.compile(spec, 8, 0)
    const expected = await clipProbabilities(graphs, set, weights)
    await graphs.release()
    for (const [i, p] of flat(probabilities).entries()) expect(p).toBeCloseTo(flat(expected)[i], 5)
    expect(first.map((row) => row.length)).toEqual(Array(20).fill(SIZE.D))
    expect(new Set(first.map((row) => row[0])).size).toBeGreaterThan(10)
  })

  it("without a prompt is the network that never had it", async () => {
    const weights = randomWeights(specOf(PROMPTS))
    const mean = Float32Array.from({ length: TEXT_WIDTH }, (_, d) => 0.1 * (d + 1))
    const left = await read(specOf(PROMPTS), withoutPrompt(weights, "A", mean))
    // the network of B alone has no part of the bias that stands for A
    const matrix = weights.get("language.A.weight") ?? new Float32Array()
    const bias = (weights.get("language.bias") ?? new Float32Array()).map((x, c) =>
      mean.reduce((sum, m, d) => sum + m * matrix[d * CLASSES + c], x),
    )
    const alone = await read(specOf(["B"]), new Map([...weights, ["language.bias", bias]]))
    for (const [i, p] of flat(left.probabilities).entries()) expect(p).toBeCloseTo(flat(alone.probabilities)[i], 5)
    const whole = await read(specOf(PROMPTS), weights)
    expect(flat(whole.probabilities)).not.toEqual(flat(left.probabilities))
  })
})
