/**
 * Planes of luma and colour difference to RGB of another size, with the numbers of FFmpeg's `swscale` as `fourtier` uses it in Node
 * (bilinear): the same file gives the same pixels in the page, bit for bit.
 *
 * ```
 * Y, U, V ── rows filtered (15 bits) ── columns filtered (8 bits) ── tables ── RGB      colour at half the width
 * ```
 * The filter is a triangle, as wide as the scale where the picture shrinks; weights are whole numbers, what lies outside of the picture
 * is its edge.
 */

import { type PictureSize, type Pictures, resize, scaledSize } from "@fourtier/core/frames"
import { factorsOf, type Layout, type Matrix, type Planes, rgbOf } from "./yuv.ts"

/** Weights of the source places that make each target place. */
interface Taps {
  /** First source place of each target place. */
  first: Int32Array
  /** Source places of a target place. */
  width: number
  /** `[target, width]`; the sum of each row is the unit, but for rounding. */
  weights: Int32Array
}

/** Sums of weights, across and down. */
const ACROSS = 1 << 14
const DOWN = 1 << 12
/** What stands in for one place, in steps of a filter's position. */
const ONE = 1 << 16
/** A weight of one, before it is rounded. */
const PEAK = 2 ** 30
/** Weights at the ends of a filter that come to less are left out. */
const LEAST = 0.002 * PEAK
/** Widths are multiples of these, as vector instructions take them. */
const ACROSS_STEP = 4
const DOWN_STEP = 2
/** Where samples lie in their pixels, of 128: in the middle; and those of colour that belong to the left one of two. */
const MIDDLE = 128
const LEFT = 64

/** One frame as it is stored, RGB. @param size default: that of the frame */
export function pictureOf(planes: Planes, size?: PictureSize): Pictures {
  const { width, height, format } = planes
  const scaled = scaledSize(width, height, size)
  const same = scaled.width === width && scaled.height === height
  if (!same && format !== "RGBA") return { data: scaledRgb(planes, scaled.width, scaled.height), count: 1, ...scaled }
  return resize({ data: rgbOf(planes), count: 1, width, height }, scaled.width, scaled.height)
}

/** RGB [height,width,3] of planes that are not of that size. */
function scaledRgb(planes: Planes, width: number, height: number): Uint8Array {
  const { luma, u, v, step, sides, across, down } = planOf(planes, width, height)
  const { data } = planes
  const light = filterRows(data, luma, 1, planes.height, across.luma, width)
  const blue = filterRows(data, u, step, sides.height, across.colour, sides.target)
  const red = filterRows(data, v, step, sides.height, across.colour, sides.target)
  // two taps are cut off, more are rounded
  const rounds = down.luma.width !== 2 || down.colour.width !== 2
  const [write, shift, zero] = sides.target === width ? [preciseRow(planes), 10, 128 << 19] : [tabledRow(planes), 19, 0]
  const half = rounds ? 1 << (shift - 1) : 0
  const out = new Uint8Array(width * height * 3)
  const line = { y: new Int32Array(width), u: new Int32Array(sides.target), v: new Int32Array(sides.target) }
  for (let y = 0; y < height; y++) {
    mixRows(light, down.luma, y, half, shift, line.y)
    mixRows(blue, down.colour, y, half - zero, shift, line.u)
    mixRows(red, down.colour, y, half - zero, shift, line.v)
    write(line, out, y * width * 3)
  }
  return out
}

/** Luma and colour of one row. */
interface Line {
  y: Int32Array
  u: Int32Array
  v: Int32Array
}

type WriteRow = (line: Line, out: Uint8Array, from: number) => void

/** Of 8 bits each, one sample of colour for two pixels. */
function tabledRow({ matrix, fullRange }: Planes): WriteRow {
  const { light, redOfV, blueOfU, greenOfU, greenOfV } = tablesOf(matrix, fullRange)
  return (line, out, from) => {
    for (let x = 0, to = from; x < line.y.length; x++, to += 3) {
      const u = within(line.u[x >> 1])
      const v = within(line.v[x >> 1])
      const y = line.y[x]
      out[to] = light[redOfV[v] + y]
      out[to + 1] = light[greenOfU[u] + greenOfV[v] + y]
      out[to + 2] = light[blueOfU[u] + y]
    }
  }
}

