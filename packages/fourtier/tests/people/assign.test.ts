/** Protects pairs of least cost: as good as trying every one, at any size, and none above the limit. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { assignPairs, type Pair } from "../../src/people/assign.ts"

/** The least sum of (cost − limit) over every choice of pairs. */
function leastSum(
  costs: readonly (readonly number[])[],
  limit: number,
  row = 0,
  taken: readonly number[] = [],
): number {
  if (row === costs.length) return 0
  let best = leastSum(costs, limit, row + 1, taken)
  for (const [column, cost] of costs[row].entries()) {
    if (!(cost < limit) || taken.includes(column)) continue
    best = Math.min(best, cost - limit + leastSum(costs, limit, row + 1, [...taken, column]))
  }
  return best
}

const sumOf = (pairs: readonly Pair[], costs: readonly (readonly number[])[], limit: number) =>
  pairs.reduce((sum, [row, column]) => sum + costs[row][column] - limit, 0)

describe("pairs", () => {
  it("have the least sum of all, of any shape, with ties and with pairs that are not possible", () => {
    const rng = new Rng(7)
    for (let round = 0; round < 400; round++) {
      const [rows, columns] = [rng.int(6), rng.int(6)]
      const coarse = rng.next() < 0.5
      const costs = Array.from({ length: rows }, () =>
        Array.from({ length: columns }, () => {
          const value = rng.next()
          if (value < 0.2) return Number.POSITIVE_INFINITY
          return coarse ? Math.floor(value * 4) / 4 : value
        }),
      )
      const limit = rng.next() < 0.3 ? 5 : 0.7
      const pairs = assignPairs(rows, columns, (row, column) => costs[row][column], limit)
      expect(new Set(pairs.map(([row]) => row)).size).toBe(pairs.length)
      expect(new Set(pairs.map(([, column]) => column)).size).toBe(pairs.length)
      expect(pairs.every(([row, column]) => costs[row][column] < limit)).toBe(true)
      expect(sumOf(pairs, costs, limit)).toBeCloseTo(leastSum(costs, limit), 9)
    }
  })

  it("are made in a crowd of a thousand within a moment, and never of NaN", () => {
    const near = (row: number, column: number) => Math.abs(row - column) / 3
    const start = performance.now()
    const pairs = assignPairs(1000, 1000, near, 1)
    expect(performance.now() - start).toBeLessThan(20_000)
    expect(pairs).toEqual(Array.from({ length: 1000 }, (_, i) => [i, i]))
    expect(assignPairs(2, 2, () => Number.NaN, 1)).toEqual([])
  })
})
