/**
 * Protects detectors of any origin: what goes into the network, pixel by pixel; what each family of exports puts out; boxes back in the
 * picture to the pixel; and outputs that are odd. The networks are made here, so what they put out is known.
 */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { add, concat, constant, input, mul, narrow, reshape, sum, type Tensor } from "@fourtier/tensor"
import { writeOnnx } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type PersonBox, suppress, withinPicture } from "../../src/people/boxes.ts"
import { fitPicture, fittedSize, unfitted } from "../../src/people/fit.ts"
import { type OnnxDetectorOptions, openOnnxDetector } from "../../src/people/onnx.ts"
import { openDetector } from "../../src/people/open.ts"
import { FORMAT_NAMES, FORMATS, readOutputs, tellFormat } from "../../src/people/outputs.ts"
import type { Picture } from "../../src/video/draw.ts"

let folder: string
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-detectors-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** 80 wide, 40 high; every pixel tells its place: red is x, green y, blue 200. */
const picture: Picture = {
  data: Uint8Array.from({ length: 40 * 80 * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3)
    return [pixel % 80, Math.floor(pixel / 80), 200][i % 3]
  }),
  width: 80,
  height: 40,
}

const SIDE = 64

/** A value of the network's input [1,3,64,64] or [3,64,64], as [1]. */
function pixelOf(x: Tensor, channel: number, row: number, column: number): Tensor {
  const places = x.rank === 4 ? [0, channel, row, column] : [channel, row, column]
  return reshape(
    places.reduce((part, at, axis) => narrow(part, axis, at, at + 1), x),
    [1],
  )
}

/** Fixed numbers, which nevertheless depend on the input. */
const fixed = (x: Tensor, values: readonly number[], shape: readonly number[]) =>
  add(constant(Float32Array.from(values), shape), mul(sum(x, [...x.shape.keys()]), 0))

interface Network {
  /** Without an axis for pictures. */
  bare?: boolean
  /** Any size goes in. */
  open?: boolean
  outputs: (x: Tensor) => Record<string, Tensor>
  /** Lists of labels, which are whole numbers. */
  labels?: Record<string, number[]>
}

async function fileOf({ bare = false, open = false, outputs, labels = {} }: Network): Promise<string> {
  const x = input("images", bare ? [3, SIDE, SIDE] : [1, 3, SIDE, SIDE])
  const lists = Object.fromEntries(
    Object.entries(labels).map(([name, values]) => {
      const numbers = constant(BigInt64Array.from(values, BigInt), [values.length], "i64")
      return [name, add(numbers, constant(BigInt64Array.of(0n), [1], "i64"))]
    }),
  )
  const model = toOnnx({ outputs: { ...outputs(x), ...lists } })
  if (open) {
    for (const given of model.graph.inputs) given.dims?.splice(-2, 2, "height", "width")
  }
  const path = join(folder, `${files++}.onnx`)
  await writeOnnx(path, model)
  return path
}

async function people(network: Network, options: OnnxDetectorOptions = {}, seen = picture): Promise<PersonBox[]> {
  const detector = await openOnnxDetector(await fileOf(network), { threads: 1, ...options })
  try {
    return await detector.find(seen)
  } finally {
    await detector.release()
  }
}

/** Rounded, for comparison. */
const plain = (found: readonly PersonBox[]) =>
  found.map(({ box, score }) => [...box, score].map((value) => Number(value.toFixed(5))))

// the picture is 64×32 in the square, with 16 rows of bars above and below: this box is its left half
const LEFT = { center: [16, 32, 32, 32], corners: [0, 16, 32, 48] }
const RIGHT = { center: [48, 32, 32, 32], corners: [32, 16, 64, 48] }

