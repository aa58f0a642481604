/** Protects that the page sees a file's pixels as Node does: the colour matrix, both layouts of planes, quarter turns. */

import { describe, expect, it } from "vitest"
import { turned } from "../src/engine/frames.ts"
import { type Matrix, matrixNamed, matrixOf, type Planes, rgbOf } from "../src/engine/yuv.ts"

/** A picture of 2×2 pixels of one colour. */
function planes(format: "I420" | "NV12", [y, u, v]: number[], matrix: Matrix, fullRange = false): Planes {
  const layout = [
    { offset: 0, stride: 2 },
    { offset: 4, stride: format === "NV12" ? 2 : 1 },
    { offset: 5, stride: 1 },
  ]
  return { format, data: Uint8Array.of(y, y, y, y, u, v), layout, width: 2, height: 2, matrix, fullRange }
}

describe("pixels", () => {
  // ITU-R BT.601-7 and BT.709-6: the primaries as 8-bit numbers of the narrow range
  it.each([
    ["bt601", [81, 90, 240], [254, 0, 0]],
    ["bt601", [145, 54, 34], [0, 255, 1]],
    ["bt709", [63, 102, 240], [255, 1, 0]],
    ["bt709", [32, 240, 118], [1, 0, 255]],
    ["bt601", [235, 128, 128], [255, 255, 255]],
    ["bt601", [16, 128, 128], [0, 0, 0]],
  ] as const)("%s %j is %j, in either layout", (matrix, yuv, rgb) => {
    for (const format of ["I420", "NV12"] as const) {
      const found = [...rgbOf(planes(format, [...yuv], matrix))]
      expect(found).toHaveLength(12)
      for (const [i, value] of found.entries()) expect(Math.abs(value - rgb[i % 3])).toBeLessThanOrEqual(1)
    }
  })

  it("the full range is not stretched, and alpha is dropped", () => {
    expect([...rgbOf(planes("I420", [16, 128, 128], "bt601", true))].slice(0, 3)).toEqual([16, 16, 16])
    const rgba = { ...planes("I420", [0, 0, 0], "bt601"), format: "RGBA" as const, data: Uint8Array.of(1, 2, 3, 255) }
    expect([...rgbOf({ ...rgba, width: 1, height: 1 })]).toEqual([1, 2, 3])
  })

  it("what names no matrix is BT.601", () => {
    expect([undefined, null, "smpte170m", "bt709", "bt2020-ncl"].map(matrixNamed)).toEqual([
      "bt601",
      "bt601",
      "bt601",
      "bt709",
      "bt2020",
    ])
  })

  it("a decoder that says BT.709 of a file that names nothing is not believed", () => {
    expect([
      matrixOf(null, "bt709"),
      matrixOf("bt709", "bt709"),
      matrixOf(null, "bt2020-ncl"),
      matrixOf(null, null),
    ]).toEqual(["bt601", "bt709", "bt2020", "bt601"])
  })

  it("turns clockwise", () => {
    const pixel = (value: number) => [value, value, value]
    const picture = { data: Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap(pixel)), count: 1, width: 3, height: 2 }
    const reds = (degrees: number) => [...turned(picture, degrees).data].filter((_, i) => i % 3 === 0)
    expect(reds(90)).toEqual([4, 1, 5, 2, 6, 3])
    expect(reds(180)).toEqual([6, 5, 4, 3, 2, 1])
    expect(reds(270)).toEqual([3, 6, 2, 5, 1, 4])
    expect(turned(picture, 90)).toMatchObject({ width: 2, height: 3 })
  })
})
