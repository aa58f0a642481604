/** Protects rotary positions: angles by hand, and what turning is for, scores that depend on differences of positions alone. */

import { evaluate, input } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { type RotaryStyle, rotate, rotatedChannels, rotationOf } from "../../src/encoders/rotary.ts"

const theta = 10_000

/** One head's vector at a position on three axes, turned. */
async function turned(vector: readonly number[], position: readonly number[], style: RotaryStyle, factor = 1) {
  const rotation = rotationOf(
    position.map((step) => [step]),
    vector.length,
    { style, theta },
    factor,
  )
  const outputs = { y: rotate(input("x", [1, 1, 1, vector.length]), rotation) }
  return Array.from((await evaluate({ outputs }, { x: Float32Array.from(vector) })).y, Number)
}

const vector = (length: number, step: number) => Array.from({ length }, (_, i) => Math.sin(step * (i + 1)))
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0)

describe("rotary positions on three axes", () => {
  it("give each axis an even number of channels, and leave the rest alone", async () => {
    expect([64, 80, 20, 14, 6, 5].map((width) => rotatedChannels(width, 3))).toEqual([20, 26, 6, 4, 2, 0])
    const x = vector(14, 0.7)
    const y = await turned(x, [3, 0, 0], "interleaved")
    for (const channel of [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]) expect(y[channel]).toBeCloseTo(x[channel], 6)
    expect(Math.abs(y[0] - x[0])).toBeGreaterThan(0.1)
  })

  it("turn pairs of neighbours, by one angle or by two", async () => {
    const x = [1, 2, 3, 4, ...Array.from({ length: 8 }, () => 0)]
    const [one, two] = [5, 5 / 100] // position · theta^0, position · theta^(−1/2)
    const [c, s] = [Math.cos, Math.sin]
    const interleaved = [
      1 * c(one) - 2 * s(one),
      2 * c(one) + 1 * s(one),
      3 * c(two) - 4 * s(two),
      4 * c(two) + 3 * s(two),
    ]
    const tiled = [1 * c(one) - 2 * s(one), 2 * c(two) + 1 * s(two), 3 * c(one) - 4 * s(one), 4 * c(two) + 3 * s(two)]
    for (const [style, expected] of [
      ["interleaved", interleaved],
      ["tiled", tiled],
    ] as const) {
      const found = await turned(x, [5, 7, 9], style)
      for (const [i, value] of expected.entries()) expect(found[i], `${style} ${i}`).toBeCloseTo(value, 5)
      expect(await turned(x, [5, 7, 9], style, 2)).toEqual(found.map((value) => expect.closeTo(2 * value, 5)))
    }
  })

  it("interleaved, keep lengths, and let scores depend on differences of positions", async () => {
    const [q, k] = [vector(20, 0.9), vector(20, 0.4)]
    const score = async (a: number[], b: number[]) =>
      dot(await turned(q, a, "interleaved"), await turned(k, b, "interleaved"))
    expect(dot(await turned(q, [4, 1, 2], "interleaved"), await turned(q, [4, 1, 2], "interleaved"))).toBeCloseTo(
      dot(q, q),
      4,
    )
    const first = await score([0, 1, 2], [1, 3, 0])
    expect(await score([2, 6, 5], [3, 8, 3])).toBeCloseTo(first, 4)
    expect(Math.abs((await score([2, 6, 5], [3, 8, 4])) - first)).toBeGreaterThan(1e-2)
  })
})

describe("rotary positions on two axes", () => {
  it("turn the pairs of a head's first half by one axis, those of the second by the other, and nothing at position 0", async () => {
    const x = vector(8, 0.3)
    const [column, row] = [5, 3]
    const y = await turned(x, [column, row], "interleaved")
    for (let pair = 0; pair < 4; pair++) {
      const angle = (pair < 2 ? column : row) * theta ** (-(pair % 2) / 2)
      const [a, b] = [x[2 * pair], x[2 * pair + 1]]
      expect(y[2 * pair]).toBeCloseTo(a * Math.cos(angle) - b * Math.sin(angle), 5)
      expect(y[2 * pair + 1]).toBeCloseTo(a * Math.sin(angle) + b * Math.cos(angle), 5)
    }
    expect(await turned(x, [0, 0], "interleaved")).toEqual(x.map((value) => Math.fround(value)))
  })

  it("need heads of pairs for rows and columns in the Perception Encoder", async () => {
    const settings = { kind: "pe_core", checkpoint: "random", sizes: { vision_width: 12, vision_heads: 2 } }
    await expect(openVisualEncoder(encoderSchema.parse(settings))).rejects.toThrow(/vision_heads: .*multiple of 4/)
  })
})