describe("what goes in", () => {
  it("is letterboxed: the picture in the middle, grey bars, colours in order, 0 to 1", async () => {
    // the scores of six boxes are pixels of what went in
    const found = await people(
      {
        outputs: (x) => {
          const pixels = [
            pixelOf(x, 0, 0, 0), // a bar: 114
            pixelOf(x, 2, 32, 32), // blue: 200
            pixelOf(x, 0, 32, 63), // red at the right edge: 79
            pixelOf(x, 0, 32, 0), // red at the left edge: 0
            pixelOf(x, 1, 16, 5), // green in the first row: 0
            pixelOf(x, 1, 47, 5), // green in the last row: 39
          ]
          const places = pixels.map((_, i) => [4 + 10 * i, 32, 6, 16])
          const boxes = fixed(
            x,
            [0, 1, 2, 3].flatMap((field) => places.map((place) => place[field])),
            [1, 4, 6],
          )
          return { output0: concat([boxes, reshape(concat(pixels, 0), [1, 1, 6])], 1) }
        },
      },
      { format: "yolov8" },
    )
    expect(found.map(({ score }) => Math.round(score * 255))).toEqual([200, 114, 79, 39]) // below a tenth: not looked at
  })

  it("is stretched and normalised where the family wants that", async () => {
    const scores = await people(
      {
        outputs: (x) => {
          const logit = reshape(pixelOf(x, 2, 0, 0), [1, 1, 1])
          const rest = fixed(x, [0, -100], [1, 1, 2])
          return {
            logits: concat([narrow(rest, 2, 0, 1), logit, narrow(rest, 2, 1, 2)], 2),
            pred_boxes: fixed(x, [0.5, 0.5, 1, 1], [1, 1, 4]),
          }
        },
      },
      { format: "detr" },
    )
    const blue = (200 / 255 - 0.406) / 0.225
    expect(scores[0].score).toBeCloseTo(Math.exp(blue) / (Math.exp(blue) + 1 + Math.exp(-100)), 5)
  })

  it("is fitted to the pixel, and boxes find back, whatever the shape", () => {
    for (const [width, height] of [
      [80, 40],
      [40, 80],
      [64, 64],
      [63, 17],
      [1, 200],
      [1920, 1080],
    ]) {
      const to = { width: 64, height: 64 }
      const fitted = fitPicture(
        { data: new Uint8Array(width * height * 3).fill(9), width, height },
        "letterbox",
        to,
        114,
      )
      const { area } = fitted
      expect({ width: area.width, height: area.height }).toEqual(fittedSize({ width, height }, "letterbox", to))
      expect(Math.max(area.width, area.height)).toBe(64)
      expect(Math.abs(64 - area.width - 2 * area.x)).toBeLessThanOrEqual(1)
      expect(Math.abs(64 - area.height - 2 * area.y)).toBeLessThanOrEqual(1)
      const inside = fitted.data.filter((value) => value === 9).length
      expect(inside).toBe(area.width * area.height * 3)
      expect(fitted.data.filter((value) => value === 114).length).toBe(64 * 64 * 3 - inside)
      const corners = [area.x, area.y, area.x + area.width, area.y + area.height] as const
      expect(unfitted(corners, fitted)).toEqual([0, 0, 1, 1])
    }
    expect(fittedSize({ width: 320, height: 240 }, "free", { width: 1333, height: 1333 })).toEqual({
      width: 320,
      height: 240,
    })
    expect(fittedSize({ width: 4000, height: 3000 }, "free", { width: 1333, height: 1333 })).toEqual({
      width: 1333,
      height: 1000,
    })
    expect(fittedSize({ width: 80, height: 40 }, "stretch", { width: 64, height: 32 })).toEqual({
      width: 64,
      height: 32,
    })
  })
})

