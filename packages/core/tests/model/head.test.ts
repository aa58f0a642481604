/** Processors, integration and blocks: what they are before training, and that switches mean what they say. */

import { constant, evaluate, grad, input, mul, Rng, sum, type Tensor } from "@fourtier/tensor"
import { initialize, type Param, Scope, type Weights } from "@fourtier/tensor/nn"
import { describe, expect, it } from "vitest"
import { buildHead } from "../../src/model/head.ts"
import { integrate, replication } from "../../src/model/integration.ts"
import { poolMap } from "../../src/model/pooling.ts"
import { buildProcessors } from "../../src/model/processor.ts"
import { prototypeScores } from "../../src/model/prototypes.ts"
import { type ModelConfig, modelSchema } from "../../src/schemas/model.ts"

const [B, T, H, W, D] = [2, 3, 2, 2, 8]
const N = H * W
const size = { T, H, W, D }
const rng = new Rng("head")
const m = Float32Array.from({ length: B * T * N * D }, () => rng.normal())
const map = input("m", [B, T, N, D])
const PROMPTS = ["A", "B", "C"]
const TEXT_WIDTH = 5

/** Values of tensors on `m`, parameters fresh or bent a little. */
async function valuesOf(outputs: Record<string, Tensor>, params: readonly Param[], bent = false) {
  const weights: Weights = initialize(params, (name) => Rng.fork("init", name))
  for (const [name, values] of weights) {
    const noise = Rng.fork("bend", name)
    if (bent) for (let i = 0; i < values.length; i++) values[i] += 0.1 * noise.normal()
  }
  return evaluate({ outputs }, { m, ...Object.fromEntries(weights) })
}

const expectClose = (found: ArrayLike<number | bigint>, expected: ArrayLike<number | bigint>, digits = 5) => {
  expect(found.length).toBe(expected.length)
  for (let i = 0; i < found.length; i++) expect(Number(found[i])).toBeCloseTo(Number(expected[i]), digits)
}

const config = (some: Partial<ModelConfig> = {}) => modelSchema.parse({ headWidth: 4, ...some })

const processorsOn = (m: Tensor, prompts: readonly string[], model: ModelConfig = config()) =>
  buildProcessors(poolMap(m, model.pool), prompts, model, TEXT_WIDTH)

function headOn(m: Tensor, prompts: readonly string[], model: ModelConfig) {
  const { values, params } = processorsOn(m, prompts, model)
  return { ...buildHead(m, values, size, 5, model), processors: params }
}

describe("processors", () => {
  it("start as the pooled map, s first, then t", async () => {
    const { values, params } = processorsOn(map, ["A"])
    const { v } = await valuesOf({ v: values.get("A") ?? map }, params)
    const expected: number[] = []
    for (let b = 0; b < B; b++) {
      const at = (t: number, n: number, d: number) => m[((b * T + t) * N + n) * D + d]
      const mean = (numbers: number[]) => numbers.reduce((x, y) => x + y, 0) / numbers.length
      const [frames, places] = [[...Array(T).keys()], [...Array(N).keys()]]
      for (const t of frames) for (let d = 0; d < D; d++) expected.push(mean(places.map((n) => at(t, n, d))))
      for (const n of places) for (let d = 0; d < D; d++) expected.push(mean(frames.map((t) => at(t, n, d))))
    }
    expectClose(v, expected)
  })
})

describe("processors of the text space", () => {
  it.each(["shared", "positional"] as const)("%s: rows have the text embeddings' width", (processorWeights) => {
    const { values } = processorsOn(map, ["A"], config({ processors: "text", processorWeights }))
    expect(values.get("A")?.shape).toEqual([B, T + N, TEXT_WIDTH])
  })

  it("positional: each row has a matrix of its own", async () => {
    const { values, params } = processorsOn(map, ["A"], config({ processors: "text", processorWeights: "positional" }))
    const weights = initialize(params, (name) => Rng.fork("init", name))
    const weight = weights.get("processor.A.weight") ?? new Float32Array()
    // all but the matrix of the last row are zero: all but the last row of v are
    weight.fill(0, 0, (T + N - 1) * D * TEXT_WIDTH)
    const { v } = await evaluate({ outputs: { v: values.get("A") ?? map } }, { m, ...Object.fromEntries(weights) })
    const rows = Array.from({ length: B * (T + N) }, (_, row) =>
      Array.from(v.slice(row * TEXT_WIDTH, (row + 1) * TEXT_WIDTH), Number),
    )
    for (const [row, values] of rows.entries()) {
      const largest = Math.max(...values.map(Math.abs))
      if (row % (T + N) === T + N - 1) expect(largest).toBeGreaterThan(0)
      else expect(largest).toBe(0)
    }
  })
})

