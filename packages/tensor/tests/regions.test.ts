/**
 * RoIAlign equals torchvision's, forward and backward, on boxes as they come: inside, over the edge, outside, of no area,
 * with swapped corners. `fixtures/roi-align.py` recorded torchvision 0.14's numbers.
 */

import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import * as t from "../src/index.ts"

interface Recorded {
  title: string
  shape: [number, number, number, number]
  boxes: number[][]
  maps: number[]
  size: [number, number]
  samples: number
  output: number[]
  gradient: number[]
}

const recorded: Recorded[] = JSON.parse(readFileSync(new URL("fixtures/roi-align.json", import.meta.url), "utf8"))

/** The recording's values: a wave over all elements. */
const wave = (f: (x: number) => number, step: number, scale: number, shape: readonly number[]) =>
  t.constant(
    Float32Array.from({ length: t.sizeOf(shape) }, (_, i) => f((i + 1) * step) * scale),
    shape,
  )

const boxesOf = (rows: readonly (readonly number[])[]) => t.constant(Float32Array.from(rows.flat()), [rows.length, 4])
const mapsOf = (maps: readonly number[]) => t.constant(BigInt64Array.from(maps, BigInt), [maps.length], "i64")

async function pooled({ shape, boxes, maps, size, samples }: Omit<Recorded, "title" | "output" | "gradient">) {
  const x = t.input("x", shape)
  const y = t.roiAlign(x, boxesOf(boxes), mapsOf(maps), { size, samples })
  const loss = t.sum(t.mul(y, wave(Math.cos, 0.7, 1, y.shape)))
  const feeds = { x: (await t.evaluate({ outputs: { x: wave(Math.sin, 12.9898, 1.5, shape) } })).x }
  const found = await t.evaluate({ outputs: { y, gradient: t.grad(loss, [x])[0] } }, feeds, { threads: 1 })
  return { output: Array.from(found.y, Number), gradient: Array.from(found.gradient, Number) }
}

/** The largest difference. */
function apart(found: readonly number[], expected: readonly number[]): number {
  expect(found.length).toBe(expected.length)
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0)
}

describe("RoIAlign and torchvision", () => {
  test.each(recorded)("$title", async (the) => {
    const { output, gradient } = await pooled(the)
    expect(apart(output, the.output)).toBeLessThan(1e-5)
    expect(apart(gradient, the.gradient)).toBeLessThan(1e-5)
  })

  test("cells differ between boxes: the recording holds no trivial answers", () => {
    for (const { title, output } of recorded) {
      if (!/^outside|no area, adaptive|swapped corners, adaptive/.test(title)) expect(output.some(Boolean)).toBe(true)
    }
  })
})

describe("boxes that no picture has", () => {
  const common = { shape: [1, 2, 3, 4] as [number, number, number, number], size: [2, 2] as [number, number] }

  test.each([0, 2])("a NaN gives zeros and moves no weight, with %i samples", async (samples) => {
    const boxes = [[Number.NaN, Number.NaN, Number.NaN, Number.NaN]]
    const { output, gradient } = await pooled({ ...common, boxes, maps: [0], samples: 0 })
    expect(output).toEqual(new Array(8).fill(0))
    expect(gradient).toEqual(new Array(24).fill(0))
    const mixed = await pooled({ ...common, boxes: [[0, 0, Number.NaN, 2], ...boxes], maps: [0, 0], samples })
    expect([...mixed.output, ...mixed.gradient].every(Number.isFinite)).toBe(true)
  })

  test("infinite and huge boxes cost what boxes within reach of the map do", async () => {
    const huge = [
      [-1e9, -1e9, 1e9, 1e9],
      [Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY, 3],
    ]
    const { output, gradient } = await pooled({ ...common, boxes: huge, maps: [0, 0], samples: 0 })
    expect([...output, ...gradient].every(Number.isFinite)).toBe(true)
  })

  test("no box at all gives no rows", async () => {
    const { output, gradient } = await pooled({ ...common, boxes: [], maps: [], samples: 0 })
    expect(output).toEqual([])
    expect(gradient).toEqual(new Array(24).fill(0))
  })

  test("a thousand boxes are each their own", async () => {
    const boxes = Array.from({ length: 1000 }, (_, i) => [(i % 7) / 7, (i % 5) / 5, 2 + (i % 3), 1.5 + (i % 2)])
    const many = await pooled({ ...common, boxes, maps: boxes.map(() => 0), samples: 0 })
    const last = await pooled({ ...common, boxes: boxes.slice(-1), maps: [0], samples: 0 })
    expect(apart(many.output.slice(-8), last.output)).toBeLessThan(1e-6)
  })
})
