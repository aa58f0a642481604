/** Protects: resizing against a plain reference, where crops lie, what is random and what is not. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, test } from "vitest"
import { type Pictures, resize } from "../../src/frames/resize.ts"
import { applyTransform, isRandom, viewsOf } from "../../src/frames/transform.ts"
import { type Step, transformSchema } from "../../src/schemas/transform.ts"

function noise(count: number, height: number, width: number): Pictures {
  const rng = new Rng("noise")
  return { data: Uint8Array.from({ length: count * height * width * 3 }, () => rng.int(256)), count, height, width }
}

/** Column x and row y are readable from red and green. */
function grid(height: number, width: number): Pictures {
  const data = new Uint8Array(height * width * 3)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set([x, y, 7], (y * width + x) * 3)
  return { data, count: 1, height, width }
}

const transform = (steps: object[], more: object = {}) => transformSchema.parse({ steps, ...more })

/** Bilinear with antialiasing, written as its definition: every target pixel looks at every source pixel. */
function reference({ data, height, width }: Pictures, tall: number, wide: number): number[] {
  const weights = (source: number, target: number, place: number) => {
    const scale = source / target
    const reach = Math.max(1, scale)
    const raw = Array.from({ length: source }, (_, i) =>
      Math.max(0, 1 - Math.abs(i + 0.5 - (place + 0.5) * scale) / reach),
    )
    const sum = raw.reduce((a, b) => a + b, 0)
    return raw.map((weight) => weight / sum)
  }
  const out: number[] = []
  for (let y = 0; y < tall; y++) {
    const down = weights(height, tall, y)
    for (let x = 0; x < wide; x++) {
      const across = weights(width, wide, x)
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (let v = 0; v < height; v++)
          for (let u = 0; u < width; u++) sum += down[v] * across[u] * data[(v * width + u) * 3 + c]
        out.push(sum)
      }
    }
  }
  return out
}

describe("resize", () => {
  test.each([
    [20, 30, 9, 13],
    [17, 11, 40, 25],
    [16, 16, 8, 32],
    [5, 7, 1, 1],
    [1, 1, 4, 6],
    [2, 3, 3, 2],
  ])("%d×%d to %d×%d equals the definition, rounded", (height, width, tall, wide) => {
    const source = noise(1, height, width)
    const { data } = resize(source, wide, tall)
    for (const [i, value] of reference(source, tall, wide).entries())
      expect(Math.abs(data[i] - value)).toBeLessThan(0.51)
  })

  test("keeps a flat picture flat and the same size untouched", () => {
    const flat: Pictures = { data: new Uint8Array(2 * 10 * 12 * 3).fill(255), count: 2, height: 10, width: 12 }
    expect(new Set(resize(flat, 7, 31).data)).toEqual(new Set([255]))
    expect(resize(flat, 12, 10)).toBe(flat)
  })

  test("of an area equals resizing the area cut out", () => {
    const source = noise(2, 20, 30)
    const area = { x: 4, y: 3, width: 17, height: 11 }
    const cut = resize(source, 17, 11, area)
    expect(resize(source, 9, 8, area).data).toEqual(resize(cut, 9, 8).data)
  })
})

