/** Position tables: fixed sinusoids, and learned tables interpolated to other sizes. Plain arrays, computed once. */

import { interpolationMatrix, type Shape, type Tensor } from "@fourtier/tensor"
import type { SourceTensor, WeightBinder } from "./weight-binder.ts"

/**
 * Sinusoids over positions 0..length−1 [length,width]: sin in even, cos in odd channels, angle
 * position/10000^(2·⌊channel/2⌋/width) (Vaswani et al. 2017).
 */
export function sinusoids(length: number, width: number): Float32Array {
  const table = new Float32Array(length * width)
  const periods = Float64Array.from({ length: width }, (_, channel) => 10000 ** ((2 * Math.floor(channel / 2)) / width))
  for (let position = 0; position < length; position++) {
    for (let channel = 0; channel < width; channel++) {
      const angle = position / periods[channel]
      table[position * width + channel] = channel % 2 === 0 ? Math.sin(angle) : Math.cos(angle)
    }
  }
  return table
}

/**
 * How a table's grid is resized. `bicubic` and `bilinear`: PyTorch's. `bicubic-antialias`: PyTorch's with `antialias=True`,
 * another kernel. `linear`: ends on ends, as scipy's `ndimage.zoom` of order 1.
 */
export type Interpolation = "bicubic" | "bicubic-antialias" | "bilinear" | "linear"

/** Cubic convolution parameter of PyTorch's antialiased bicubic (Keys 1981). */
const ANTIALIAS_CUBIC = -0.5

/** The matrix [to,from] of PyTorch's antialiased bicubic along one axis: the kernel grows where the grid shrinks. */
function antialiasMatrix(from: number, to: number): Float32Array {
  const a = ANTIALIAS_CUBIC
  const kernel = (x: number) => {
    const d = Math.abs(x)
    if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1
    return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0
  }
  const matrix = new Float32Array(to * from)
  const scale = from / to
  const stretch = Math.max(scale, 1)
  for (let row = 0; row < to; row++) {
    const centre = scale * (row + 0.5)
    const first = Math.max(Math.trunc(centre - 2 * stretch + 0.5), 0)
    const end = Math.min(Math.trunc(centre + 2 * stretch + 0.5), from)
    const weights = Array.from({ length: end - first }, (_, j) => kernel((j + first - centre + 0.5) / stretch))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    for (const [j, weight] of weights.entries()) matrix[row * from + first + j] = weight / total
  }
  return matrix
}

function resizingMatrix(from: number, to: number, interpolation: Interpolation): Float32Array {
  switch (interpolation) {
    case "bicubic":
      return interpolationMatrix(from, to, { mode: "cubic", coordinates: "half-pixel" })
    case "bicubic-antialias":
      return antialiasMatrix(from, to)
    case "bilinear":
      return interpolationMatrix(from, to, { mode: "linear", coordinates: "half-pixel" })
    case "linear":
      return interpolationMatrix(from, to, { mode: "linear", coordinates: "align-corners" })
  }
}

/** Resizes the middle axis of values [outer,from,inner] with matrix [to,from]. */
function resizeAxis(values: Float32Array, outer: number, from: number, inner: number, matrix: Float32Array) {
  const to = matrix.length / from
  const result = new Float32Array(outer * to * inner)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < to; i++) {
      for (let j = 0; j < from; j++) {
        const weight = matrix[i * from + j]
        if (weight === 0) continue
        const [target, source] = [(o * to + i) * inner, (o * from + j) * inner]
        for (let k = 0; k < inner; k++) result[target + k] += weight * values[source + k]
      }
    }
  }
  return result
}

export interface GridTable {
  /** Rows before the grid that are kept: class and register tokens. */
  extra: number
  /** Frames of the table; 1 where it holds one frame. */
  time: number
  rows: number
  columns: number
  width: number
  interpolation: Interpolation
}

/**
 * Lets a learned table [..,extra + time·rows·columns, width] come from a checkpoint of another grid. The checkpoint's grid is
 * taken to be square, and its number of frames to be the same; so a grid that is none is resized to also from as many rows.
 */
export function gridTable({ extra, time, rows, columns, width, interpolation }: GridTable): SourceTensor["adapt"] {
  const sideOf = (found: Shape) => Math.sqrt((found[found.length - 2] - extra) / time)
  return {
    always: rows !== columns,
    fits: (found) => found.length >= 2 && found[found.length - 1] === width && Number.isInteger(sideOf(found)),
    // without a checkpoint the table is the grid's own already
    make: (values, found) =>
      Number.isInteger(sideOf(found))
        ? resizedTable(values, sideOf(found), { extra, time, rows, columns, width, interpolation })
        : values,
  }
}