describe("what comes out", () => {
  /** Rows of fields to fields of rows. */
  const across = (rows: readonly (readonly number[])[]) => rows[0].flatMap((_, field) => rows.map((row) => row[field]))

  it("of YOLOv8, v9, v11: columns of middle, size and classes; one of two boxes about the same stays", async () => {
    const rows = [
      [...LEFT.center, 0.9, 0.1],
      [17, 32, 32, 32, 0.8, 0],
      [...RIGHT.center, 0.6, 0.99],
      [32, 32, 8, 8, 0.05, 0.9],
    ]
    const found = await people(
      { outputs: (x) => ({ output0: fixed(x, across(rows), [1, 6, 4]) }) },
      { format: "yolov8" },
    )
    expect(plain(found)).toEqual([
      [0, 0, 0.5, 1, 0.9],
      [0.5, 0, 1, 1, 0.6],
    ])
  })

  it("of YOLOv5: rows with the score of being anything, times the class's", async () => {
    const table = Array.from({ length: 1200 }, (_, i) => {
      if (i === 3) return [...LEFT.center, 0.5, 0.8, 0.1]
      if (i === 700) return [...RIGHT.center, 0.9, 0.1, 0.9]
      return [0, 0, 1, 1, 0, 0, 0]
    })
    const found = await people({ outputs: (x) => ({ output: fixed(x, table.flat(), [1, 1200, 7]) }) })
    expect(plain(found)).toEqual([[0, 0, 0.5, 1, 0.4]])
    expect(
      await people({ outputs: (x) => ({ output: fixed(x, table.flat(), [1, 1200, 7]) }) }, { person: 1 }),
    ).toMatchObject([{ score: expect.closeTo(0.81, 5) }])
  })

  it("of YOLO exported with NMS: corners, score and class; nothing is suppressed again", async () => {
    const rows = [
      [...LEFT.corners, 0.9, 0],
      [...LEFT.corners, 0.85, 0],
      [...RIGHT.corners, 0.8, 2],
      [0, 0, 0, 0, 0, 0],
    ]
    const found = await people({ outputs: (x) => ({ output0: fixed(x, rows.flat(), [1, 4, 6]) }) })
    expect(plain(found)).toEqual([
      [0, 0, 0.5, 1, 0.9],
      [0, 0, 0.5, 1, 0.85],
    ])
  })

  it("of RT-DETR: shares of the stretched picture, each class by itself", async () => {
    const boxes = [0.25, 0.5, 0.5, 1, 0.75, 0.5, 0.5, 1]
    const logits = [2, -9, -9, -9, 5, -9]
    const outputs = (x: Tensor) => ({ logits: fixed(x, logits, [1, 2, 3]), pred_boxes: fixed(x, boxes, [1, 2, 4]) })
    expect(plain(await people({ outputs }))).toEqual([[0, 0, 0.5, 1, Number((1 / (1 + Math.exp(-2))).toFixed(5))]])
    const rows = [0.25, 0.5, 0.5, 1, 0.7, 0.1, 0.75, 0.5, 0.5, 1, 0.05, 0.9]
    const table = await people(
      { outputs: (x) => ({ output0: fixed(x, [...rows, ...rows].slice(0, 12), [1, 2, 6]) }) },
      { format: "rt-detr-ultralytics" },
    )
    expect(plain(table)).toEqual([[0, 0, 0.5, 1, 0.7]])
  })

  it("of DETR: softmax over classes, of which the last is nothing, person 1", async () => {
    const logits = [0, 3, 1, 2, -1, 0, 0, 0, 0, 9]
    const boxes = [0.25, 0.5, 0.5, 1, 0.75, 0.5, 0.5, 1]
    const outputs = (x: Tensor) => ({ logits: fixed(x, logits, [1, 2, 5]), pred_boxes: fixed(x, boxes, [1, 2, 4]) })
    const total = [0, 3, 1, 2, -1].reduce((sum, value) => sum + Math.exp(value), 0)
    const found = await people({ outputs }, { format: "detr" })
    expect(plain(found)).toEqual([[0, 0, 0.5, 1, Number((Math.exp(3) / total).toFixed(5))]])
  })

  it("of torchvision's Faster R-CNN: lists of boxes, labels and scores, of a picture of any size without an axis for pictures", async () => {
    const network: Network = {
      ...{ bare: true, open: true, labels: { labels: [1, 1, 18] } },
      outputs: (x) => ({
        boxes: fixed(x, [0, 0, 40, 40, 40, 0, 80, 40, 0, 0, 80, 40], [3, 4]),
        scores: fixed(x, [0.95, 0.4, 0.99], [3]),
      }),
    }
    expect(plain(await people(network))).toEqual([
      [0, 0, 0.5, 1, 0.95],
      [0.5, 0, 1, 1, 0.4],
    ])
    // a file of one size gets its pictures letterboxed
    const square = { ...network, open: false }
    expect(plain(await people(square))[0]).toEqual([0, 0, 0.625, 0.75, 0.95])
  })

  it("of lists that are to be of a size that is told", async () => {
    const sizes = input("orig_target_sizes", [1, 2], "i64")
    const x = input("images", [1, 3, SIDE, SIDE])
    const zero = mul(sum(reshape(x, [3 * SIDE * SIDE]), 0), 0)
    const labels = mul(narrow(reshape(sizes, [2]), 0, 0, 1), constant(BigInt64Array.of(0n), [1], "i64"))
    const model = toOnnx({
      outputs: {
        labels: reshape(labels, [1, 1]),
        boxes: add(constant(Float32Array.of(0, 0, 32, 64), [1, 1, 4]), zero),
        scores: add(constant(Float32Array.of(0.7), [1, 1]), zero),
      },
    })
    const path = join(folder, "lists.onnx")
    await writeOnnx(path, model)
    const detector = await openOnnxDetector(path, { threads: 1 })
    expect(plain(await detector.find(picture))).toEqual([[0, 0, 0.5, 1, 0.7]])
    await detector.release()
  })

  it("is told apart by shapes and names", () => {
    const shapes = (...dims: number[][]) => new Map(dims.map((shape, i) => [`o${i}`, { dims: shape, data: [] }]))
    expect(tellFormat(["images"], shapes([1, 84, 8400]))).toBe("yolov8")
    expect(tellFormat(["images"], shapes([1, 5, 8400]))).toBe("yolov8")
    expect(tellFormat(["images"], shapes([1, 25_200, 85]))).toBe("yolov5")
    expect(tellFormat(["images"], shapes([1, 25_200, 6]))).toBe("yolov5")
    expect(tellFormat(["images"], shapes([1, 300, 6]))).toBe("yolo-nms")
    expect(tellFormat(["images"], shapes([1, 300, 84]))).toBe("rt-detr-ultralytics")
    expect(tellFormat(["pixel_values"], shapes([1, 300, 80], [1, 300, 4]))).toBe("rt-detr")
    expect(tellFormat(["pixel_values"], shapes([1, 100, 92], [1, 100, 4]))).toBe("detr")
    expect(tellFormat(["images"], shapes([7, 4], [7], [7]))).toBe("torchvision")
    expect(tellFormat(["images", "orig_target_sizes"], shapes([1, 300], [1, 300, 4], [1, 300]))).toBe("rt-detr-lists")
    expect(() => tellFormat(["x"], shapes([1, 1000]))).toThrow(/no known format[\s\S]*yolov8[\s\S]*o0 \[1, 1000\]/)
  })
})

