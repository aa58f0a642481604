/** Protects what InternVideo2 takes from a checkpoint instead of its configuration: parts, position tables, a larger head. */

import { input, type Shape } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { networkSchema } from "../../src/encoders/families/index.ts"
import { clipTable } from "../../src/encoders/positions.ts"
import type { WeightSource } from "../../src/encoders/weight-binder.ts"

const SIZES = {
  encoder: "internvideo2",
  img_size: 16,
  patch_size: 8,
  num_frames: 8,
  embed_dim: 12,
  depth: 1,
  num_heads: 2,
  mlp_ratio: "11/3",
  attn_pool_num_heads: 4,
  clip_embed_dim: 6,
  num_classes: 400,
}

const networkOf = (more: object = {}) => networkSchema.parse({ ...SIZES, ...more })

/** A checkpoint whose tensors count their elements. */
const counting = (shapes: ReadonlyMap<string, Shape>): WeightSource => ({
  where: "model.pth",
  shapes,
  read: async (_, shape) => Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
})

/** What a network asks for and gives, with a checkpoint of these names. */
function graphOf(network: ReturnType<typeof networkOf>, names: ReadonlySet<string> | null) {
  const binder = network.binder(names)
  const { outputs } = network.graph(binder, new Map([["input", input("input", [1, 3, 8, 16, 16])]]))
  return { binder, outputs: Object.keys(outputs) }
}

describe("InternVideo2", () => {
  const full = graphOf(networkOf(), null)

  it("has a fraction of the width as hidden channels, or their number", () => {
    expect(full.binder.expected.get("blocks.0.mlp.fc1.weight")).toEqual([44, 12])
    const given = graphOf(networkOf({ mlp_hidden: 30 }), null).binder.expected
    expect(given.get("blocks.0.mlp.fc1.weight")).toEqual([30, 12])
  })

  it("takes the first 400 rows of a head of 710 classes, and of no other", async () => {
    const withHead = (rows: number) =>
      counting(new Map([...full.binder.expected, ["head.weight", [rows, 6]], ["head.bias", [rows]]]))
    const weights = await full.binder.load(withHead(710))
    expect(weights.get("head.bias")).toEqual(Float32Array.from({ length: 400 }, (_, i) => i))
    expect(weights.get("head.weight")?.at(-1)).toBe(399 * 6 + 5)
    await expect(full.binder.load(withHead(600))).rejects.toThrow(/head\.weight: expected \[400, 6\], found \[600, 6\]/)
  })

  it("does without what a checkpoint lacks: norms of q and k, LayerScale, the pool's norm and the head", async () => {
    const optional = /_norm\.|gamma$|^fc_norm|^head/
    const shapes = new Map([...full.binder.expected].filter(([name]) => !optional.test(name)))
    const { binder, outputs } = graphOf(networkOf(), new Set(shapes.keys()))
    expect(outputs).toEqual(["feature_map", "class_token", "pooled"])
    await expect(binder.load(counting(shapes))).resolves.toBeInstanceOf(Map)
    const stated = graphOf(networkOf({ qk_normalization: true }), new Set(shapes.keys()))
    await expect(stated.binder.load(counting(shapes))).rejects.toThrow(/missing \(2\):\s+blocks\.0\.attn\.k_norm/)
  })

  it("resizes a table of 8 frames for 2 frames of twice the side, although its length is the same", async () => {
    const binder = networkOf({ num_frames: 2, img_size: 32 }).binder(null)
    const clips = input("input", [1, 3, 2, 32, 32])
    networkOf({ num_frames: 2, img_size: 32 }).graph(binder, new Map([["input", clips]]))
    const own = binder.expected.get("pos_embed")
    expect(own).toEqual(full.binder.expected.get("pos_embed"))
    const table = (await binder.load(counting(binder.expected))).get("pos_embed") ?? []
    // rows count upwards in the file: the first of 2 frames lies between the second and the third of 8
    expect([table[0], table[11]]).toEqual([0, 11])
    expect(table[12]).toBeGreaterThan(12 * 4)
  })

  it("leaves out the decoders of a distillation checkpoint", () => {
    const { parameterName } = networkOf()
    const nameOf = (key: string) => parameterName(key, new Set())
    expect(["clip_decoder.0.head.bias", "final_clip_decoder.norm.bias", "clip_pos_embed"].map(nameOf)).toEqual([
      null,
      null,
      null,
    ])
    expect(nameOf("backbone.blocks.0.ls1.gamma")).toBe("blocks.0.ls1.gamma")
  })
})

describe("tables over time and a square grid", () => {
  const tableOf = (time: number, side: number, steps: number[]) =>
    clipTable({ extra: 1, time, side, width: 1, steps, configured: { time, side } })

  it("are interpolated over time first, linearly, and keep the class row", () => {
    const { make } = tableOf(4, 1, [8])
    expect([...make(Float32Array.of(9, 0, 2, 4, 6, 8, 10, 12, 14), [1, 9, 1])]).toEqual([9, 1, 5, 9, 13])
  })

  it("of equal length are not taken for each other: 8 steps of 1 place, 2 steps of 4", () => {
    const { make, fits } = tableOf(2, 2, [8])
    const even = Float32Array.of(9, 0, 2, 4, 6, 8, 10, 12, 14)
    expect(fits([1, 9, 1])).toBe(true)
    expect([...make(even, [1, 9, 1])]).toEqual([9, 3, 3, 3, 3, 11, 11, 11, 11])
    expect([...tableOf(2, 2, [2]).make(even, [1, 9, 1])]).toEqual([...even])
  })

  it("fit no other width and no grid that is not square", () => {
    const { fits } = tableOf(8, 2, [8])
    expect([fits([1, 33, 1]), fits([1, 33, 2]), fits([1, 8 * 3 + 1, 1])]).toEqual([true, false, false])
  })
})