/** Of 17 bits each, colour for every pixel, about zero: so it is done where a row has an odd number of pixels. */
function preciseRow({ matrix, fullRange }: Planes): WriteRow {
  const [gain, redV, blueU, greenU, greenV] = factorsOf(matrix, fullRange).map((own) => (own * 2 ** 13 + 2 ** 15) >> 16)
  const black = fullRange ? 0 : 16 << 9
  const top = 2 ** 30 - 1
  // sums wrap at 32 bits
  const level = (sum: number) => Math.max(0, Math.min(top, sum | 0)) >> 22
  return (line, out, from) => {
    for (let x = 0, to = from; x < line.y.length; x++, to += 3) {
      const u = line.u[x]
      const v = line.v[x]
      const y = (line.y[x] - black) * gain + (1 << 21)
      out[to] = level(y + v * redV)
      out[to + 1] = level(y + v * greenV + u * greenU)
      out[to + 2] = level(y + u * blueU)
    }
  }
}

const within = (value: number) => (value < 0 ? 0 : value > 255 ? 255 : value)

interface Plan {
  luma: Layout
  u: Layout
  v: Layout
  /** Bytes from one sample of colour to the next. */
  step: number
  /** Rows of colour, and the columns that become of it. */
  sides: { height: number; target: number }
  across: { luma: Taps; colour: Taps }
  down: { luma: Taps; colour: Taps }
}

function planOf({ format, layout, width, height, siting }: Planes, columns: number, rows: number): Plan {
  const [luma, first, second] = layout
  const interleaved = format === "NV12"
  const half = { width: (width + 1) >> 1, height: (height + 1) >> 1 }
  const target = columns % 2 === 1 ? columns : columns / 2
  const at = siting === "left" ? LEFT : MIDDLE
  return {
    luma,
    u: first,
    v: interleaved ? { offset: first.offset + 1, stride: first.stride } : second,
    step: interleaved ? 2 : 1,
    sides: { height: half.height, target },
    across: {
      luma: tapsOf(width, columns, ACROSS, ACROSS_STEP, MIDDLE),
      colour: tapsOf(half.width, target, ACROSS, ACROSS_STEP, at),
    },
    down: {
      luma: tapsOf(height, rows, DOWN, DOWN_STEP, MIDDLE),
      colour: tapsOf(half.height, rows, DOWN, DOWN_STEP, MIDDLE),
    },
  }
}

/** Rows of 8 bits to rows of 15 bits [height,target]. */
function filterRows(
  data: Uint8Array,
  { offset, stride }: Layout,
  step: number,
  height: number,
  { first, width, weights }: Taps,
  target: number,
): Int16Array {
  const out = new Int16Array(height * target)
  for (let y = 0, to = 0; y < height; y++) {
    const row = offset + y * stride
    for (let x = 0; x < target; x++, to++) {
      let sum = 0
      let at = row + first[x] * step
      for (let k = x * width, end = k + width; k < end; k++, at += step) sum += weights[k] * data[at]
      const value = sum >> 7
      out[to] = value > 32767 ? 32767 : value
    }
  }
  return out
}

function mixRows(
  rows: Int16Array,
  { first, width, weights }: Taps,
  y: number,
  start: number,
  shift: number,
  line: Int32Array,
): void {
  const length = line.length
  line.fill(start)
  for (let k = 0; k < width; k++) {
    const weight = weights[y * width + k]
    if (weight === 0) continue
    const from = (first[y] + k) * length
    for (let i = 0; i < length; i++) line[i] += weight * rows[from + i]
  }
  for (let i = 0; i < length; i++) line[i] >>= shift
}

const kept = new Map<string, Taps>()
/** A page sees few sizes; more than these are computed anew. */
const MOST_KEPT = 64

function tapsOf(source: number, target: number, unit: number, multiple: number, at: number): Taps {
  const key = [source, target, unit, at].join()
  const known = kept.get(key)
  if (known) return known
  const own = computeTaps(source, target, unit, multiple, at)
  if (kept.size >= MOST_KEPT) kept.clear()
  kept.set(key, own)
  return own
}

/** @param at where the source's samples lie; the target's lie in the middle */
function computeTaps(source: number, target: number, unit: number, multiple: number, at: number): Taps {
  const scale = Math.floor((source * ONE + (target >> 1)) / target)
  if (Math.abs(scale - ONE) < 10 && at === MIDDLE) {
    return {
      first: Int32Array.from({ length: target }, (_, i) => i),
      width: 1,
      weights: new Int32Array(target).fill(unit),
    }
  }
  const { first, rows } = triangles(source, target, scale, at)
  const needed = trimmed(first, rows)
  const width = needed === 1 && multiple === DOWN_STEP ? 1 : Math.ceil(needed / multiple) * multiple
  const weights = new Int32Array(target * width)
  for (const [i, whole] of rows.entries()) {
    const row = new Float64Array(width)
    row.set(whole.subarray(0, width))
    first[i] = insideOf(source, row, first[i])
    weights.set(rounded(row, unit), i * width)
  }
  return { first, width, weights }
}

