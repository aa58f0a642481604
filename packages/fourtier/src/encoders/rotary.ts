/**
 * Rotary positions over several axes (Su et al. 2021, RoFormer; over time, rows and columns in V-JEPA 2, Assran et al. 2025).
 * A head's channels are cut into one part for each axis and a rest that does not turn:
 *
 * ```
 * head [d] ─┬─ r channels ── angle: position on axis 0 · frequency ─┐
 *           ├─ r channels ── axis 1 ────────────────────────────────┼─ [d]      r = 2·⌊⌊d/axes⌋/2⌋
 *           └─ the rest ────────────────────────────────────────────┘
 * ```
 * Channels 2i and 2i+1 are a pair (x, y): x·cos − y·sin, y·cos + x·sin.
 */

import { add, constant, matmul, mul, type Tensor } from "@fourtier/tensor"

/**
 * Frequencies w_0 … w_{r/2−1} over a part's r channels. `interleaved`, w_0 w_0 w_1 w_1 …: the channels of a pair turn by the
 * same angle. `tiled`, w_0 w_1 … w_0 w_1 …: mostly by two, as the released weights of V-JEPA 2.0 were trained.
 */
export type RotaryStyle = "interleaved" | "tiled"

export interface RotaryOptions {
  style: RotaryStyle
  /** Base of the frequencies: w_j = theta^(−j/(r/2)). */
  theta: number
}

/** Factors of every token's channels, [L,d] or broadcast to [B,heads,L,d]. */
export interface Rotation {
  /** Of the channel itself. */
  cos: Tensor
  /** Of its partner, with the sign that it has there. */
  sin: Tensor
}

/**
 * The factors of L tokens.
 *
 * @param positions of the tokens, [L] for each axis
 * @param width channels of a head, d
 * @param factor scales what is rotated
 */
export function rotationOf(
  positions: readonly ArrayLike<number>[],
  width: number,
  { style, theta }: RotaryOptions,
  factor = 1,
): Rotation {
  const part = rotatedChannels(width, positions.length)
  const half = part / 2
  const length = positions[0].length
  const cos = new Float32Array(length * width).fill(factor)
  const sin = new Float32Array(length * width)
  positions.forEach((axis, a) => {
    for (let channel = 0; channel < part; channel++) {
      const frequency = theta ** -((style === "tiled" ? channel % half : Math.floor(channel / 2)) / half)
      const sign = channel % 2 === 0 ? -factor : factor
      for (let token = 0; token < length; token++) {
        const angle = axis[token] * frequency
        const at = token * width + a * part + channel
        cos[at] = factor * Math.cos(angle)
        sin[at] = sign * Math.sin(angle)
      }
    }
  })
  return { cos: constant(cos, [length, width]), sin: constant(sin, [length, width]) }
}

/** Channels of a head that turn with each of `axes` axes: an even number. */
export function rotatedChannels(width: number, axes: number): number {
  return 2 * Math.floor(Math.floor(width / axes) / 2)
}

/** Turns x [B,heads,L,d]. The partners are fetched by a matrix of zeros and ones, which is exact. */
export function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const width = x.shape[x.rank - 1]
  return add(mul(x, cos), mul(matmul(x, partners(width)), sin))
}

/** The matrix [d,d] that exchanges the channels of each pair. */
function partners(width: number): Tensor {
  const values = new Float32Array(width * width)
  for (let channel = 0; channel + 1 < width; channel += 2) {
    values[channel * width + channel + 1] = 1
    values[(channel + 1) * width + channel] = 1
  }
  return constant(values, [width, width], "f32", "rotary.partners")
}
