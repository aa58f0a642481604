/** Protects the pieces that all families share, without fixtures: patches, attention, positions, names, weight checks. */

import { constant, conv, evaluate, input, Rng, type Tensor, transpose } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { attend, causalMask, clipBlock } from "../../src/encoders/blocks.ts"
import { clip } from "../../src/encoders/families/clip.ts"
import { networkSchema } from "../../src/encoders/families/index.ts"
import { uniformerv2 } from "../../src/encoders/families/uniformerv2.ts"
import { videomae } from "../../src/encoders/families/videomae.ts"
import { vit } from "../../src/encoders/families/vit.ts"
import type { Family, VisualFamily } from "../../src/encoders/family.ts"
import { embedPatches, fromChannelsFirst, patches } from "../../src/encoders/patches.ts"
import { gridRows, gridTable, sinusoids, timeTable } from "../../src/encoders/positions.ts"
import { WeightBinder, type WeightSource } from "../../src/encoders/weight-binder.ts"
import { randomSource } from "../../src/encoders/weights.ts"

function random(length: number, seed: number): Float32Array {
  const rng = new Rng(seed)
  return Float32Array.from({ length }, () => rng.normal())
}

async function numbersOf(output: Tensor, weights = new Map<string, Float32Array>()): Promise<Float32Array> {
  return Float32Array.from((await evaluate({ outputs: { y: output }, weights })).y, Number)
}

function expectClose(found: Float32Array, expected: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(expected.length)
  const most = found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i])), 0)
  expect(most).toBeLessThan(tolerance)
}

describe("patches", () => {
  it.each([
    { time: 1, size: 4, T: 3 },
    { time: 2, size: 3, T: 5 },
  ])(
    "as a product equal the convolution of $time frames, what does not fill a patch cut off",
    async ({ time, size, T }) => {
      const clips = constant(random(2 * 3 * T * 9 * 13, 1), [2, 3, T, 9, 13])
      const binder = WeightBinder.over(null)
      const kernel = [time, size, size]
      const pixels = patches(fromChannelsFirst(clips), [time, size, size])
      const embedded = embedPatches(binder, pixels, { name: "conv", width: 5, kernel, bias: true })
      const weights = await binder.load(randomSource(3))
      const source = randomSource(3)
      const weight = constant(await source.read("conv.weight", [5, 3, ...kernel]), [5, 3, ...kernel])
      const bias = constant(await source.read("conv.bias", [5]), [5])
      const reference = transpose(conv(clips, weight, bias, { strides: kernel }), [0, 2, 3, 4, 1])
      expectClose(await numbersOf(embedded, weights), await numbersOf(reference), 1e-5)
    },
  )
})

describe("attention", () => {
  it("equals sums in double precision, with and without a causal mask", async () => {
    const [B, L, heads, d] = [2, 5, 3, 4]
    const [q, k, v] = [1, 2, 3].map((seed) => random(B * L * heads * d, seed))
    const at = (x: Float32Array, b: number, l: number, h: number, i: number) => x[((b * L + l) * heads + h) * d + i]
    for (const causal of [false, true]) {
      const expected: number[] = []
      for (let b = 0; b < B; b++) {
        for (let l = 0; l < L; l++) {
          for (let h = 0; h < heads; h++) {
            const seen = Array.from({ length: causal ? l + 1 : L }, (_, other) => {
              let score = 0
              for (let i = 0; i < d; i++) score += at(q, b, l, h, i) * at(k, b, other, h, i)
              return Math.exp(score)
            })
            const total = seen.reduce((sum, value) => sum + value, 0)
            for (let i = 0; i < d; i++) {
              expected.push(seen.reduce((sum, value, other) => sum + (value / total) * at(v, b, other, h, i), 0))
            }
          }
        }
      }
      const [tq, tk, tv] = [q, k, v].map((values) => constant(values, [B, L, heads * d]))
      expectClose(await numbersOf(attend(tq, tk, tv, heads, causal ? causalMask(L) : null)), expected, 1e-5)
    }
  })

  it("refuses heads that do not divide the width, naming the weight", () => {
    const x = input("x", [1, 2, 10])
    expect(() =>
      clipBlock(WeightBinder.over(null).in("block"), x, { heads: 3, activation: "gelu", epsilon: 1e-5 }),
    ).toThrow(/block\.attn\.in_proj_weight.*10.*3 heads/)
  })
})

describe("tables of positions", () => {
  const grid = [0, 1, -2, 3, 0.5, -1, 2, 4, 1, 0, 1, -3, 2, 2, -1, 0.25]
  const table = Float32Array.from([9, ...grid])

  /** PyTorch's `interpolate(mode="bicubic")` to 3×3, without and with `antialias`. */
  const TO_3 = {
    bicubic: [0.19039, -0.73533, 2.55777, 0.42564, 0.61206, 0.59458, 1.88853, 0.45057, -0.43699],
    "bicubic-antialias": [0.26259, -0.4024, 2.43005, 0.25847, 0.53229, 0.87426, 1.84907, 0.50606, -0.97871],
  } as const

  it.each(["bicubic", "bicubic-antialias"] as const)("%s is PyTorch's, and keeps the class row", (interpolation) => {
    const adapt = gridTable({ extra: 1, time: 1, rows: 3, columns: 3, width: 1, interpolation })
    expect(adapt?.fits([17, 1])).toBe(true)
    expect(adapt?.fits([16, 1])).toBe(false)
    expectClose(adapt?.make(table, [17, 1]) ?? new Float32Array(), [9, ...TO_3[interpolation]], 2e-5)
  })

  it("of frames are interpolated linearly", () => {
    const halved = timeTable(2, 2)?.make(Float32Array.of(0, 10, 2, 20, 4, 30, 6, 40), [1, 4, 2])
    expect([...(halved ?? [])]).toEqual([1, 15, 5, 35])
  })

  it("of sinusoids start with sin 0 and cos 0", () => {
    const values = sinusoids(3, 4)
    expect([...values.subarray(0, 4)]).toEqual([0, 1, 0, 1])
    expect(values[4]).toBeCloseTo(Math.sin(1), 6)
    expect(values[10]).toBeCloseTo(Math.sin(2 / 100), 6)
  })
})