describe("odd outputs", () => {
  const fitted = { area: { x: 0, y: 0, width: 64, height: 64 }, width: 64, height: 64 }
  const nms = (rows: readonly (readonly number[])[]) =>
    readOutputs(new Map([["o", { dims: [1, rows.length, 6], data: rows.flat() }]]), FORMATS["yolo-nms"], fitted, 0.1)

  it("without anybody, outside the picture, of no area, with swapped corners, with NaN: the others stay", () => {
    expect(nms([[0, 0, 0, 0, 0, 0]])).toEqual([])
    const odd = [
      [-90, 0, -10, 64, 0.9, 0],
      [10, 10, 10, 40, 0.9, 0],
      [40, 40, 10, 10, 0.9, 0],
      [Number.NaN, 0, 10, 10, 0.9, 0],
      [0, 0, 10, 10, Number.NaN, 0],
      [0, 0, Number.POSITIVE_INFINITY, 10, 0.9, 0],
      [-32, 0, 32, 80, 0.5, 0],
    ]
    expect(nms(odd)).toEqual([{ box: [0, 0, 0.5, 1], score: 0.5 }])
    expect(withinPicture([0.2, 0.2, 0.2, 0.9])).toBeNull()
  })

  it("nothing but NaN is an error that names the file", async () => {
    const rows = [Number.NaN, 0, 10, 10, Number.NaN, 0]
    const network: Network = { outputs: (x) => ({ output0: fixed(x, [...rows, ...rows], [1, 2, 6]) }) }
    await expect(people(network)).rejects.toThrow(/\.onnx[\s\S]*nothing but NaN[\s\S]*2 candidates/)
  })

  it("a thousand people, and many more candidates", () => {
    const crowd = Array.from({ length: 1000 }, (_, i) => [(i % 40) * 1.6, Math.floor(i / 40) * 2.5, 0, 0, 0.9, 0])
    for (const row of crowd) [row[2], row[3]] = [row[0] + 1, row[1] + 2]
    expect(nms(crowd)).toHaveLength(1000)
    const table = Array.from({ length: 8400 }, (_, i) => [32 + (i % 7), 32, 30, 30, 0.5])
    const data = [0, 1, 2, 3, 4].flatMap((field) => table.map((row) => row[field]))
    const one = readOutputs(new Map([["o", { dims: [1, 5, 8400], data }]]), FORMATS.yolov8, fitted, 0.1)
    expect(one).toHaveLength(1)
  })

  it("suppression keeps the best of those that overlap, as by hand", () => {
    const boxes: PersonBox[] = [
      { box: [0, 0, 1, 1], score: 0.5 },
      { box: [0, 0, 1, 0.7], score: 0.9 }, // 0.7 of the first
      { box: [0, 0.5, 1, 1.2], score: 0.8 }, // 0.2/1.2 of the second, 0.5/1.2 of the first
    ]
    expect(suppress(boxes, 0.6).map(({ score }) => score)).toEqual([0.9, 0.8])
    expect(suppress(boxes, 0.75).map(({ score }) => score)).toEqual([0.9, 0.8, 0.5])
    expect(suppress(boxes, 0.1).map(({ score }) => score)).toEqual([0.9])
  })
})

describe("what is no detector", () => {
  it("is named with what was expected", async () => {
    await expect(openDetector("nanodt")).rejects.toThrow(
      /no such detector[\s\S]*movenet, nanodet[\s\S]*did you mean nanodet/,
    )
    await expect(openDetector(join(folder, "none.onnx"))).rejects.toThrow(/none\.onnx/)
    const classes = await fileOf({ outputs: (x) => ({ probabilities: fixed(x, [0.1, 0.9], [1, 2]) }) })
    await expect(openDetector(classes)).rejects.toThrow(/no known format[\s\S]*probabilities \[1, 2\]/)
    const other = await fileOf({ outputs: (x) => ({ output0: fixed(x, [1, 2, 3, 4, 5, 6], [1, 1, 6]) }) })
    await expect(openDetector(other, { format: "detr" })).rejects.toThrow(/not those of the format[\s\S]*DETR/)
    expect(FORMAT_NAMES).toContain("torchvision")
  })
})
