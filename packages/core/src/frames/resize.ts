/**
 * Bilinear resizing with antialiasing: a triangle filter, widened by the scale where the picture shrinks (as Pillow and
 * torchvision's `antialias=True`). Separable: rows first, then columns, float in between, rounded once.
 */

/** A stretch of T pictures: `[T, height, width, 3]`, 8 bits. */
export interface Pictures {
  data: Uint8Array
  count: number
  height: number
  width: number
}

/** Part of a picture, in pixels. */
export interface Area {
  x: number
  y: number
  width: number
  height: number
}

/** Weights of the source places that make each target place. */
interface Taps {
  /** First source place of each target place. */
  first: Int32Array
  /** Number of source places a target place may have. */
  width: number
  /** `[target, width]`, each row sums to 1. */
  weights: Float32Array
}

/**
 * Resizes an area (default: all) of every picture.
 *
 * @example
 * ```ts
 * import { resize } from "@fourtier/core/frames"
 *
 * const pictures = { data: new Uint8Array(8 * 480 * 640 * 3), count: 8, height: 480, width: 640 }
 * resize(pictures, 320, 240).data.length // 8 * 240 * 320 * 3
 * ```
 */
export function resize(source: Pictures, width: number, height: number, area: Area = wholeOf(source)): Pictures {
  const whole = area.x === 0 && area.y === 0 && area.width === source.width && area.height === source.height
  if (area.width === width && area.height === height) return whole ? source : crop(source, area)
  const across = tapsOf(area.width, width)
  const down = tapsOf(area.height, height)
  const data = new Uint8Array(source.count * height * width * 3)
  const rows = new Float32Array(area.height * width * 3)
  const line = new Float32Array(width * 3)
  for (let t = 0; t < source.count; t++) {
    const base = t * source.height * source.width * 3
    for (let y = 0; y < area.height; y++) {
      const from = base + ((area.y + y) * source.width + area.x) * 3
      squeezeRow(source.data, from, across, rows, y * width * 3, width)
    }
    for (let y = 0; y < height; y++) {
      mixRows(rows, down, y, line)
      const to = (t * height + y) * width * 3
      for (let i = 0; i < line.length; i++) data[to + i] = line[i] + 0.5
    }
  }
  return { data, count: source.count, height, width }
}

/**
 * Copies an area of every picture.
 *
 * @example
 * ```ts
 * import { crop } from "@fourtier/core/frames"
 *
 * const pictures = { data: new Uint8Array(8 * 240 * 320 * 3), count: 8, height: 240, width: 320 }
 * crop(pictures, { x: 40, y: 0, width: 240, height: 240 }).width // 240
 * ```
 */
export function crop(source: Pictures, { x, y, width, height }: Area): Pictures {
  const data = new Uint8Array(source.count * height * width * 3)
  const row = width * 3
  for (let t = 0; t < source.count; t++) {
    for (let line = 0; line < height; line++) {
      const from = ((t * source.height + y + line) * source.width + x) * 3
      data.set(source.data.subarray(from, from + row), (t * height + line) * row)
    }
  }
  return { data, count: source.count, height, width }
}

function wholeOf({ width, height }: Pictures): Area {
  return { x: 0, y: 0, width, height }
}

function tapsOf(source: number, target: number): Taps {
  const scale = source / target
  const reach = Math.max(1, scale)
  const width = Math.min(source, Math.ceil(2 * reach) + 1)
  const first = new Int32Array(target)
  const weights = new Float32Array(target * width)
  for (let i = 0; i < target; i++) {
    const centre = (i + 0.5) * scale
    const low = Math.max(0, Math.min(source - width, Math.floor(centre - reach)))
    first[i] = low
    let sum = 0
    for (let k = 0; k < width; k++) {
      const weight = Math.max(0, 1 - Math.abs(low + k + 0.5 - centre) / reach)
      weights[i * width + k] = weight
      sum += weight
    }
    for (let k = 0; k < width; k++) weights[i * width + k] /= sum
  }
  return { first, width, weights }
}

function squeezeRow(
  source: Uint8Array,
  from: number,
  { first, width: taps, weights }: Taps,
  target: Float32Array,
  to: number,
  width: number,
): void {
  for (let x = 0; x < width; x++) {
    let red = 0
    let green = 0
    let blue = 0
    let at = from + first[x] * 3
    for (let k = x * taps, end = k + taps; k < end; k++, at += 3) {
      const weight = weights[k]
      red += weight * source[at]
      green += weight * source[at + 1]
      blue += weight * source[at + 2]
    }
    const place = to + x * 3
    target[place] = red
    target[place + 1] = green
    target[place + 2] = blue
  }
}

function mixRows(rows: Float32Array, { first, width: taps, weights }: Taps, y: number, line: Float32Array): void {
  const length = line.length
  line.fill(0)
  for (let k = 0; k < taps; k++) {
    const weight = weights[y * taps + k]
    if (weight === 0) continue
    const from = (first[y] + k) * length
    for (let i = 0; i < length; i++) line[i] += weight * rows[from + i]
  }
}

/** Size of the upright picture: fixed, or from the short or long side with the aspect kept (rounded). */
export type PictureSize =
  | { width: number; height: number }
  | { shortSide: number }
  | { longSide: number }
  /** As large as it may be to fit in there, aspect kept. */
  | { within: { width: number; height: number } }

/**
 * Size of the upright picture after `size`.
 *
 * @example
 * ```ts
 * import { scaledSize } from "@fourtier/core/frames"
 *
 * scaledSize(640, 480, { shortSide: 240 }) // { width: 320, height: 240 }
 * ```
 */
export function scaledSize(width: number, height: number, size?: PictureSize): { width: number; height: number } {
  if (size === undefined) return { width, height }
  if ("width" in size) return size
  const ratio =
    "within" in size
      ? Math.min(size.within.width / width, size.within.height / height)
      : "shortSide" in size
        ? size.shortSide / Math.min(width, height)
        : size.longSide / Math.max(width, height)
  return { width: Math.max(1, Math.round(width * ratio)), height: Math.max(1, Math.round(height * ratio)) }
}
