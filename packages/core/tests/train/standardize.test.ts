/** What is fitted on training clips: channels of mean 0 and deviation 1, and principal components that keep the most. */

import { halfToFloat, Rng } from "@fourtier/tensor"
import { beforeAll, describe, expect, it } from "vitest"
import { type FeatureSet, MemoryFeatures } from "../../src/train/features.ts"
import { fitStandardize } from "../../src/train/standardize.ts"

const size = { T: 5, N: 6, D: 7 }
/** More rows than are held at once, and no whole number of chunks. */
const CLIPS = 211
let set: FeatureSet

beforeAll(() => {
  const source = new MemoryFeatures("mixed", size)
  const rng = new Rng("standardize")
  const examples = []
  for (let i = 0; i < CLIPS; i++) {
    const [a, b] = [rng.normal(), rng.normal()]
    // two hidden causes, noise, and one channel that never varies
    const m = Float32Array.from({ length: size.T * size.N * size.D }, (_, j) => {
      const d = j % size.D
      return d === 6 ? 3 : d + (d < 3 ? 5 * a : 2 * b) + 0.3 * rng.normal()
    })
    source.add({ clip: `c${i}`, view: 0 }, m)
    examples.push({ id: `c${i}`, hash: `c${i}`, label: 0, views: [0] })
  }
  set = { source, examples }
})

async function allRows({ source, examples }: FeatureSet = set): Promise<number[][]> {
  const rows: number[][] = []
  for (const { hash } of examples) {
    for (const kind of ["s", "t"] as const) {
      const data = halfToFloat(await source.read({ clip: hash, view: 0 }, kind))
      const { D } = source.size
      for (let i = 0; i < data.length; i += D) rows.push([...data.subarray(i, i + D)])
    }
  }
  return rows
}

const get = (weights: Map<string, Float32Array>, name: string) =>
  weights.get(`standardize.${name}`) ?? new Float32Array()
const meanOf = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length

describe("standardisation", () => {
  it("brings every channel to mean 0 and deviation 1, and silences one that never varies", async () => {
    const weights = await fitStandardize(set, null)
    expect([...weights.keys()]).toEqual(["standardize.mean", "standardize.scale"])
    const [mean, scale] = [get(weights, "mean"), get(weights, "scale")]
    const rows = await allRows()
    for (let d = 0; d < size.D; d++) {
      const z = rows.map((row) => (row[d] - mean[d]) * scale[d])
      expect(meanOf(z)).toBeCloseTo(0, 4)
      expect(meanOf(z.map((x) => x * x))).toBeCloseTo(d === 6 ? 0 : 1, 4)
    }
    expect(scale[6]).toBe(0)
  })

  it("principal components are uncorrelated, of mean variance 1 together, and keep what varies most", async () => {
    const weights = await fitStandardize(set, 2)
    const [mean, scale, projection] = [get(weights, "mean"), get(weights, "scale"), get(weights, "projection")]
    const z = (await allRows()).map((row) => row.map((x, d) => (x - mean[d]) * scale[d]))
    const projected = z.map((row) => [0, 1].map((k) => row.reduce((sum, x, d) => sum + x * projection[d * 2 + k], 0)))
    const product = (i: number, j: number) => meanOf(projected.map((row) => row[i] * row[j]))
    expect(product(0, 1)).toBeCloseTo(0, 3)
    expect((product(0, 0) + product(1, 1)) / 2).toBeCloseTo(1, 3)
    expect(product(0, 0)).toBeGreaterThanOrEqual(product(1, 1))
    // two causes lie behind six channels: two components hold nearly all of their variance
    const norm = [0, 1].map((k) => Math.hypot(...Array.from({ length: size.D }, (_, d) => projection[d * 2 + k])))
    expect(product(0, 0) / norm[0] ** 2 + product(1, 1) / norm[1] ** 2).toBeGreaterThan(0.95 * 6)
  })

  it("of fewer rows than channels, principal components are those of the covariance matrix", async () => {
    const [D, width, rng] = [40, 5, new Rng("few rows")]
    const source = new MemoryFeatures("few", { T: 2, N: 3, D })
    const examples = Array.from({ length: 4 }, (_, i) => ({ id: `${i}`, hash: `${i}`, label: 0, views: [0] }))
    for (const { hash } of examples) {
      const causes = Float64Array.from({ length: 3 }, () => rng.normal())
      source.add(
        { clip: hash, view: 0 },
        Float32Array.from({ length: 6 * D }, (_, j) => 4 * causes[(j % D) % 3] + rng.normal()),
      )
    }
    const few: FeatureSet = { source, examples }
    const weights = await fitStandardize(few, width)
    const [mean, scale, projection] = [get(weights, "mean"), get(weights, "scale"), get(weights, "projection")]
    const z = (await allRows(few)).map((row) => row.map((x, d) => (x - mean[d]) * scale[d]))
    expect(z.length).toBeLessThan(D)
    const column = (k: number) => Array.from({ length: D }, (_, d) => projection[d * width + k])
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0)
    const covariance = z[0].map((_, d) => z[0].map((_, e) => meanOf(z.map((row) => row[d] * row[e]))))
    const values = Array.from({ length: width }, (_, k) => {
      const [v, image] = [column(k), covariance.map((row) => dot(row, column(k)))]
      const value = dot(v, image) / dot(v, v)
      for (const [d, x] of image.entries()) expect(x).toBeCloseTo(value * v[d], 4)
      expect(Math.max(...v)).toBe(Math.max(...v.map(Math.abs)))
      for (let other = 0; other < k; other++) expect(dot(v, column(other))).toBeCloseTo(0, 5)
      return value
    })
    expect(values).toEqual(values.toSorted((a, b) => b - a))
    // the largest there are: each of the others holds no more than the least of them
    const trace = covariance.reduce((sum, row, d) => sum + row[d], 0)
    expect(trace - values.reduce((a, b) => a + b)).toBeLessThan((z.length - 1 - width) * values[width - 1])
    expect(meanOf(values.map((value, k) => value * dot(column(k), column(k))))).toBeCloseTo(1, 4)
  })

  it("as many components as rows, or more, are found too", async () => {
    const source = new MemoryFeatures("one clip", { T: 2, N: 2, D: 9 })
    const rng = new Rng("one clip")
    source.add(
      { clip: "a", view: 0 },
      Float32Array.from({ length: 36 }, () => rng.normal()),
    )
    const one: FeatureSet = { source, examples: [{ id: "a", hash: "a", label: 0, views: [0] }] }
    for (const width of [3, 4, 9]) {
      const projection = get(await fitStandardize(one, width), "projection")
      expect(projection).toHaveLength(9 * width)
      expect(projection.every(Number.isFinite)).toBe(true)
    }
  })

  it("is the same every time, and refuses more components than channels", async () => {
    expect(await fitStandardize(set, 3)).toEqual(await fitStandardize(set, 3))
    await expect(fitStandardize(set, size.D + 1)).rejects.toThrow(/more principal components than channels/)
  })
})
