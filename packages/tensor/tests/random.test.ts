/** Random numbers in the graph: uniform, uncorrelated, equal for equal seeds. Dropout keeps the mean. */

import { describe, expect, test } from "vitest"
import { evaluate, input, randomUniform } from "../src/index.ts"
import { drop } from "../src/nn/layers.ts"
import { constant } from "../src/tensor.ts"

const N = 100_000

async function uniform(seed: bigint, salt: number, shape: readonly number[] = [N]): Promise<number[]> {
  const tensor = randomUniform(input("seed", [], "i64"), shape, salt)
  const { y } = await evaluate({ outputs: { y: tensor } }, { seed: BigInt64Array.of(seed) }, { threads: 1 })
  return Array.from(y, Number)
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)]
  const covariance = mean(a.map((x, i) => (x - ma) * (b[i] - mb)))
  return covariance / Math.sqrt(mean(a.map((x) => (x - ma) ** 2)) * mean(b.map((x) => (x - mb) ** 2)))
}

/** Standard deviations from what a true uniform stream has; 5 of them happen once in two million. */
const SIGMAS = 5

// the last seed is beyond the generator's modulus
const streams: [seed: bigint, salt: number][] = [
  [0n, 0],
  [0n, 1],
  [1n, 0],
  [2n, 0],
  [12345n, 7],
  [2n ** 31n, 3],
  [2n ** 53n, 3],
]

describe("randomUniform", () => {
  for (const [seed, salt] of streams) {
    test(`seed ${seed}, salt ${salt}: moments, neighbours, histogram`, async () => {
      const values = await uniform(seed, salt)
      expect(Math.min(...values.slice(0, 50_000))).toBeGreaterThanOrEqual(0)
      expect(values.every((value) => value >= 0 && value < 1)).toBe(true)
      expect(Math.abs(mean(values) - 0.5)).toBeLessThan((SIGMAS * Math.sqrt(1 / 12)) / Math.sqrt(N))
      const variance = mean(values.map((value) => (value - 0.5) ** 2))
      expect(Math.abs(variance - 1 / 12)).toBeLessThan((SIGMAS * Math.sqrt(1 / 180)) / Math.sqrt(N))
      for (const lag of [1, 2, 3, 7, 64, 384, 1000, 32768]) {
        const r = correlation(values.slice(0, N - lag), values.slice(lag))
        expect(Math.abs(r), `lag ${lag}`).toBeLessThan(SIGMAS / Math.sqrt(N - lag))
      }
      // chi-square over 256 cells: 255 ± 22.6; pairs of neighbours over 32 × 32 cells: 1023 ± 45
      const cells = new Array<number>(256).fill(0)
      for (const value of values) cells[Math.floor(value * 256)]++
      expect(Math.abs(chiSquare(cells) - 255)).toBeLessThan(SIGMAS * Math.sqrt(2 * 255))
      const pairs = new Array<number>(1024).fill(0)
      for (let i = 0; i + 1 < N; i += 2) pairs[Math.floor(values[i] * 32) * 32 + Math.floor(values[i + 1] * 32)]++
      expect(Math.abs(chiSquare(pairs) - 1023)).toBeLessThan(SIGMAS * Math.sqrt(2 * 1023))
    })
  }

  test("streams of different seeds and salts are unrelated", async () => {
    const all = await Promise.all(streams.map(([seed, salt]) => uniform(seed, salt)))
    for (const [i, a] of all.entries()) {
      for (const [j, b] of all.entries()) {
        if (j <= i) continue
        expect(Math.abs(correlation(a, b)), `${streams[i]} and ${streams[j]}`).toBeLessThan(SIGMAS / Math.sqrt(N))
      }
    }
  })

  test("equal seeds and salts give equal numbers, whatever the shape", async () => {
    const flat = await uniform(9n, 4, [24])
    expect(await uniform(9n, 4, [2, 3, 4])).toEqual(flat)
    expect(await uniform(9n, 5, [24])).not.toEqual(flat)
    expect(await uniform(10n, 4, [24])).not.toEqual(flat)
  })
})

function chiSquare(cells: readonly number[]): number {
  const expected = cells.reduce((sum, count) => sum + count, 0) / cells.length
  return cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

test("dropout zeroes the given share and keeps the mean", async () => {
  let salt = 0
  const dropout = { seed: input("seed", [], "i64"), rate: 0.25, nextSalt: () => salt++ }
  const x = constant(new Float32Array(N).fill(2), [N])
  const { y, z } = await evaluate(
    { outputs: { y: drop(x, dropout), z: drop(x, dropout) } },
    { seed: BigInt64Array.of(3n) },
    { threads: 1 },
  )
  const values = Array.from(y, Number)
  const dropped = values.filter((value) => value === 0).length / N
  expect(Math.abs(dropped - 0.25)).toBeLessThan((SIGMAS * Math.sqrt(0.25 * 0.75)) / Math.sqrt(N))
  expect(Math.abs(mean(values) - 2)).toBeLessThan(0.02)
  expect(new Set(values).size).toBe(2)
  expect(Array.from(z, Number)).not.toEqual(values)
  expect(drop(x, null)).toBe(x)
})
