/**
 * Protects the promise that a family of networks is one object: a toy family, defined here, is read, run and opened as a frozen
 * visual encoder by the functions that the lists use.
 */

import { constant, evaluate, input, matmul, reshape, type Tensor } from "@fourtier/tensor"
import { beforeAll, describe, expect, it, vi } from "vitest"
import { z } from "zod"
import { embedPatches, fromImages, gridOf, linear, patches } from "../../src/encoders/blocks.ts"
import { familyKinds, KINDS } from "../../src/encoders/catalog.ts"
import { openEncoder } from "../../src/encoders/encoder.ts"
import { FAMILIES, networkSchemaOf } from "../../src/encoders/families/index.ts"
import { defineFamily } from "../../src/encoders/family.ts"
import { checkInput, count, inputNamed } from "../../src/encoders/graph.ts"
import { encoderSchemaOf, openEncoderOf } from "../../src/encoders/kind.ts"
import { encodeArrays } from "../../src/encoders/run.ts"
import type { WeightBinder } from "../../src/encoders/weight-binder.ts"
import { randomSource } from "../../src/encoders/weights.ts"

const dimensions = z.object({ encoder: z.literal("toy"), side: count, patch: count, width: count, classes: count })
type ToyConfig = z.infer<typeof dimensions>

/** One linear layer on patches. images [B,1,H,W,3] -> [B,N,width] */
function toyTokens(binder: WeightBinder, { patch, width }: ToyConfig, images: Tensor): Tensor {
  const pixels = patches(images, [1, patch, patch])
  const [B, , N] = pixels.shape
  const embedded = embedPatches(binder, pixels, { name: "proj", width, kernel: [patch, patch], bias: true })
  return reshape(embedded, [B, N, width])
}

const toy = defineFamily({
  dimensions,
  inputs: () => ["input"],
  parameterName: (key) => key,
  graph(binder, config, inputs) {
    const images = inputNamed(inputs, "input", "batch,3,height,width")
    checkInput("input", images, [-1, 3, config.side, config.side], "batch,3,height,width")
    const tokens = toyTokens(binder, config, fromImages(images))
    return { outputs: { tokens, logits: linear(binder, "head", tokens, config.classes) }, intermediates: {} }
  },
  visual: {
    kind: "toy",
    models: {
      small: {
        dimensions: { encoder: "toy", patch: 4, width: 5, classes: 2 },
        resolution: 8,
        frames: 3,
        normalisation: { mean: [0, 0, 0], std: [1, 1, 1] },
      },
    },
    defaultModel: "small",
    clipKeys: { resolution: "side" },
    unused: (name) => name.startsWith("head."),
    featureMap(binder, config, clips) {
      const [B, T, H, W, C] = clips.shape
      const grid = gridOf("side", config.side, config.patch)
      const tokens = toyTokens(binder, config, reshape(clips, [B * T, 1, H, W, C]))
      return reshape(tokens, [B, T, grid, grid, config.width])
    },
  },
})

