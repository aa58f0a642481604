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

async function allRows(): Promise<number[][]> {
  const rows: number[][] = []
  for (const { hash } of set.examples) {
    for (const kind of ["s", "t"] as const) {
      const data = halfToFloat(await set.source.read({ clip: hash, view: 0 }, kind))
      for (let i = 0; i < data.length; i += size.D) rows.push([...data.subarray(i, i + size.D)])
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

  it("is the same every time, and refuses more components than channels", async () => {
    expect(await fitStandardize(set, 3)).toEqual(await fitStandardize(set, 3))
    await expect(fitStandardize(set, size.D + 1)).rejects.toThrow(/more principal components than channels/)
  })
})
