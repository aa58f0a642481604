/**
 * Rows of a positional processor that share their weights in ridge regression. A large map has more rows than equations can be
 * solved for, and than clips tell apart: neighbours are then merged, frames to segments and places to blocks.
 */

import { constant, matmul, type Tensor } from "@fourtier/tensor"
import { type MapSize, placesOf } from "../model/map.ts"

/** The cell of each of the T+N rows of a processor, and how many rows each cell has. */
export interface Cells {
  of: number[]
  sizes: number[]
}

/**
 * As many cells as there are rows, where the features of all rows are few enough; else as many as can be solved for. Frames are halved
 * where they outnumber the places, else the longer side of the places.
 * @param width channels of a row
 * @param most channels of all cells
 */
export function cellsOf({ T, H, W }: Omit<MapSize, "D">, width: number, most: number): Cells {
  let [t, h, w] = [T, H, W]
  while ((t + h * w) * width > most && t + h * w > 2) {
    if (t > h * w) t = Math.ceil(t / 2)
    else if (h > w) h = Math.ceil(h / 2)
    else w = Math.ceil(w / 2)
  }
  const frames = Array.from({ length: T }, (_, frame) => Math.floor((frame * t) / T))
  const places = Array.from({ length: placesOf({ H, W }) }, (_, place) => {
    const [row, column] = [Math.floor(place / W), place % W]
    return t + Math.floor((row * h) / H) * w + Math.floor((column * w) / W)
  })
  const of = [...frames, ...places]
  const sizes = new Array<number>(t + h * w).fill(0)
  for (const cell of of) sizes[cell]++
  return { of, sizes }
}

/**
 * [B,T+N,D] to [B,C,D]: the sum of each cell's rows over the root of their number, so that the penalty is that of the rows' own weights
 * under the condition that they are alike.
 */
export function merged(rows: Tensor, { of, sizes }: Cells): Tensor {
  const [R, C] = [of.length, sizes.length]
  if (C === R) return rows
  const shares = new Float32Array(C * R)
  for (const [row, cell] of of.entries()) shares[cell * R + row] = 1 / Math.sqrt(sizes[cell])
  return matmul(constant(shares, [C, R]), rows)
}

/** Weights of cells [C·D][Dt], as solved for, to those of rows [(T+N)·D][Dt]. */
export function ofRows(W: readonly Float64Array[], { of, sizes }: Cells): readonly Float64Array[] {
  if (sizes.length === of.length) return W
  const width = W.length / sizes.length
  return of.flatMap((cell) => {
    const root = Math.sqrt(sizes[cell])
    return Array.from({ length: width }, (_, d) => W[cell * width + d].map((value) => value / root))
  })
}

/** The other way round, for weights of rows that need not be alike within a cell: their mean. */
export function ofCells(W: readonly Float64Array[], { of, sizes }: Cells): readonly Float64Array[] {
  if (sizes.length === of.length) return W
  const width = W.length / of.length
  const cells = Array.from({ length: sizes.length * width }, () => new Float64Array(W[0].length))
  for (const [row, cell] of of.entries()) {
    const root = Math.sqrt(sizes[cell])
    for (let d = 0; d < width; d++) {
      const [total, own] = [cells[cell * width + d], W[row * width + d]]
      for (let k = 0; k < total.length; k++) total[k] += own[k] / root
    }
  }
  return cells
}