/** Weights before they are rounded, of every target place. */
function triangles(source: number, target: number, scale: number, at: number) {
  const shrinks = scale > ONE
  const reach = shrinks ? 1 + Math.floor((2 * source + target - 1) / target) : 3
  const width = Math.max(1, Math.min(source - 2, reach))
  const first = new Int32Array(target)
  const rows: Float64Array[] = []
  let centre = scale - Math.floor((at * ONE) / 128)
  for (let i = 0; i < target; i++, centre += 2 * scale) {
    const low = Math.trunc((centre - (width - 2) * ONE) / (2 * ONE))
    first[i] = low
    const row = new Float64Array(width)
    for (let k = 0; k < width; k++) {
      const away = Math.abs((low + k) * 2 * ONE - centre) * 2 ** 13
      row[k] = Math.max(0, PEAK - (shrinks ? Math.floor((away * target) / source) : away))
    }
    rows.push(row)
  }
  return { first, rows }
}

/**
 * Leaves out what is next to nothing at the ends: filters begin later, as long as they stay in their order.
 * @returns the width that all of them need
 */
function trimmed(first: Int32Array, rows: readonly Float64Array[]): number {
  let most = 0
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i]
    let lost = 0
    for (let k = 0; k < row.length; k++) {
      lost += row[0]
      if (lost > LEAST || (i + 1 < rows.length && first[i] >= first[i + 1])) break
      row.copyWithin(0, 1)
      row[row.length - 1] = 0
      first[i]++
    }
    let needed = row.length
    lost = 0
    for (let k = row.length - 1; k > 0; k--) {
      lost += row[k]
      if (lost > LEAST) break
      needed--
    }
    most = Math.max(most, needed)
  }
  return most
}

/** Gives the weights of places outside of the picture to its edge. @returns the new first place */
function insideOf(source: number, row: Float64Array, first: number): number {
  const width = row.length
  let from = first
  if (from < 0) {
    for (let k = 1; k < width; k++) {
      const place = Math.max(0, k + from)
      if (place === k) continue
      row[place] += row[k]
      row[k] = 0
    }
    from = 0
  }
  if (from + width <= source) return from
  const shift = from + Math.min(width - source, 0)
  let beyond = 0
  for (let k = width - 1; k >= 0 && from + k >= source; k--) {
    beyond += row[k]
    row[k] = 0
  }
  row.copyWithin(shift, 0)
  row.fill(0, 0, shift)
  row[source - 1 - (from - shift)] += beyond
  return from - shift
}

/** Whole numbers with the given sum: what rounding takes from one weight goes to the next. */
function rounded(row: Float64Array, unit: number): number[] {
  const share = row.reduce((sum, weight) => sum + weight, 0) / unit
  let rest = 0
  return Array.from(row, (weight) => {
    const wanted = weight + rest
    const whole = Math.trunc((wanted + (Math.sign(wanted) * share) / 2) / share)
    rest = wanted - whole * share
    return whole
  })
}

interface Tables {
  /** Brightness by a sum of places. */
  light: Uint8Array
  redOfV: Int32Array
  blueOfU: Int32Array
  greenOfU: Int32Array
  greenOfV: Int32Array
}

/** Places of the table of brightness below the black of a picture without colour: room for what colour takes away. */
const ROOM = 512

const made = new Map<string, Tables>()

function tablesOf(matrix: Matrix, fullRange: boolean): Tables {
  const key = `${matrix}/${fullRange}`
  const known = made.get(key)
  if (known) return known
  const [gain, ...colours] = factorsOf(matrix, fullRange)
  const black = fullRange ? 0 : 16 * ONE
  const zero = fullRange ? 384 : 326
  const [redV, blueU, greenU, greenV] = colours.map((own) => Math.trunc((own * ONE + ONE / 2) / gain))
  const places = (factor: number, base: number) =>
    Int32Array.from({ length: 256 }, (_, value) => base - (factor >> 9) + ((value * factor) >> 16))
  const own = {
    light: Uint8ClampedArray.from({ length: 4 * ROOM }, (_, place) =>
      Math.floor(((place - ROOM) * gain - 384 * ONE - black + ONE / 2) / ONE),
    ),
    redOfV: places(redV, zero + ROOM),
    blueOfU: places(blueU, zero + ROOM),
    greenOfU: places(greenU, zero + ROOM),
    greenOfV: places(greenV, 0),
  }
  const tables = { ...own, light: new Uint8Array(own.light.buffer) }
  made.set(key, tables)
  return tables
}