describe("class prototypes", () => {
  it.each([
    ["visual", ["projection.A", "logit_scale.A", "prototype.A"]],
    ["text", ["logit_scale.A", "prototype.A"]],
  ] as const)("of %s processors need what stage 1 trains, and nothing else", (processors, expected) => {
    const { values } = processorsOn(map, ["A"], config({ processors }))
    const space = { similarity: "pooled" as const, textWidth: TEXT_WIDTH }
    const { logProbabilities, frozen } = prototypeScores(values, 3, space, processors)
    expect(logProbabilities.shape).toEqual([B, 3])
    expect(frozen.map(({ name }) => name.replace(/\.weight$/, ""))).toEqual(expected)
  })
})

describe("integration", () => {
  /** f of both ways to spread, with the same projections. */
  async function fused(integration: ModelConfig["integration"], bent: boolean) {
    const { values, params } = processorsOn(map, PROMPTS)
    const scope = new Scope("integration")
    const f = integrate(scope, map, values, { integration })
    const weights = initialize([...params, ...scope.params], (name) => Rng.fork("init", name))
    for (const [name, data] of weights) {
      const noise = Rng.fork("bend", name)
      if (bent && !name.endsWith("spread")) for (let i = 0; i < data.length; i++) data[i] += 0.1 * noise.normal()
    }
    return (await evaluate({ outputs: { f } }, { m, ...Object.fromEntries(weights) })).f
  }

  it("starts from the plain map", async () => {
    for (const integration of ["axial", "learned"] as const) expectClose(await fused(integration, false), m)
  })

  it("learned spreading starts equal to axial", async () => {
    const axial = await fused("axial", true)
    expectClose(await fused("learned", true), axial, 4)
    expect(Math.max(...m.map((x, i) => Math.abs(x - Number(axial[i]))))).toBeGreaterThan(0.1)
  })

  it("replication sends row t to frame t and row n to place n", () => {
    const matrix = replication(T, N)
    for (let row = 0; row < T * N; row++) {
      const ones = [...Array(T + N).keys()].filter((column) => matrix[row * (T + N) + column] === 1)
      expect(ones).toEqual([Math.floor(row / N), T + (row % N)])
    }
  })
})

describe("the head", () => {
  const variants: Partial<ModelConfig>[] = [
    {},
    { attention: "divided" },
    { ffn: "conv" },
    { pool: "max" },
    { integration: "learned" },
    { mix: false, blocks: 1 },
    { processors: "text" },
    { processors: "text", processorWeights: "positional" },
  ]

  it.each(variants)("%o: finite logits, and a gradient for every trained weight", async (some) => {
    const head = headOn(map, PROMPTS, config(some))
    const weighting = constant(
      Float32Array.from({ length: B * 5 }, (_, i) => Math.cos(i)),
      [B, 5],
    )
    const slopes = grad(
      sum(mul(head.logits, weighting)),
      head.trained.map(({ tensor }) => tensor),
    )
    const outputs = Object.fromEntries(head.trained.map(({ name }, i) => [`grad/${name}`, slopes[i]]))
    const result = await valuesOf({ logits: head.logits, ...outputs }, [...head.processors, ...head.trained], true)
    for (const [name, data] of Object.entries(result)) {
      const numbers = Array.from(data, Number)
      expect(numbers.every(Number.isFinite), name).toBe(true)
      expect(Math.max(...numbers.map(Math.abs)), name).toBeGreaterThan(0)
    }
  })

  it("a clip's logits do not depend on the other clips of the batch", async () => {
    const head = headOn(map, PROMPTS, config())
    const one = input("m", [1, T, N, D])
    const alone = headOn(one, PROMPTS, config())
    const all = await valuesOf({ logits: head.logits }, [...head.processors, ...head.trained], true)
    const weights = initialize([...alone.processors, ...alone.trained], (name) => Rng.fork("init", name))
    for (const [name, values] of weights) {
      const noise = Rng.fork("bend", name)
      for (let i = 0; i < values.length; i++) values[i] += 0.1 * noise.normal()
    }
    const feeds = { m: m.subarray(T * N * D), ...Object.fromEntries(weights) }
    expectClose((await evaluate({ outputs: { logits: alone.logits } }, feeds)).logits, all.logits.slice(5), 4)
  })

  it("without prompts has no processors and no projections", () => {
    const head = headOn(map, [], config())
    expect(head.processors).toEqual([])
    expect(head.trained.some(({ name }) => name.includes("projection"))).toBe(false)
  })
})
