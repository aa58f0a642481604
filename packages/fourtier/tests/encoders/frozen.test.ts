/** Protects the networks as visual encoders: shapes of every kind, equal maps from pixels, weights and multiply–adds. */

import { join } from "node:path"
import { FRAMES } from "@fourtier/core/schemas"
import { type Data, evaluate, input, liveSessions, Session, sizeOf } from "@fourtier/tensor"
import { readJson, readNpy } from "@fourtier/tensor/node"
import { encodeModel } from "@fourtier/tensor/onnx"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { fixtureNames, PARITY } from "../../../../tests/parity/parity.ts"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { encoderShapes, openEncoder, ROWS, type VisualEncoder } from "../../src/encoders/encoder.ts"
import { FAMILIES } from "../../src/encoders/families/index.ts"
import { pixelsOf } from "./pixels.ts"

const fixtureSchema = z.looseObject({ tolerance: z.object({ max_abs: z.object({ feature_map: z.number() }) }) })

/** Largest |difference|. */
function distance(a: Data, b: Data): number {
  return Array.from(a, Number).reduce((most, value, i) => Math.max(most, Math.abs(value - Number(b[i]))), 0)
}

const small = { vision_width: 32, vision_layers: 2, vision_heads: 2, embed_dim: 16, mit_heads: 2, prompt_heads: 2 }
const tiny = { embed_dim: 32, depth: 2, num_heads: 2 }
const view = { width: 16, heads: 2, mlp: 32, layers: 2 }

const SMALL_ENCODERS: Record<string, unknown>[] = [
  { kind: "clip", sizes: small },
  { kind: "vit", sizes: tiny },
  { kind: "vit", model: "deit3-B/16", sizes: tiny },
  { kind: "vit", model: "siglip-B/16", sizes: tiny },
  { kind: "videomae", sizes: tiny },
  { kind: "internvideo2", sizes: tiny },
  { kind: "uniformerv2", sizes: { width: 32, n_dim: 32, layers: 4, heads: 2, n_head: 2, return_list: [1, 2, 3, 0] } },
  {
    kind: "uniformerv2",
    model: "B/16-ssv2",
    sizes: { width: 32, n_dim: 32, layers: 2, heads: 2, n_head: 2, return_list: [0, 1], n_layers: 2 },
  },
  { kind: "xclip", sizes: small },
  { kind: "pe_core", sizes: small },
  { kind: "pe_core", model: "G/14@448", resolution: 28, sizes: small },
  { kind: "ila", sizes: { ...small, alignment_hidden: 8 }, resolution: 64 },
  { kind: "ila", sizes: { ...small, alignment_hidden: 8, encoder: "ila_ssv2", num_classes: 3 }, resolution: 64 },
  { kind: "vjepa2", model: "L/16", sizes: tiny },
  { kind: "vjepa21", sizes: { ...tiny, levels: [0, 1] } },
  { kind: "vjepa21", model: "G/16", sizes: { ...tiny, levels: [0, 1], frame_by_frame: true } },
  {
    kind: "mtv",
    model: "B",
    sizes: {
      views: [
        { ...view, tubelet_h_w_t: [16, 16, 4] },
        { ...view, tubelet_h_w_t: [16, 16, 2] },
      ],
    },
  },
]

/** The map of a clip [1,T,H,W,3] from its frames, one by one. */
async function mapOfFrames(encoder: VisualEncoder, clip: Float32Array): Promise<Data> {
  const { frameWise, size } = encoder
  if (!frameWise) throw new Error("sees clips")
  const { N, D } = frameWise.rows
  const [height, width] = encoder.resolution
  const type = (name: string, shape: number[]) => new Map([[name, { shape, dtype: "f32" as const }]])
  const types = { inputs: type(FRAMES, [1, 1, height, width, 3]), outputs: type(ROWS, [1, N, D]) }
  const session = await Session.load(encodeModel(await frameWise.model()), types)
  const joined = new Float32Array(size.T * N * D)
  for (let t = 0; t < size.T; t++) {
    const frame = clip.subarray((t * clip.length) / size.T, ((t + 1) * clip.length) / size.T)
    joined.set(Float32Array.from((await session.run({ [FRAMES]: frame })).rows, Number), t * N * D)
  }
  await session.release()
  return (await evaluate({ outputs: { m: frameWise.toMap(input(ROWS, [1, size.T, N, D])) } }, { [ROWS]: joined })).m
}