describe("steps", () => {
  const raw = { std: [1 / 255, 1 / 255, 1 / 255] }
  const corner = (view: Float32Array) => [Math.round(view[0]), Math.round(view[1])]

  test("centre, three and ten crops lie where they should", () => {
    const frames = grid(20, 30)
    const at = (views: string) =>
      applyTransform(frames, transform([{ step: "crop", size: 10, views }], raw), null).views.map(corner)
    expect(at("center")).toEqual([[10, 5]])
    expect(at("three")).toEqual([
      [0, 5],
      [10, 5],
      [20, 5],
    ])
    const ten = at("ten")
    expect(ten.slice(0, 5)).toEqual([
      [0, 0],
      [20, 0],
      [0, 10],
      [20, 10],
      [10, 5],
    ])
    expect(ten[5]).toEqual([9, 0])
    const tall = applyTransform(grid(30, 20), transform([{ step: "crop", size: 10, views: "three" }], raw), null)
    expect(tall.views.map(corner)).toEqual([
      [5, 0],
      [5, 10],
      [5, 20],
    ])
  })

  test("shortSide, stretch and letterbox give the sizes they say", () => {
    const shape = (step: object, height: number, width: number) =>
      applyTransform(noise(2, height, width), transform([step]), null).shape
    expect(shape({ step: "shortSide", size: 8 }, 20, 30)).toEqual([2, 8, 12, 3])
    expect(shape({ step: "shortSide", size: 8 }, 30, 20)).toEqual([2, 12, 8, 3])
    expect(shape({ step: "stretch", width: 5, height: 9 }, 20, 30)).toEqual([2, 9, 5, 3])
    expect(shape({ step: "letterbox", size: 16 }, 30, 20)).toEqual([2, 16, 16, 3])
    expect(shape({ step: "letterbox", size: 16, height: 12 }, 30, 20)).toEqual([2, 12, 16, 3])
  })

  test("letterbox centres the picture on its colour", () => {
    const white: Pictures = { data: new Uint8Array(20 * 10 * 3).fill(255), count: 1, height: 20, width: 10 }
    const { views } = applyTransform(white, transform([{ step: "letterbox", size: 20, fill: [10, 20, 30] }], raw), null)
    const pixel = (x: number, y: number) =>
      [...views[0].subarray((y * 20 + x) * 3, (y * 20 + x) * 3 + 3)].map(Math.round)
    expect(pixel(4, 10)).toEqual([10, 20, 30])
    expect(pixel(5, 0)).toEqual([255, 255, 255])
    expect(pixel(14, 19)).toEqual([255, 255, 255])
    expect(pixel(15, 0)).toEqual([10, 20, 30])
  })

  test("normalises with mean and std, in either layout", () => {
    const frames = noise(2, 3, 4)
    const settings = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.5] }
    const nhwc = applyTransform(frames, transform([], settings), null)
    const nchw = applyTransform(frames, transform([], { ...settings, layout: "NCHW" }), null)
    expect(nhwc.shape).toEqual([2, 3, 4, 3])
    expect(nchw.shape).toEqual([2, 3, 3, 4])
    for (let t = 0; t < 2; t++) {
      for (let i = 0; i < 12; i++) {
        for (let c = 0; c < 3; c++) {
          const expected = (frames.data[(t * 12 + i) * 3 + c] / 255 - settings.mean[c]) / settings.std[c]
          expect(nhwc.views[0][(t * 12 + i) * 3 + c]).toBeCloseTo(expected, 5)
          expect(nchw.views[0][(t * 3 + c) * 12 + i]).toBeCloseTo(expected, 5)
        }
      }
    }
  })

  test("a crop larger than the picture is an error that says what to do", () => {
    expect(() => applyTransform(noise(1, 8, 9), transform([{ step: "crop", size: 10 }]), null)).toThrow(/shortSide/)
  })
})

describe("random steps", () => {
  const augment = transform([
    { step: "multiScaleCrop", size: 12 },
    { step: "flip" },
    { step: "colorJitter", brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
  ])

  test("repeat with their seed, differ with another, treat all frames alike", () => {
    const one = noise(1, 24, 32)
    const frames: Pictures = { ...one, count: 2, data: Uint8Array.from([...one.data, ...one.data]) }
    const apply = (seed: number) => applyTransform(frames, augment, new Rng(seed)).views[0]
    expect(apply(1)).toEqual(apply(1))
    expect(apply(1)).not.toEqual(apply(2))
    const half = apply(5).length / 2
    expect(apply(5).slice(0, half)).toEqual(apply(5).slice(half))
  })

  test("are refused without a generator, and known as random", () => {
    expect(() => applyTransform(noise(1, 24, 32), augment, null)).toThrow(/random step/)
    expect(isRandom(augment)).toBe(true)
    expect(isRandom(transform([{ step: "crop", size: 4, views: "ten" }]))).toBe(false)
  })

  test("multiScaleCrop stays inside and uses all its scales", () => {
    const step: Step = transform([{ step: "multiScaleCrop", size: 4 }]).steps[0]
    const values = new Set<number>()
    for (let seed = 0; seed < 200; seed++) {
      const [view] = applyTransform(
        grid(100, 150),
        { ...transform([step]), std: [1 / 255, 1 / 255, 1 / 255] },
        new Rng(seed),
      ).views
      values.add(Math.round(view[9] - view[0]))
      for (let i = 0; i < view.length; i += 3) expect(view[i] < 150 && view[i + 1] < 100).toBe(true)
    }
    expect(values.size).toBe(4)
  })

  test("no jitter changes nothing; flip twice gives the picture back", () => {
    const frames = noise(1, 6, 8)
    const same = applyTransform(frames, transform([{ step: "colorJitter" }]), new Rng(1))
    expect(same.views[0]).toEqual(applyTransform(frames, transform([]), null).views[0])
    const flip = { step: "flip", probability: 1 }
    const twice = applyTransform(frames, transform([flip, flip]), new Rng(1))
    expect(twice.views[0]).toEqual(applyTransform(frames, transform([]), null).views[0])
  })
})

test("views are counted from the steps", () => {
  expect(viewsOf(transform([{ step: "crop", size: 4, views: "three" }]))).toBe(3)
  expect(viewsOf(transform([]))).toBe(1)
})

test("a specification survives JSON; an unknown step or key does not pass", () => {
  const spec = transform([{ step: "letterbox", size: 32 }, { step: "flip" }])
  expect(transformSchema.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec)
  expect(transformSchema.safeParse({ steps: [{ step: "letterbx", size: 3 }] }).success).toBe(false)
  expect(transformSchema.safeParse({ steps: [{ step: "flip", p: 0.5 }] }).success).toBe(false)
})