describe("a family that the lists do not have", () => {
  const networks = networkSchemaOf([...FAMILIES, toy])
  const kinds = [...KINDS, ...familyKinds([toy])] as const
  const settings = encoderSchemaOf(kinds)

  it("is read and run with random weights, like any other", async () => {
    const network = networks.parse({ encoder: "toy", side: 8, patch: 4, width: 5, classes: 2, colour: "ignored" })
    expect(network.inputs).toEqual(["input"])
    const data = Float32Array.from({ length: 2 * 3 * 8 * 8 }, (_, i) => Math.sin(i))
    const inputs = new Map([["input", { type: "f32" as const, shape: [2, 3, 8, 8], data }]])
    const { outputs } = await encodeArrays({ network, source: randomSource(7), inputs })
    const [tokens, logits] = [outputs.get("tokens"), outputs.get("logits")]
    expect([tokens?.shape, logits?.shape]).toEqual([
      [2, 4, 5],
      [2, 4, 2],
    ])
    // the last layer by hand, with the weights that the seed stands for
    const head = constant(await randomSource(7).read("head.weight", [2, 5]), [2, 5])
    const y = matmul(input("x", [8, 5]), head, { transposeB: true })
    const expected = await evaluate({ outputs: { y } }, { x: tokens?.data ?? new Float32Array() })
    for (const [i, value] of (logits?.data ?? []).entries()) expect(value).toBeCloseTo(Number(expected.y[i]), 5)
  })

  it("opens as frozen visual encoder: the same tokens from pixels, in each precision", async () => {
    const encoder = await openEncoderOf(kinds, settings.parse({ kind: "toy", checkpoint: "random:7", frames: 2 }))
    expect(encoder).toMatchObject({ name: "toy small (random weights)", size: { T: 2, H: 2, W: 2, D: 5 } })
    const pixels = Float32Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256)
    const session = await openEncoder(encoder, 1, {})
    const { m } = await session.run({ frames: pixels })
    await session.release()

    const network = networks.parse({ ...toy.visual.models.small.dimensions, side: 8 })
    const data = Float32Array.from({ length: 2 * 3 * 8 * 8 }, (_, i) => {
      const [image, channel, place] = [Math.floor(i / 192), Math.floor(i / 64) % 3, i % 64]
      return pixels[(image * 64 + place) * 3 + channel] / 255
    })
    const inputs = new Map([["input", { type: "f32" as const, shape: [2, 3, 8, 8], data }]])
    const { outputs } = await encodeArrays({ network, source: randomSource(7), inputs })
    for (const [i, value] of (outputs.get("tokens")?.data ?? []).entries()) expect(Number(m[i])).toBeCloseTo(value, 4)

    const half = settings.parse({ kind: "toy", checkpoint: "random:7", precision: "float16" })
    expect((await openEncoderOf(kinds, half)).name).toBe("toy small (random weights), float16")
  })

  it("has settings of its own kind: other kinds' settings and wrong sizes are refused", async () => {
    expect(() => settings.parse({ kind: "toy", checkpoint: "random", grid: [2, 2] })).toThrow(/grid/)
    expect(() => settings.parse({ kind: "toi", checkpoint: "random" })).toThrow()
    const open = (more: object) => openEncoderOf(kinds, settings.parse({ kind: "toy", checkpoint: "random", ...more }))
    await expect(open({ model: "large" })).rejects.toThrow(/no toy of this size[\s\S]*small/)
    await expect(open({ sizes: { width: 0 } })).rejects.toThrow(/not the sizes of a toy[\s\S]*width/)
    await expect(open({ sizes: { side: 4 } })).rejects.toThrow(/resolution of the encoder/)
  })
})

describe("reading settings", () => {
  /** What opening an encoder loads, and reading its settings does not. */
  const HEAVY = ["open/family", "open/movenet", "open/onnx", "checkpoint/source", "checkpoint/hub", "tfjs", "large"]
  const loaded: string[] = []

  beforeAll(() => {
    vi.resetModules()
    for (const name of HEAVY) {
      vi.doMock(`../../src/encoders/${name}.ts`, (original: () => Promise<object>) => {
        loaded.push(name)
        return original()
      })
    }
    vi.doMock("onnxruntime-node", (original: () => Promise<object>) => {
      loaded.push("onnxruntime-node")
      return original()
    })
  })

  it("loads no reader of weights, no importer and no engine; opening does", async () => {
    const { encoderSchema, openVisualEncoder } = await import("../../src/encoders/catalog.ts")
    const config = encoderSchema.parse({ kind: "vit", checkpoint: "random", resolution: 32 })
    expect(loaded).toEqual([])
    await openVisualEncoder(config)
    expect(loaded).toContain("open/family")
    expect(loaded).toContain("checkpoint/source")
  })
})
