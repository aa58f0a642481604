/**
 * Rotary positions on a grid (Su et al. 2021), as the Perception Encoder has them: the first half of a head's channels turns
 * with the column, the second half with the row.
 *
 *   half of m channels: pair j = channels (2j, 2j+1), turned by position · θ^(−2j/m)
 *
 * Channels are kept with the first ones of all pairs before the second ones, so that turning takes no strided access: the order
 * is folded into the weights of q and k, and leaves q·k as it is.
 */

import { add, concat, constant, FourtierError, gather, mul, narrow, reshape, sub, type Tensor } from "@fourtier/tensor"

export interface Rotary {
  /** Which of a projection's channels each channel is, [heads·d]. */
  readonly order: readonly number[]
  /** Turns q or k [B,L,heads·d], its channels in that order. */
  turn(x: Tensor): Tensor
  /** A turned x as the reference code has it: [B,L,heads·d] in the checkpoint's order of channels. */
  restore(x: Tensor): Tensor
}

export interface RotaryGrid {
  rows: number
  columns: number
  heads: number
  width: number
  /** θ, 10000 as a rule. */
  theta: number
  /** A class token in front is not turned, and the grid's positions start at 1. */
  classToken: boolean
}

/**
 * @param where the setting that gives the heads, for the error
 * @throws FourtierError where a head's channels make no pairs for rows and columns
 */
export function rotaryGrid(where: string, { rows, columns, heads, width, theta, classToken }: RotaryGrid): Rotary {
  const d = width / heads
  if (!Number.isInteger(d / 4)) {
    throw new FourtierError({
      where,
      what: "rotary positions need heads of a multiple of 4 channels",
      expected: `${width} channels in heads of 4, 8, 12, …`,
      found: `${heads} heads`,
    })
  }
  const [half, pairs] = [d / 2, d / 4]
  const order = Array.from({ length: width }, (_, c) => {
    const [head, within] = [Math.floor(c / d), c % d]
    return head * d + 2 * (within % half) + Math.floor(within / half)
  })
  const back: number[] = new Array(width)
  for (const [at, channel] of order.entries()) back[channel] = at
  const first = Number(classToken)
  const length = first + rows * columns
  const angles = new Float32Array(length * half)
  for (let place = 0; place < rows * columns; place++) {
    const [row, column] = [Math.floor(place / columns) + first, (place % columns) + first]
    for (let j = 0; j < pairs; j++) {
      const frequency = theta ** (-j / pairs)
      angles[(first + place) * half + j] = column * frequency
      angles[(first + place) * half + pairs + j] = row * frequency
    }
  }
  const table = (f: (angle: number) => number) => constant(angles.map(f), [length, 1, half])
  const [cosines, sines] = [table(Math.cos), table(Math.sin)]
  return {
    order,
    turn(x) {
      const [B, L] = x.shape
      const split = reshape(x, [B, L, heads, d])
      const [a, b] = [narrow(split, 3, 0, half), narrow(split, 3, half, d)]
      const turned = concat([sub(mul(a, cosines), mul(b, sines)), add(mul(a, sines), mul(b, cosines))], 3)
      return reshape(turned, [B, L, width])
    },
    restore: (x) => gather(x, constant(Int32Array.from(back), [width], "i32"), 2),
  }
}