describe("checkpoint names", () => {
  const sizes = { width: 16, n_dim: 16, layers: 2, heads: 2, n_head: 2, return_list: [1], n_layers: 1, patch_size: 8 }
  const uniformer = networkSchema.parse({
    ...uniformerv2.visual.models["B/16-ssv2"].dimensions,
    ...sizes,
    t_size: 4,
    input_resolution: 16,
  })
  const graph = (binder: WeightBinder) =>
    uniformer.graph(binder, new Map([["input", input("input", [1, 3, 4, 16, 16])]]))

  /** A file that holds `shapes`, all zeros. */
  const zeros = (shapes: Map<string, readonly number[]>): WeightSource => ({
    where: "model.pth",
    shapes,
    read: async (_, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)),
  })

  it("missing, extra and mis-shaped keys are all named", async () => {
    const binder = uniformer.binder(null)
    graph(binder)
    const shapes: Map<string, readonly number[]> = new Map(binder.expected)
    shapes.delete("transformer.dec.0.ln_3.bias")
    shapes.set("transformer.resblocks.9.ln_1.bias", [16])
    shapes.set("transformer.balance", [17])
    await expect(binder.load(zeros(shapes))).rejects.toThrow(
      /missing \(1\):\s+transformer\.dec\.0\.ln_3\.bias[\s\S]*extra \(1\):\s+transformer\.resblocks\.9[\s\S]*mis-shaped \(1\):\s+transformer\.balance: expected \[16\], found \[17\]/,
    )
  })

  it("a head may be absent: its output is then, too", async () => {
    const whole = uniformer.binder(null)
    graph(whole)
    const shapes = new Map([...whole.expected].filter(([name]) => !name.startsWith("transformer.proj.")))
    const binder = uniformer.binder(new Set(shapes.keys()))
    const { outputs } = graph(binder)
    expect(Object.keys(outputs)).not.toContain("logits")
    await expect(binder.load(zeros(shapes))).resolves.toBeInstanceOf(Map)
  })

  it("wrappers' prefixes, older names and entries that are no weights are known", () => {
    const name = ({ schema, visual }: Family<VisualFamily>, model: string, key: string, keys = new Set<string>()) => {
      return schema
        .parse({ ...visual.models[model].dimensions, ...visual.clipDimensions(16, 224) })
        .parameterName(key, keys)
    }
    expect(name(videomae, "B/16", "encoder.blocks.0.attn.q_bias")).toBe("blocks.0.attn.q_bias")
    expect(name(videomae, "B/16", "decoder.blocks.0.attn.q_bias")).toBeNull()
    expect(name(vit, "deit3-B/16", "blocks.3.gamma_2")).toBe("blocks.3.ls2.gamma")
    expect(name(clip, "B/16", "conv1.weight", new Set(["class_embedding"]))).toBe("visual.conv1.weight")
    expect(name(clip, "B/16", "context_length")).toBeNull()
    expect(name(clip, "B/16", "text.ln_final.bias")).toBe("ln_final.bias")
    expect(name(uniformerv2, "B/16", "backbone.ln_pre.bias")).toBe("ln_pre.bias")
    expect(name(uniformerv2, "B/16", "x.num_batches_tracked")).toBeNull()
  })

  it("settings that contradict each other are refused", () => {
    const parse = (more: object) =>
      networkSchema.safeParse({
        ...uniformerv2.visual.models["B/16"].dimensions,
        t_size: 8,
        input_resolution: 224,
        ...more,
      })
    expect(parse({}).success).toBe(true)
    expect(parse({ return_list: [9, 10, 11] }).success).toBe(false)
    expect(parse({ return_list: [9, 10, 11, 12] }).success).toBe(false)
    expect(parse({ n_dim: 512 }).success).toBe(false)
    expect(parse({ activation: "swish" }).success).toBe(false)
  })
})

describe("position tables for pictures of any size", () => {
  it("are resized unless the grid is the trained square, also where it has as many places", async () => {
    const table = { extra: 1, rows: 2, columns: 8, width: 1, interpolation: "bilinear" as const }
    const values = Float32Array.from({ length: 17 }, (_, i) => (i === 0 ? 99 : (i - 1) % 4)) // the column's number
    const source: WeightSource = {
      where: "test",
      shapes: new Map([["table", [17, 1]]]),
      read: async () => values,
    }
    const binder = WeightBinder.over(new Set(["table"]))
    const [wide, square] = [
      gridRows(binder, "table", 7, table),
      gridRows(binder, "table", 7, { ...table, rows: 4, columns: 4 }),
    ]
    const weights = await binder.load(source)
    const row = [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    expectClose(await numbersOf(wide, weights), [99, ...row, ...row], 1e-6)
    expectClose(await numbersOf(square, weights), values, 1e-9)
  })
})
