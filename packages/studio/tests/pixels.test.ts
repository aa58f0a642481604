/** Protects that the page sees a file's pixels as Node does: the colour matrix, both layouts of planes, quarter turns. */

import { Rng } from "@fourtier/tensor"
import {
  AV_PIX_FMT_YUV420P,
  AVCHROMA_LOC_LEFT,
  AVCHROMA_LOC_UNSPECIFIED,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_UNSPECIFIED,
  Frame,
} from "node-av"
import { describe, expect, it } from "vitest"
import { RgbConverter } from "../../fourtier/src/video/rgb.ts"
import { turned } from "../src/engine/frames.ts"
import { pictureOf } from "../src/engine/scale.ts"
import { type Matrix, matrixNamed, matrixOf, type Planes, rgbOf, sitingOf } from "../src/engine/yuv.ts"

/** A picture of 2×2 pixels of one colour. */
function planes(format: "I420" | "NV12", [y, u, v]: number[], matrix: Matrix, fullRange = false): Planes {
  const layout = [
    { offset: 0, stride: 2 },
    { offset: 4, stride: format === "NV12" ? 2 : 1 },
    { offset: 5, stride: 1 },
  ]
  const data = Uint8Array.of(y, y, y, y, u, v)
  return { format, data, layout, width: 2, height: 2, matrix, fullRange, siting: "centre" }
}

interface Noise extends Pick<Planes, "width" | "height" | "matrix" | "fullRange" | "siting"> {
  seed: number
}

/** Random samples of 4:2:0, which nothing smooth could hide a difference in, as Node's decoder hands them out. */
function noise({ width, height, matrix, fullRange, siting, seed }: Noise): { frame: Frame; planes: Planes } {
  const frame = new Frame()
  frame.alloc()
  frame.format = AV_PIX_FMT_YUV420P
  frame.width = width
  frame.height = height
  frame.colorSpace = { bt601: AVCOL_SPC_UNSPECIFIED, bt709: AVCOL_SPC_BT709, bt2020: AVCOL_SPC_BT2020_NCL }[matrix]
  frame.colorRange = fullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
  frame.chromaLocation = siting === "left" ? AVCHROMA_LOC_LEFT : AVCHROMA_LOC_UNSPECIFIED
  expect(frame.getBuffer(0)).toBe(0)
  const rng = Rng.fork(seed, "noise")
  const stored = (frame.data ?? []).slice(0, 3)
  for (const plane of stored) for (let i = 0; i < plane.length; i++) plane[i] = rng.int(256)
  const layout = stored.map((_, i) => {
    return { offset: stored.slice(0, i).reduce((sum, { length }) => sum + length, 0), stride: frame.linesize[i] }
  })
  const data = new Uint8Array(Buffer.concat(stored))
  return { frame, planes: { format: "I420", data, layout, width, height, matrix, fullRange, siting } }
}

/** The same with U and V in one plane. */
function interleaved({ data, layout: [luma, u, v], ...rest }: Planes): Planes {
  const rows = (rest.height + 1) >> 1
  const both = new Uint8Array(u.offset + 2 * rows * u.stride)
  both.set(data.subarray(0, u.offset))
  for (let i = 0; i < rows * u.stride; i++) {
    both[u.offset + 2 * i] = data[u.offset + i]
    both[u.offset + 2 * i + 1] = data[v.offset + i]
  }
  return { ...rest, format: "NV12", data: both, layout: [luma, { offset: u.offset, stride: 2 * u.stride }] }
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

  const narrow = { matrix: "bt601", fullRange: false, siting: "centre" } as const
  it.each([
    ["shrunk", [256, 192], [192, 144], narrow],
    ["shrunk to a third, colour to the left", [640, 360], [192, 108], { ...narrow, siting: "left" }],
    ["odd sides", [333, 251], [192, 145], { ...narrow, siting: "left" }],
    ["grown", [91, 160], [109, 192], narrow],
    ["BT.709", [320, 240], [192, 144], { ...narrow, matrix: "bt709" }],
    ["BT.2020, full range", [320, 240], [192, 144], { ...narrow, matrix: "bt2020", fullRange: true }],
    ["as it is", [64, 48], [64, 48], narrow],
    ["as it is, BT.709, full range", [64, 48], [64, 48], { ...narrow, matrix: "bt709", fullRange: true }],
  ] as const)("FFmpeg's numbers, bit for bit: %s, %j to %j", (_, [width, height], [columns, rows], kind) => {
    const { frame, planes } = noise({ width, height, ...kind, seed: width })
    const wanted = new Uint8Array(columns * rows * 3)
    const converter = new RgbConverter()
    converter.convert(frame, wanted, columns, rows, "noise")
    converter.close()
    for (const form of [planes, interleaved(planes)]) {
      const found = pictureOf(form, { width: columns, height: rows })
      expect([found.width, found.height]).toEqual([columns, rows])
      expect(Buffer.compare(found.data, wanted)).toBe(0)
    }
    frame.free()
  })

  it("colour lies to the left in H.264 and HEVC, in the middle elsewhere", () => {
    expect(["avc", "hevc", "vp8", "vp9", "av1", null].map(sitingOf)).toEqual([
      "left",
      "left",
      "centre",
      "centre",
      "centre",
      "centre",
    ])
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