describe("frozen encoders", () => {
  it("tell which of them see frames one by one", async () => {
    const frameWise = new Set<string>()
    for (const config of SMALL_ENCODERS) {
      const open = { checkpoint: "random", frames: 4, resolution: 32, ...config }
      if ((await openVisualEncoder(encoderSchema.parse(open))).frameWise) frameWise.add(String(config.kind))
    }
    expect([...frameWise].sort()).toEqual(["clip", "pe_core", "vit"])
    const quantised = { kind: "clip", checkpoint: "random", sizes: small, resolution: 32, precision: "float16" }
    expect((await openVisualEncoder(encoderSchema.parse(quantised))).frameWise).toBeUndefined()
  })

  it("families that take frames of any shape give a map of that shape, rows and columns where they belong", async () => {
    const taking = new Set<string>()
    for (const config of SMALL_ENCODERS) {
      const open = { checkpoint: "random", frames: 4, ...config, resolution: [32, 64] }
      const encoder = await openVisualEncoder(encoderSchema.parse(open)).catch((error: unknown) => {
        expect(String(error)).toMatch(/takes squares/)
        return null
      })
      if (encoder === null) continue
      taking.add(String(config.kind))
      const { T, H, W, D } = encoder.size
      expect(W).toBe(2 * H)
      const length = 4 * 32 * 64 * 3
      const frames = Float32Array.from({ length }, (_, i) => (i * 37) % 256)
      const session = await openEncoder(encoder, 1, {})
      const before = Float32Array.from((await session.run({ frames })).m, Number)
      // the lower right corner of every frame becomes white: the last cell of the last row changes most
      for (let i = 0; i < length; i += 3) {
        const [y, x] = [Math.floor(i / 3 / 64) % 32, (i / 3) % 64]
        if (y >= 32 - 32 / H && x >= 64 - 64 / W) frames.fill(255, i, i + 3)
      }
      const after = Float32Array.from((await session.run({ frames })).m, Number)
      await session.release()
      const changes = Array.from({ length: H * W }, (_, cell) => {
        const at = ((T - 1) * H * W + cell) * D
        return distance(before.slice(at, at + D), after.slice(at, at + D))
      })
      expect(changes.indexOf(Math.max(...changes)), String(config.kind)).toBe(H * W - 1)
    }
    expect([...taking].sort()).toEqual(["clip", "pe_core", "uniformerv2", "vit", "vjepa2", "vjepa21"])
  })

  it("movenet sees frames one by one, and the motion between them comes after", async () => {
    const config = { kind: "movenet", frames: 3, resolution: 96, features: { motion: "difference" } }
    const encoder = await openVisualEncoder(encoderSchema.parse(config))
    const frames = Float32Array.from({ length: 3 * 96 * 96 * 3 }, (_, i) => (i * 37 + (i >> 9)) % 256)
    const session = await openEncoder(encoder, 1, {})
    const { m } = await session.run({ frames })
    await session.release()
    expect(distance(await mapOfFrames(encoder, frames), m)).toBeLessThan(1e-3)
  })

  it.each(SMALL_ENCODERS.map((config) => [`${config.kind} ${config.model ?? "B/16"}`, config]))(
    "%s runs with random weights, and each clip's map depends on it alone",
    async (_, config) => {
      const encoder = await openVisualEncoder(
        encoderSchema.parse({ checkpoint: "random", frames: 4, resolution: 32, ...config }),
      )
      const shapes = encoderShapes(encoder, 2)
      const frames = Float32Array.from({ length: sizeOf(shapes.frames) }, (_, i) => (i * 37) % 256)
      const pair = await openEncoder(encoder, 2, {})
      const { m: both } = await pair.run({ frames })
      await pair.release()
      expect(both.length).toBe(sizeOf(shapes.m))
      expect(both.every((value) => Number.isFinite(Number(value)))).toBe(true)
      const single = await openEncoder(encoder, 1, {})
      const { m: alone } = await single.run({ frames: frames.subarray(frames.length / 2) })
      await single.release()
      const second = both.subarray(both.length / 2)
      expect(distance(alone, second)).toBeLessThan(1e-4)
      if (encoder.frameWise) {
        expect(distance(await mapOfFrames(encoder, frames.subarray(frames.length / 2)), alone)).toBeLessThan(1e-4)
      }
      expect(liveSessions()).toBe(0)
    },
  )

  it("has one identity for equal settings, and others for other seeds and normalisation", async () => {
    const id = async (more: object) => {
      const config = { kind: "clip", checkpoint: "random", sizes: small, resolution: 32, ...more }
      return (await openVisualEncoder(encoderSchema.parse(config))).id
    }
    const first = await id({})
    expect(await id({})).toBe(first)
    expect(await id({ checkpoint: "random:1" })).not.toBe(first)
    expect(await id({ mean: [0, 0, 0] })).not.toBe(first)
  })

  it("multiplies the map by the scale, which is part of its identity", async () => {
    const open = (more: object) => {
      const config = { kind: "clip", checkpoint: "random", sizes: small, resolution: 32, frames: 1, ...more }
      return openVisualEncoder(encoderSchema.parse(config))
    }
    const [plain, scaled] = [await open({}), await open({ scale: 0.25 })]
    expect(scaled.id).not.toBe(plain.id)
    const maps: Data[] = []
    for (const encoder of [plain, scaled]) {
      const session = await openEncoder(encoder, 1, {})
      const frames = Float32Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) % 256)
      maps.push((await session.run({ frames })).m)
      await session.release()
    }
    const [numbers, quarters] = maps.map((map) => Array.from(map, Number))
    expect(quarters).toEqual(numbers.map((value) => value / 4))
  })

  it("names what is wrong in a configuration", async () => {
    const open = (more: object) =>
      openVisualEncoder(encoderSchema.parse({ kind: "clip", checkpoint: "random", ...more }))
    await expect(open({ model: "B/15" })).rejects.toThrow(/B\/16/)
    await expect(open({ sizes: { vision_heads: 7 } })).rejects.toThrow(/7 heads/)
    await expect(open({ sizes: { image_resolution: 7 } })).rejects.toThrow(/resolution of the encoder/)
    await expect(open({ resolution: 8 })).rejects.toThrow(/patches of 16/)
    await expect(open({ checkpoint: "absent.pt" })).rejects.toThrow(
      /absent\.pt: no such file\s+fix: +set encoder\.checkpoint/,
    )
  })
})