export interface ClipTable {
  /** Rows before the grid that are kept: class tokens. */
  extra: number
  /** Steps of time of the table, and the side of its square grid. */
  time: number
  side: number
  width: number
  /** What the checkpoint's steps of time may be, the most likely number first. */
  steps: readonly number[]
  /** Steps and side of the configuration: they are the table's own where `steps` allows it, or fits no square grid. */
  configured: { readonly time: number; readonly side: number }
}

/**
 * Lets a learned table [..,extra + time·side·side, width] come from a checkpoint of other frames and another square grid:
 * linearly over time, then bicubic over the grid. The length of a table does not tell its frames from its grid, so that
 * `steps` decides even where the lengths are equal.
 */
export function clipTable(table: ClipTable): NonNullable<SourceTensor["adapt"]> {
  const { extra, time, side, width, steps, configured } = table
  const own = { from: configured.time, grid: configured.side }
  const sizesOf = (found: Shape) => {
    const places = found[found.length - 2] - extra
    const whole = steps
      .map((from) => ({ from, grid: Math.sqrt(places / from) }))
      .filter(({ from, grid }) => Number.isInteger(from) && Number.isInteger(grid))
    const likely = whole.find(({ from, grid }) => from === own.from && grid === own.grid) ?? whole.at(0)
    return likely ?? (places === own.from * own.grid ** 2 ? own : undefined)
  }
  return {
    always: true,
    fits: (found) => found.length >= 2 && found[found.length - 1] === width && sizesOf(found) !== undefined,
    make(values, found) {
      const sizes = sizesOf(found)
      if (sizes === undefined || (sizes.from === time && sizes.grid === side)) return values
      const { from, grid } = sizes
      const rows = values.subarray(extra * width)
      const matrix = interpolationMatrix(from, time, { mode: "linear", coordinates: "half-pixel" })
      const timed = resizeAxis(rows, 1, from, grid * grid * width, matrix)
      const resized = new Float32Array(extra * width + timed.length)
      resized.set(values.subarray(0, extra * width))
      resized.set(timed, extra * width)
      return resizedTable(resized, grid, { extra, time, rows: side, columns: side, width, interpolation: "bicubic" })
    },
  }
}

/** A table [extra + time·side·side, width] with its grid resized: [extra + time·rows·columns, width] */
function resizedTable(
  values: Float32Array,
  side: number,
  { extra, time, rows, columns, width, interpolation }: GridTable,
): Float32Array {
  const grid = values.subarray(extra * width)
  const tall = resizeAxis(grid, time, side, side * width, resizingMatrix(side, rows, interpolation))
  const wide = resizeAxis(tall, time * rows, side, width, resizingMatrix(side, columns, interpolation))
  const result = new Float32Array(extra * width + wide.length)
  result.set(values.subarray(0, extra * width))
  result.set(wide, extra * width)
  return result
}

/**
 * The rows of a learned table for one grid, where a network takes pictures of any size: the table is as the checkpoint has it,
 * and resized unless the grid is the trained square. Several grids may share a table.
 *
 * @param name the table's, [extra + side·side, width]
 * @param side of the trained grid where no checkpoint tells it
 * @returns [extra + rows·columns, width]
 */
export function gridRows(binder: WeightBinder, name: string, side: number, table: Omit<GridTable, "time">): Tensor {
  const { extra, rows, columns, width } = table
  const trained = gridTable({ ...table, time: 1, rows: side, columns: side })
  return binder.derive(
    `${name} ${rows}x${columns}`,
    [
      {
        name,
        shape: [extra + side * side, width],
        ...(trained && { adapt: { fits: trained.fits, make: (values) => values } }),
      },
    ],
    [extra + rows * columns, width],
    (values) => {
      const found = Math.sqrt(values.length / width - extra)
      return found === rows && found === columns ? values : resizedTable(values, found, { ...table, time: 1 })
    },
  )
}

/**
 * Lets a learned table [..,time,width] come from a checkpoint of another number of frames. It is interpolated linearly, as
 * frames are sampled evenly.
 */
export function timeTable(time: number, width: number): SourceTensor["adapt"] {
  return {
    fits: (found) => found.length >= 2 && found[found.length - 1] === width,
    make(values, found) {
      const from = found[found.length - 2]
      const matrix = interpolationMatrix(from, time, { mode: "linear", coordinates: "half-pixel" })
      return resizeAxis(values, 1, from, width, matrix)
    },
  }
}
