/** Protects the encoder `movenet`: maps equal to TensorFlow.js's, how they become the feature map, and what does not fit. */

import { constant, evaluate, input, Rng, type Tensor, topologicalOrder, transpose } from "@fourtier/tensor"
import * as tf from "@tensorflow/tfjs"
import { beforeAll, describe, expect, test } from "vitest"
import { openEncoder } from "../../src/encoders/encoder.ts"
import {
  loadMovenet,
  movenetFeatureMap,
  movenetFeatures,
  movenetId,
  movenetTaps,
  movenetWidth,
  openMovenet,
  TAP_NODES,
} from "../../src/encoders/open/movenet.ts"
import { MOVENET_TAPS, movenetFeatureSchema, movenetSettings } from "../../src/encoders/settings/movenet.ts"
import type { TfjsModel } from "../../src/encoders/tfjs.ts"
import { loadReference, relativeDifference } from "./tfjs-reference.ts"

/** Smooth shapes with noise on top, as whole numbers: something a camera might see. */
function picture(seed: number, height: number, width: number): Float32Array {
  const rng = new Rng(seed)
  const waves = Array.from({ length: 9 }, () => [rng.next() * 0.1, rng.next() * 0.1, rng.next() * 6])
  return Float32Array.from({ length: height * width * 3 }, (_, i) => {
    const [channel, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / (3 * width))]
    const value = waves
      .slice(channel * 3, channel * 3 + 3)
      .reduce((sum, [a, b, phase]) => sum + Math.sin(a * x + b * y + phase), 0)
    return Math.round(Math.min(255, Math.max(0, 128 + 45 * value + 20 * (rng.next() - 0.5))))
  })
}