/** Fixtures whose feature map is the encoder's, and the kind that opens them. */
const MAPS = {
  clip: ["clip", "B/16", "image_resolution"],
  deit3_timm: ["vit", "deit3-B/16", "img_size"],
  videomae: ["videomae", "B/16", "img_size", "all_frames"],
  uniformerv2_k400: ["uniformerv2", "B/16", "input_resolution", "t_size"],
  uniformerv2_ssv2: ["uniformerv2", "B/16-ssv2", "input_resolution", "t_size"],
  xclip: ["xclip", "B/16", "image_resolution", "T"],
  ila: ["ila", "B/16", "image_resolution", "T"],
  vjepa2: ["vjepa2", "L/16", "img_size", "num_frames"],
  internvideo2: ["internvideo2", "B/14", "img_size", "num_frames"],
  pe_core: ["pe_core", "B/16", "image_size"],
} as const

describe.skipIf(fixtureNames().length === 0)("frozen encoders beside the reference", () => {
  it.each(Object.entries(MAPS))(
    "%s: the map of pixels is the reference's",
    async (name, [kind, model, pixels, time]) => {
      const folder = join(PARITY, name)
      const { tolerance, encoder: _, ...config } = fixtureSchema.parse(await readJson(join(folder, "config.json")))
      const [resolution, frames] = [config[pixels], time === undefined ? 1 : config[time]]
      const other = [pixels, time, "inputs", "outputs", "intermediates", "verification", "wrong_variant_max_abs_diff"]
      const sizes = Object.fromEntries(Object.entries(config).filter(([key]) => !other.includes(key)))
      const encoder = await openVisualEncoder(
        encoderSchema.parse({ kind, model, checkpoint: join(folder, "checkpoint.pth"), resolution, frames, sizes }),
      )
      const { mean, std } = presetsOf(kind)[model].normalisation
      const input = await readNpy(join(folder, "input.npy"), "f32")
      const order = { clip: "bchw", deit3_timm: "bchw", pe_core: "bchw", xclip: "btchw", ila: "btchw" }[name] ?? "bcthw"
      const values = pixelsOf(input.data, input.shape, order, mean, std)
      const session = await openEncoder(encoder, input.shape[0], {})
      const { m } = await session.run({ frames: values })
      await session.release()
      const expected = await readNpy(join(folder, "feature_map.npy"), "f32")
      expect(m.length).toBe(expected.data.length)
      expect(distance(m, expected.data)).toBeLessThan(tolerance.max_abs.feature_map * 2)
    },
  )
})

/** Official sizes of a kind. */
function presetsOf(kind: string) {
  return FAMILIES.flatMap(({ visual }) => (visual?.kind === kind ? [visual.models] : []))[0]
}

describe("weights and multiply–adds", () => {
  const flopsOf = async (kind: string, model: string, more: object = {}) =>
    (await openVisualEncoder(encoderSchema.parse({ kind, model, checkpoint: "random", ...more }))).flops()

  it("counts the image towers as their papers do", async () => {
    expect((await flopsOf("clip", "B/16", { frames: 1 })).macs / 1e9).toBeCloseTo(17.6, 0)
    expect((await flopsOf("vit", "B/16", { frames: 1 })).weights / 1e6).toBeCloseTo(85.8, 1)
    expect((await flopsOf("videomae", "B/16")).macs / 1e9).toBeCloseTo(180, -1)
  })

  it("knows every preset", async () => {
    for (const { visual } of FAMILIES) {
      for (const model of Object.keys(visual?.models ?? {})) {
        const kind = visual?.kind ?? ""
        const { weights, macs } = await flopsOf(kind, model)
        expect(weights, `${kind} ${model}`).toBeGreaterThan(5e6)
        expect(macs, `${kind} ${model}`).toBeGreaterThan(1e9)
      }
    }
  })
})
