/** Half precision to and from float32: every bit pattern, ties to even, subnormals, infinities and NaN. */

import { describe, expect, test } from "vitest"
import { bfloatToFloat, floatToHalf, fromHalf, halfToFloat } from "../src/half.ts"
import { Rng } from "../src/random.ts"

/** float16 bits of one number. */
function toHalf(value: number): number {
  return floatToHalf(Float32Array.of(value))[0]
}

describe("float16", () => {
  test("known values have IEEE 754's bits", () => {
    const known: [number, number][] = [
      [0, 0x0000],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [65519.996, 0x7bff],
      [65520, 0x7c00],
      [1e30, 0x7c00],
      [Number.POSITIVE_INFINITY, 0x7c00],
      [Number.NEGATIVE_INFINITY, 0xfc00],
      [2 ** -14, 0x0400],
      [2 ** -14 - 2 ** -24, 0x03ff],
      [2 ** -14 - 2 ** -26, 0x0400],
      [2 ** -24, 0x0001],
      [2 ** -25, 0x0000],
      [2 ** -25 + 2 ** -40, 0x0001],
      [-(2 ** -24) * 1.5, 0x8002],
      [2 ** -24 * 2.5, 0x0002],
      [1e-40, 0x0000],
      [1 / 3, 0x3555],
      [0.1, 0x2e66],
    ]
    for (const [value, bits] of known) expect([value, toHalf(value)]).toEqual([value, bits])
    expect(fromHalf(toHalf(Number.NaN))).toBeNaN()
    expect(fromHalf(0x7c01)).toBeNaN()
  })

  test("halves between two neighbours round to the even one", () => {
    expect(toHalf(1 + 2 ** -11)).toBe(0x3c00)
    expect(toHalf(1 + 3 * 2 ** -11)).toBe(0x3c02)
    expect(toHalf(1 + 2 ** -11 + 2 ** -20)).toBe(0x3c01)
    expect(toHalf(2049)).toBe(0x6800)
    expect(toHalf(2051)).toBe(0x6802)
  })

  test("all 65536 bit patterns survive a round trip", () => {
    const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
    const back = floatToHalf(halfToFloat(all))
    const wrong = [...all].filter((bits) => back[bits] !== bits && !Number.isNaN(fromHalf(bits)))
    expect(wrong).toEqual([])
    expect([...all].every((bits) => Number.isNaN(fromHalf(bits)) === Number.isNaN(fromHalf(back[bits])))).toBe(true)
  })

  test("rounding picks the nearest of all halves", () => {
    const rng = new Rng("halves")
    for (let round = 0; round < 5000; round++) {
      const value = Math.fround(rng.normal() * 2 ** (rng.int(40) - 26))
      const bits = toHalf(value)
      const error = Math.abs(fromHalf(bits) - value)
      if ((bits & 0x7fff) === 0x7c00) expect(Math.abs(value)).toBeGreaterThanOrEqual(65520)
      else {
        for (const other of [bits - 1, bits + 1]) {
          const distance = Math.abs(fromHalf(other & 0xffff) - value)
          if ((other & 0x7c00) !== 0x7c00 && (other & 0x8000) === (bits & 0x8000))
            expect(distance).toBeGreaterThanOrEqual(error)
        }
      }
    }
  })

  test("views into the middle of a buffer convert in place", () => {
    const floats = Float32Array.of(9, 1, 0.5, 9).subarray(1, 3)
    const halves = new Uint16Array(4)
    floatToHalf(floats, halves.subarray(1, 3))
    expect([...halves]).toEqual([0, 0x3c00, 0x3800, 0])
    const back = new Float32Array(3)
    halfToFloat(halves.subarray(1, 3), back.subarray(1))
    expect([...back]).toEqual([0, 1, 0.5])
  })
})

test("bfloat16 is the upper half of a float32", () => {
  const known: [number, number][] = [
    [0x3f80, 1],
    [0xc000, -2],
    [0x3f82, 1 + 2 ** -6],
    [0x7f80, Number.POSITIVE_INFINITY],
    [0xff80, Number.NEGATIVE_INFINITY],
    [0x7fc0, Number.NaN],
    [0x0001, 2 ** -133],
  ]
  expect([...bfloatToFloat(Uint16Array.from(known, ([bits]) => bits))]).toEqual(known.map(([, value]) => value))
})
