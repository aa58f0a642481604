/**
 * Clips as points of a plane: neighbours in feature space stay neighbours (UMAP, McInnes, Healy and Melville 2018,
 * https://arxiv.org/abs/1802.03426).
 */

import { Rng } from "@fourtier/tensor"

/** Neighbours that the map keeps together. */
export const MAP_NEIGHBOURS = 15
/** Fewer clips make no map. */
const FEWEST = 5
/** Rounds of the layout: the library's own number for few points. */
const EPOCHS = 300

/**
 * Places [2] of the rows, between −1 and 1; null for fewer than five. The same rows and seed give the same places.
 * @param rows [D] each
 *
 * @example
 * ```ts
 * import { flatMap } from "fourtier/experiment"
 *
 * const rows = Array.from({ length: 20 }, (_, i) => Float32Array.of(i, i % 2))
 * await flatMap(rows, 0) // twenty places [x, y]
 * ```
 */
export async function flatMap(rows: readonly Float32Array[], seed: number): Promise<[number, number][] | null> {
  if (rows.length < FEWEST) return null
  const { UMAP } = await import("umap-js")
  const rng = Rng.fork(seed, "map")
  const umap = new UMAP({
    nNeighbors: Math.min(MAP_NEIGHBOURS, rows.length - 1),
    minDist: 0.15,
    nEpochs: EPOCHS,
    random: () => rng.next(),
  })
  const places = umap.fit(unitRows(rows))
  const mean = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length)
  const most = places.reduce((m, [x, y]) => Math.max(m, Math.abs(x - mean[0]), Math.abs(y - mean[1])), 1e-9)
  return places.map(([x, y]) => [round((x - mean[0]) / most), round((y - mean[1]) / most)])
}

/** Rows less their mean, of length 1: distances then order neighbours as cosines do. */
function unitRows(rows: readonly Float32Array[]): number[][] {
  const width = rows[0].length
  const mean = new Float64Array(width)
  for (const row of rows) for (let d = 0; d < width; d++) mean[d] += row[d] / rows.length
  return rows.map((row) => {
    const own = Array.from(row, (x, d) => x - mean[d])
    const length = Math.hypot(...own) || 1
    return own.map((x) => x / length)
  })
}

const round = (value: number) => Number(value.toFixed(3))
