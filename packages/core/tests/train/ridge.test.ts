/** Ridge regression into the text space: it solves the normal equations, and says when answers say nothing of the clips. */

import { Rng } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { beforeAll, describe, expect, it } from "vitest"
import { contrastiveSchema } from "../../src/schemas/contrastive.ts"
import { type ModelConfig, modelSchema } from "../../src/schemas/model.ts"
import { embedExamples, type TextTargets } from "../../src/train/align.ts"
import { AlignGraphs, type AlignSpec } from "../../src/train/align-graphs.ts"
import type { FeatureSet } from "../../src/train/features.ts"
import { fitRidge } from "../../src/train/ridge.ts"
import { cellsOf } from "../../src/train/ridge-cells.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { makeFeatures, makeTexts, PROMPTS, RECORD, SIZE, TEXT_WIDTH } from "./fixtures.ts"

let set: FeatureSet
let standardize: Weights
let texts: TextTargets
beforeAll(async () => {
  set = await makeFeatures({ clips: 60, noise: 0.5 })
  standardize = await fitStandardize(set, null)
  texts = { width: TEXT_WIDTH, embeddings: makeTexts(set.examples) }
})

const specOf = (some: Partial<ModelConfig> = {}): AlignSpec => ({
  size: SIZE,
  prompts: PROMPTS,
  textWidth: TEXT_WIDTH,
  contrastive: contrastiveSchema.parse({ start: "ridge" }),
  width: null,
  processors: modelSchema.parse({ processors: "text", processorWeights: "positional", ...some }),
})

const unit = (row: readonly number[]) => {
  const length = Math.hypot(...row)
  return row.map((x) => x / length)
}
const meanOf = (rows: readonly (readonly number[])[]) =>
  rows[0].map((_, d) => rows.reduce((sum, row) => sum + row[d], 0) / rows.length)
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, d) => sum + x * b[d], 0)

/** x [F] of every view of every clip, by plain arithmetic. */
async function regressors(
  set: FeatureSet,
  merge: (rows: number[]) => number[],
): Promise<{ clip: number; x: number[] }[]> {
  const { D } = RECORD
  const [mean, scale] = ["mean", "scale"].map((name) => standardize.get(`standardize.${name}`) ?? new Float32Array())
  const { halfToFloat } = await import("@fourtier/tensor")
  const jobs = set.examples.flatMap(({ hash, views }, clip) =>
    views.map((view) => ({ clip, key: { clip: hash, view } })),
  )
  return Promise.all(
    jobs.map(async ({ clip, key }) => {
      const [s, t] = [halfToFloat(await set.source.read(key, "s")), halfToFloat(await set.source.read(key, "t"))]
      const rows = [...s, ...t].map((value, i) => (value - mean[i % D]) * scale[i % D])
      return { clip, x: merge(rows) }
    }),
  )
}

/** The mean of all rows [T+N,D]. */
function meanRow(rows: number[]): number[] {
  const { T, N, D } = RECORD
  return Array.from({ length: D }, (_, d) => {
    let sum = 0
    for (let r = 0; r < T + N; r++) sum += rows[r * D + d]
    return sum / (T + N)
  })
}

/** Gaussian elimination: A [n,n], b [n,k] -> A⁻¹b */
function eliminate(A: number[][], b: number[][]): number[][] {
  const rows = A.map((row, i) => [...row, ...b[i]])
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows[i][i]
    rows[i] = rows[i].map((x) => x / pivot)
    for (let j = 0; j < rows.length; j++) {
      if (j === i) continue
      const factor = rows[j][i]
      rows[j] = rows[j].map((x, k) => x - factor * rows[i][k])
    }
  }
  return rows.map((row) => row.slice(A.length))
}

/** Frames 0 and 1 together, frame 2; places of the upper row, of the lower row: sums over the roots of how many they are. */
function fourCells(rows: number[]): number[] {
  const { D } = RECORD
  return [[0, 1], [2], [3, 4], [5, 6]].flatMap((own) =>
    Array.from({ length: D }, (_, d) => own.reduce((sum, r) => sum + rows[r * D + d], 0) / Math.sqrt(own.length)),
  )
}