function joined(...parts: Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const floats = (value: unknown): Float32Array => {
  if (value instanceof Float32Array) return value
  throw new Error("not f32")
}

let model: TfjsModel
beforeAll(async () => {
  model = await loadMovenet()
})

describe("MoveNet's backbone", () => {
  test("equals TensorFlow.js at every tap, two frames at once against one by one", async () => {
    const frames = [picture(1, 192, 192), picture(2, 192, 192)]
    const taps = movenetTaps(model, input("frames", [2, 192, 192, 3]), MOVENET_TAPS)
    const found = await evaluate({ outputs: taps }, { frames: joined(...frames) })
    const reference = await loadReference(model.path)
    for (const [i, frame] of frames.entries()) {
      const image = tf.tensor4d(Int32Array.from(frame), [1, 192, 192, 3], "int32")
      const maps = [
        reference.execute(
          { "input:0": image },
          MOVENET_TAPS.map((name) => TAP_NODES[name].node),
        ),
      ].flat()
      for (const [k, name] of MOVENET_TAPS.entries()) {
        const { stride, channels } = TAP_NODES[name]
        expect(maps[k].shape, name).toEqual([1, 192 / stride, 192 / stride, channels])
        expect(taps[name].shape, name).toEqual([2, 192 / stride, 192 / stride, channels])
        const expected = maps[k].dataSync()
        const own = floats(found[name]).subarray(i * expected.length, (i + 1) * expected.length)
        expect(relativeDifference(own, expected), `${name} of frame ${i}`).toBeLessThan(1e-5)
      }
      tf.dispose([image, ...maps])
    }
    reference.dispose()
  })

  test("moves no axes between layers: one transpose in, one for each map handed out", () => {
    const taps = movenetTaps(model, input("frames", [1, 192, 192, 3]), ["fpn4", "stage320"])
    const transposes = topologicalOrder(Object.values(taps)).filter(({ op }) => op === "transpose")
    expect(transposes.filter(({ inputs }) => inputs[0].op !== "constant")).toHaveLength(3)
  })

  test("takes frames of other sizes, multiples of 32, and says so for the rest", async () => {
    const taps = movenetTaps(model, input("frames", [1, 128, 224, 3]), ["fpn4", "stage320", "keypointHeatmaps"])
    expect(taps.stage320.shape).toEqual([1, 4, 7, 320])
    expect(taps.fpn4.shape).toEqual([1, 32, 56, 24])
    const { keypointHeatmaps } = await evaluate({ outputs: taps }, { frames: picture(3, 128, 224) })
    expect(floats(keypointHeatmaps).every((p) => p >= 0 && p <= 1)).toBe(true)
    expect(() => movenetTaps(model, input("frames", [1, 200, 192, 3]))).toThrow(/multiples of 32/)
    expect(() => movenetTaps(model, input("frames", [1, 3, 192, 192]))).toThrow(/B·T,H,W,3/)
  })

  test("a missing model file is named", async () => {
    await expect(loadMovenet("/nowhere/movenet-lightning.json")).rejects.toThrow(/\/nowhere\/movenet-lightning\.json/)
  })
})

describe("the feature map", () => {
  /** A map [2,4,4,1] of the numbers 0 to 31. */
  const ramp = (): Tensor =>
    constant(
      Float32Array.from({ length: 32 }, (_, i) => i),
      [2, 4, 4, 1],
    )
  const options = (over: object) =>
    movenetFeatureSchema.parse({ taps: [{ tap: "centerHeatmap" }], grid: [2, 2], ...over })
  const values = async (m: Tensor) => Array.from(floats((await evaluate({ outputs: { m } })).m))

  test("averages or takes the largest of each cell's area", async () => {
    const m = movenetFeatureMap({ centerHeatmap: ramp() }, 2, options({}))
    expect(m.shape).toEqual([1, 2, 4, 1])
    expect(await values(m)).toEqual([2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5])
    const largest = options({ taps: [{ tap: "centerHeatmap", pool: "max" }] })
    expect(await values(movenetFeatureMap({ centerHeatmap: ramp() }, 1, largest))).toEqual([
      5, 7, 13, 15, 21, 23, 29, 31,
    ])
  })

  test("a grid that does not divide the map averages all that a cell touches; a finer grid interpolates", async () => {
    const row = constant(Float32Array.of(0, 3, 6, 9), [1, 1, 4, 1])
    const thirds = await values(movenetFeatureMap({ centerHeatmap: row }, 1, options({ grid: [1, 3] })))
    for (const [i, expected] of [1.5, 4.5, 7.5].entries()) expect(thirds[i]).toBeCloseTo(expected, 5)
    const finer = await values(movenetFeatureMap({ centerHeatmap: row }, 1, options({ grid: [1, 8] })))
    for (const [i, x] of [0, 0.75, 2.25, 3.75].entries()) expect(finer[i]).toBeCloseTo(x, 5)
    const max = options({ taps: [{ tap: "centerHeatmap", pool: "max" }], grid: [1, 3] })
    expect(() => movenetFeatureMap({ centerHeatmap: row }, 1, max)).toThrow(/1×3/)
  })

  test("joins channels in the order asked for and standardises them", async () => {
    const two = constant(Float32Array.of(1, 10, 2, 20), [1, 1, 2, 2])
    const one = constant(Float32Array.of(5, 7), [1, 1, 2, 1])
    const chosen = {
      taps: [{ tap: "stage24" }, { tap: "centerHeatmap" }],
      grid: [1, 2],
      standardise: { mean: [1, 10, 6], std: [1, 10, 0.5] },
    }
    const m = movenetFeatureMap({ stage24: two, centerHeatmap: one }, 1, movenetFeatureSchema.parse(chosen))
    expect(await values(m)).toEqual([0, 0, -2, 1, 1, 2])
    const short = { ...chosen, standardise: { mean: [1], std: [1] } }
    expect(() => movenetFeatureMap({ stage24: two, centerHeatmap: one }, 1, movenetFeatureSchema.parse(short))).toThrow(
      /3 means/,
    )
    expect(() => movenetFeatureMap({ stage24: two }, 1, movenetFeatureSchema.parse(chosen))).toThrow(/centerHeatmap/)
  })

  test("adds the difference between neighbouring frames, clip by clip", async () => {
    const frames = constant(Float32Array.of(1, 4, 2, 100, 90, 95), [6, 1, 1, 1])
    const chosen = options({ grid: [1, 1], motion: "difference" })
    const m = movenetFeatureMap({ centerHeatmap: frames }, 3, chosen)
    expect(m.shape).toEqual([2, 3, 1, movenetWidth(chosen)])
    expect(await values(m)).toEqual([1, 3, 4, 1, 2, 2, 100, 10, 90, 5, 95, 5])
    const single = movenetFeatureMap({ centerHeatmap: frames }, 1, chosen)
    expect((await values(single)).filter((_, i) => i % 2 === 1)).toEqual([0, 0, 0, 0, 0, 0])
  })

  test("undoes the transpose of a map that was handed out", () => {
    const map = transpose(input("map", [1, 1, 4, 4]), [0, 2, 3, 1])
    const m = movenetFeatureMap({ centerHeatmap: map }, 1, options({}))
    expect(topologicalOrder([m]).map(({ op }) => op)).toEqual(["input", "pool", "transpose", "reshape"])
  })

  test("frames to m in one graph, with width and identity to match", async () => {
    const chosen = movenetFeatureSchema.parse({})
    const m = movenetFeatures(model, input("frames", [4, 192, 192, 3]), 2, chosen)
    expect(m.shape).toEqual([2, 2, 9, movenetWidth(chosen)])
    expect(() => movenetFeatures(model, input("frames", [4, 192, 192, 3]), 3)).toThrow(/whole number of clips/)
    expect(movenetId(model, chosen)).toMatch(/^[0-9a-f]{64}$/)
    expect(movenetId(model, { ...chosen, grid: [4, 4] })).not.toBe(movenetId(model, chosen))
  })
})

test("frames that are no squares: whole and in parts alike, rows and columns where they belong", async () => {
  const settings = {
    kind: "movenet",
    frames: 2,
    resolution: [64, 96],
    features: { grid: [2, 3], motion: "difference" },
  }
  const encoder = await openMovenet(movenetSettings.parse(settings))
  expect([encoder.resolution, encoder.size]).toMatchObject([[64, 96], { T: 2, H: 2, W: 3, D: 640 }])
  const frames = [picture(1, 64, 96), picture(2, 64, 96)]
  const session = await openEncoder(encoder, 1, {})
  const { m } = await session.run({ frames: joined(...frames) })
  await session.release()
  // a picture that is dark but for its upper right: on the right, the map differs from that of a dark one most
  const corner = new Float32Array(64 * 96 * 3)
  for (let y = 0; y < 32; y++) corner.set(frames[0].subarray((y * 96 + 64) * 3, (y + 1) * 96 * 3), (y * 96 + 64) * 3)
  const dark = new Float32Array(64 * 96 * 3)
  const one = await openMovenet(movenetSettings.parse({ ...settings, frames: 1 }))
  const alone = await openEncoder(one, 1, {})
  const [a, b] = [(await alone.run({ frames: corner })).m, (await alone.run({ frames: dark })).m].map((x) =>
    Float32Array.from(x, Number),
  )
  const whole = (await alone.run({ frames: frames[0] })).m
  await alone.release()
  const change = Array.from({ length: 6 }, (_, place) =>
    a.subarray(place * 640, place * 640 + 320).reduce((sum, x, d) => sum + Math.abs(x - b[place * 640 + d]), 0),
  )
  const columns = [0, 1, 2].map((column) => change[column] + change[3 + column])
  expect(columns[2]).toBeGreaterThan(1.5 * columns[0])
  for (let i = 0; i < 6 * 320; i++) {
    const at = Math.floor(i / 320) * 640 + (i % 320)
    expect(Math.abs(Number(m[at]) - Number(whole[at]))).toBeLessThan(1e-4)
  }
})
