/**
 * Who belongs to whom: pairs of rows and columns of least total cost (the assignment problem), by shortest augmenting paths as in
 * Jonker & Volgenant 1987 (https://doi.org/10.1007/BF02278710). Pairs above a limit are never made, so rows and columns that no
 * possible pair connects are solved apart: large crowds stay quick.
 */

/** A row and a column that belong together. */
export type Pair = readonly [row: number, column: number]

/**
 * The pairs that make the sum of (cost − limit) smallest, in order of rows: a pair is made where it costs less than the limit, and none
 * at all is better than a dear one.
 * @param rows number of rows
 * @param columns number of columns
 * @param cost of a pair; one that is no number is never made
 *
 * @example
 * ```ts
 * import { assignPairs } from "fourtier/people"
 *
 * const costs = [[1, 2], [1, 9]]
 * assignPairs(2, 2, (row, column) => costs[row][column], 5) // [[0, 1], [1, 0]]
 * ```
 */
export function assignPairs(
  rows: number,
  columns: number,
  cost: (row: number, column: number) => number,
  limit: number,
): Pair[] {
  const possible = Array.from({ length: rows }, (_, row) => {
    const found = new Map<number, number>()
    for (let column = 0; column < columns; column++) {
      const value = cost(row, column)
      if (value < limit) found.set(column, value)
    }
    return found
  })
  const pairs = partsOf(possible, columns).flatMap((part) => {
    if (part.length === 1) {
      const [[cheapest]] = [...possible[part[0]]].sort(([, a], [, b]) => a - b)
      return [[part[0], cheapest] as const]
    }
    return solve(part, possible, limit)
  })
  return pairs.sort(([a], [b]) => a - b)
}

/** Rows that share possible columns, directly or by way of others; rows without any are left out. */
function partsOf(possible: readonly ReadonlyMap<number, number>[], columns: number): number[][] {
  const rowsOf: number[][] = Array.from({ length: columns }, () => [])
  for (const [row, found] of possible.entries()) for (const column of found.keys()) rowsOf[column].push(row)
  const seen = new Set<number>()
  const parts: number[][] = []
  for (const [start, found] of possible.entries()) {
    if (found.size === 0 || seen.has(start)) continue
    seen.add(start)
    const part = [start]
    for (let next = 0; next < part.length; next++) {
      for (const column of possible[part[next]].keys()) {
        for (const row of rowsOf[column].splice(0)) {
          if (!seen.has(row)) part.push(row)
          seen.add(row)
        }
      }
    }
    parts.push(part.sort((a, b) => a - b))
  }
  return parts
}

/** The pairs of one part. Every row has a column of its own at the price of the limit, which stands for no pair. */
function solve(part: readonly number[], possible: readonly ReadonlyMap<number, number>[], limit: number): Pair[] {
  const real = [...new Set(part.flatMap((row) => [...possible[row].keys()]))].sort((a, b) => a - b)
  const [n, m] = [part.length, real.length + part.length]
  const costs = part.map((row, i) =>
    Float64Array.from({ length: m }, (_, j) => {
      if (j < real.length) return possible[row].get(real[j]) ?? Number.POSITIVE_INFINITY
      return j - real.length === i ? limit : Number.POSITIVE_INFINITY
    }),
  )
  const [rowPrice, columnPrice] = [new Float64Array(n), new Float64Array(m)]
  const rowOf = new Int32Array(m).fill(-1)
  for (let start = 0; start < n; start++) augment(start, costs, rowPrice, columnPrice, rowOf)
  return real.flatMap((column, j): Pair[] => (rowOf[j] >= 0 ? [[part[rowOf[j]], column]] : []))
}

/** Finds a column for one more row: the cheapest way through the pairs so far, which are re-made along it. */
function augment(
  start: number,
  costs: readonly Float64Array[],
  rowPrice: Float64Array,
  columnPrice: Float64Array,
  rowOf: Int32Array,
): void {
  const m = columnPrice.length
  const distance = new Float64Array(m).fill(Number.POSITIVE_INFINITY)
  const before = new Int32Array(m).fill(-1)
  const done = new Uint8Array(m)
  const visited: number[] = []
  let [row, from, reached] = [start, -1, 0]
  for (;;) {
    let nearest = -1
    for (let j = 0; j < m; j++) {
      if (done[j] === 1) continue
      const way = reached + costs[row][j] - rowPrice[row] - columnPrice[j]
      if (way < distance[j]) {
        distance[j] = way
        before[j] = from
      }
      if (nearest < 0 || distance[j] < distance[nearest]) nearest = j
    }
    reached = distance[nearest]
    done[nearest] = 1
    if (rowOf[nearest] < 0) {
      // prices grow by how much nearer than the end each place was
      rowPrice[start] += reached
      for (const j of visited) {
        rowPrice[rowOf[j]] += reached - distance[j]
        columnPrice[j] -= reached - distance[j]
      }
      let at = nearest
      while (at >= 0) {
        const previous = before[at]
        rowOf[at] = previous < 0 ? start : rowOf[previous]
        at = previous
      }
      return
    }
    visited.push(nearest)
    row = rowOf[nearest]
    from = nearest
  }
}
