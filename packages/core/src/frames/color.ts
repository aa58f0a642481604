/** Colour jitter as torchvision defines it (hue: a turn about the grey axis), one set of factors for all frames of a clip. */

import type { Rng } from "@fourtier/tensor"
import type { Pictures } from "./resize.ts"

export interface ColorFactors {
  brightness: number
  contrast: number
  saturation: number
  /** Part of a turn of the colour circle. */
  hue: number
}

/**
 * Draws factors: `1 ± amount`, never below 0; for hue `± amount`.
 *
 * @example
 * ```ts
 * import { colorFactors } from "@fourtier/core/frames"
 * import { Rng } from "@fourtier/tensor"
 *
 * colorFactors({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }, Rng.fork(0, "clip 1"))
 * ```
 */
export function colorFactors(amounts: ColorFactors, rng: Rng): ColorFactors {
  const around = (amount: number) => rng.uniform(Math.max(0, 1 - amount), 1 + amount)
  return {
    brightness: around(amounts.brightness),
    contrast: around(amounts.contrast),
    saturation: around(amounts.saturation),
    hue: rng.uniform(-amounts.hue, amounts.hue),
  }
}

/**
 * Brightness, contrast (about the clip's mean grey), saturation, hue, in this order; values are held in 0 to 255.
 *
 * @example
 * ```ts
 * import { jitterColors } from "@fourtier/core/frames"
 *
 * const grey = { data: new Uint8Array(8 * 4 * 4 * 3).fill(100), count: 8, height: 4, width: 4 }
 * jitterColors(grey, { brightness: 1.5, contrast: 1, saturation: 1, hue: 0 }).data[0] // 150
 * ```
 */
export function jitterColors(source: Pictures, { brightness, contrast, saturation, hue }: ColorFactors): Pictures {
  const values = Float32Array.from(source.data)
  let sum = 0
  for (let i = 0; i < values.length; i += 3) {
    for (let c = 0; c < 3; c++) values[i + c] = hold(values[i + c] * brightness)
    sum += grey(values, i)
  }
  const mean = sum / Math.max(1, values.length / 3)
  const data = new Uint8Array(values.length)
  const turn = hueMatrix(hue)
  for (let i = 0; i < values.length; i += 3) {
    for (let c = 0; c < 3; c++) values[i + c] = hold(mean + (values[i + c] - mean) * contrast)
    const level = grey(values, i)
    for (let c = 0; c < 3; c++) values[i + c] = hold(level + (values[i + c] - level) * saturation)
    for (let c = 0; c < 3; c++) {
      const [r, g, b] = turn[c]
      data[i + c] = hold(r * values[i] + g * values[i + 1] + b * values[i + 2]) + 0.5
    }
  }
  return { ...source, data }
}

/** Luma of ITU-R BT.601. */
function grey(values: Float32Array, at: number): number {
  return 0.299 * values[at] + 0.587 * values[at + 1] + 0.114 * values[at + 2]
}

function hold(value: number): number {
  return Math.min(255, Math.max(0, value))
}

/** Turns colours about the grey axis (Rodrigues' formula): like a shift of HSV's hue, but linear and grey-keeping. */
function hueMatrix(turns: number): number[][] {
  const cosine = Math.cos(2 * Math.PI * turns)
  const sine = Math.sin(2 * Math.PI * turns)
  const same = (1 - cosine) / 3
  const skew = sine / Math.sqrt(3)
  return [
    [cosine + same, same - skew, same + skew],
    [same + skew, cosine + same, same - skew],
    [same - skew, same + skew, cosine + same],
  ]
}