describe("ridge", () => {
  // two prompts of six dimensions: from 13 clips on, answers are solved for, not clips
  it.each([
    ["shared, 60 clips", 60, "shared", meanRow, 2048],
    ["positional, 60 clips", 60, "positional", (rows: number[]) => rows, 2048],
    ["positional, 9 clips", 9, "positional", (rows: number[]) => rows, 2048],
    ["positional, rows that share their weights", 60, "positional", fourCells, 4 * RECORD.D],
  ] as const)("%s: processors give what the normal equations say", async (_, clips, weights, merge, features) => {
    const own = { ...set, examples: set.examples.slice(0, clips) }
    const spec = specOf({ processorWeights: weights })
    const fit = await fitRidge(own, standardize, texts, spec, { features })
    const samples = await regressors(own, merge)
    const F = samples[0].x.length
    const center = meanOf(samples.map(({ x }) => x))
    const X = samples.map(({ x }) => x.map((value, f) => value - center[f]))
    const lambda = (0.1 * X.reduce((sum, row) => sum + dot(row, row), 0)) / X.length
    const A = Array.from({ length: F }, (_, i) =>
      Array.from({ length: F }, (_, j) => X.reduce((sum, row) => sum + row[i] * row[j], i === j ? lambda : 0)),
    )
    const targets = own.examples.map(({ id }) => unit([...(texts.embeddings.get("A")?.get(id) ?? [])]))
    const mean = meanOf(targets)
    const b = Array.from({ length: F }, (_, f) =>
      mean.map((_, d) => X.reduce((sum, row, i) => sum + row[f] * (targets[samples[i].clip][d] - mean[d]), 0)),
    )
    const W = eliminate(A, b)
    const graphs = await AlignGraphs.compile(spec, 9, 9)
    const fresh = initialize(graphs.trained, (name) => Rng.fork("fresh", name))
    const found = await embedExamples(graphs, own, new Map([...standardize, ...fresh, ...fit.weights]))
    await graphs.release()
    for (const clip of [0, 7, clips - 1]) {
      const views = X.filter((_, i) => samples[i].clip === clip)
      const expected = unit(
        meanOf(views.map((x) => unit(mean.map((_, d) => x.reduce((sum, value, f) => sum + value * W[f][d], 0))))),
      )
      expect(dot(expected, [...(found.get("A")?.[clip] ?? [])])).toBeCloseTo(1, 4)
    }
  })

  it("a map of 8 frames of 14×14 places is solved for in cells, one of 4×4 places row by row", () => {
    const most = 2048
    const { of, sizes } = cellsOf({ T: 8, H: 14, W: 14 }, 64, most)
    expect([of.length, sizes.length * 64 <= most, Math.max(...of)]).toEqual([204, true, sizes.length - 1])
    expect(sizes.slice(0, 8)).toEqual(Array(8).fill(1)) // time is kept
    expect(Math.max(...sizes) / Math.min(...sizes.slice(8))).toBeLessThan(2.1)
    expect(cellsOf({ T: 8, H: 4, W: 4 }, 64, most).sizes).toEqual(Array(24).fill(1))
    expect(cellsOf({ T: 32, H: 16, W: 16 }, 64, most).sizes).toHaveLength(32)
    expect(cellsOf({ T: 8, H: 1, W: 1 }, 2048, most).sizes).toHaveLength(2) // no fewer than one of each kind
  })

  it("unseen clips find their own answers; with answers shuffled they do not", async () => {
    const { retrieval } = await fitRidge(set, standardize, texts, specOf())
    for (const prompt of PROMPTS) {
      expect(retrieval.get(prompt)?.skill).toBeGreaterThan(0.4)
      expect(retrieval.get(prompt)?.z).toBeGreaterThan(5)
    }
    let largest = 0
    for (let draw = 0; draw < 5; draw++) {
      const ids = set.examples.map(({ id }) => id)
      const other = Rng.fork("shuffle", draw).shuffle(ids)
      const embeddings = new Map(
        [...texts.embeddings].map(([prompt, byClip]) => [
          prompt,
          new Map(ids.map((id, i) => [id, byClip.get(other[i]) ?? new Float32Array()])),
        ]),
      )
      const fit = await fitRidge(set, standardize, { ...texts, embeddings }, specOf())
      for (const { z } of fit.retrieval.values()) largest = Math.max(largest, z)
    }
    expect(largest).toBeLessThan(3)
  })

  it("refuses processors that do not lead into the text space", async () => {
    const spec = specOf({ processors: "visual" })
    await expect(fitRidge(set, standardize, texts, spec)).rejects.toThrow(
      /align.start: ridge needs processors of the text/,
    )
  })

  it("fits each prompt to the clips that have its text", async () => {
    const [first, ...others] = PROMPTS
    const half = set.examples.filter((_, i) => i % 2 === 0)
    const some = new Map(half.map(({ id }) => [id, texts.embeddings.get(first)?.get(id) ?? new Float32Array()]))
    const partial = { ...texts, embeddings: new Map([...texts.embeddings, [first, some]]) }
    const all = await fitRidge(set, standardize, texts, specOf())
    const fit = await fitRidge(set, standardize, partial, specOf())
    const alone = await fitRidge({ ...set, examples: half }, standardize, texts, specOf())
    for (const [name, values] of fit.weights) {
      expect(values).toEqual((name.startsWith(`processor.${first}.`) ? alone : all).weights.get(name))
    }
    expect(fit.retrieval.get(first)).toEqual(alone.retrieval.get(first))
    expect(fit.retrieval.get(others[0])).toEqual(all.retrieval.get(others[0]))
  })

  it("measures each data set by the prompts that its clips have texts of", async () => {
    const [first, ...others] = PROMPTS
    const sets = new Map(set.examples.map(({ id }, i) => [id, i % 2 === 0 ? "told" : "quiet"]))
    const some = new Map([...(texts.embeddings.get(first) ?? [])].filter(([id]) => sets.get(id) === "told"))
    const partial = { ...texts, embeddings: new Map([...texts.embeddings, [first, some]]) }
    const { bySet, retrieval } = await fitRidge(set, standardize, partial, specOf(), { sets })
    expect([...(bySet.get("told") ?? [])].map(([prompt]) => prompt)).toEqual(PROMPTS)
    expect([...(bySet.get("quiet") ?? [])].map(([prompt]) => prompt)).toEqual(others)
    expect(bySet.get("told")?.get(first)).toEqual(retrieval.get(first))
  })

  it.each(["shared", "positional"] as const)(
    "%s: is drawn to a prior, the more the higher the penalty",
    async (weights) => {
      const fit = (ridge: number, prior?: Weights) => {
        const spec = specOf({ processorWeights: weights })
        const contrastive = { ...spec.contrastive, ridge }
        return fitRidge(set, standardize, texts, { ...spec, contrastive }, { prior })
      }
      const { weights: right } = await fit(0.1)
      const prior: Weights = new Map([...right].map(([name, data]) => [name, data.map((x) => -3 * x)]))
      const distance = (a: Weights, b: Weights) =>
        Math.hypot(
          ...[...a].flatMap(([name, x]) =>
            name.endsWith("weight") ? [...x].map((value, i) => value - (b.get(name)?.[i] ?? 0)) : [],
          ),
        )
      const whole = distance(right, prior)
      const near = [0.1, 10, 1e6].map(async (ridge) => distance((await fit(ridge, prior)).weights, prior) / whole)
      const [little, much, all] = await Promise.all(near)
      expect(all).toBeLessThan(1e-3)
      expect(much).toBeLessThan(little)
      expect(distance((await fit(0.1, right)).weights, right)).toBeGreaterThan(0) // and by the answers beyond it
    },
  )

  it("held-out: takes for each prompt the penalty by which unseen clips find their answers best", async () => {
    const fit = (ridge: number | "held-out") =>
      fitRidge(set, standardize, texts, { ...specOf(), contrastive: { ...specOf().contrastive, ridge } })
    const chosen = await fit("held-out")
    for (const prompt of PROMPTS) {
      const penalty = chosen.penalties.get(prompt) ?? 0
      const own = await fit(penalty)
      expect(chosen.weights.get(`processor.${prompt}.weight`)).toEqual(own.weights.get(`processor.${prompt}.weight`))
      const skill = chosen.retrieval.get(prompt)?.skill ?? 0
      for (const other of [0.01, 0.1, 1, 30]) {
        expect(skill).toBeGreaterThanOrEqual((await fit(other)).retrieval.get(prompt)?.skill ?? 1)
      }
    }
  })
})
