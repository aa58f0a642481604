/** Protects the sizes of the networks against the paper's Table 1: weights without head, and multiply–adds of one view. */

import { input, multiplyAdds, sizeOf } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { uniformerv2 } from "../../src/encoders/families/uniformerv2.ts"
import { publishedCost } from "../../src/evaluate/published.ts"

/** Weights in millions; multiply–adds in units of 10^12 over `views` views. */
const TABLE_1 = [
  { model: "B/16", frames: 8, weights: 115, macs: 1.8, views: 12 },
  { model: "L/14", frames: 32, weights: 354, macs: 16.0, views: 6 },
]

const sizes = z.object({ patch_size: z.number(), n_layers: z.number(), width: z.number() })

describe("UniFormerV2 as a whole", () => {
  it.each([
    { model: "B/16", frames: 8, millions: 114.2 },
    { model: "L/14", frames: 32, millions: 353.7 },
  ])(
    "$model as an encoder has $millions M weights, of which the map needs fewer",
    async ({ model, frames, millions }) => {
      const encoder = await openVisualEncoder(
        encoderSchema.parse({ kind: "uniformerv2", model, frames, checkpoint: "random" }),
      )
      const [part, whole] = [await encoder.flops(), await encoder.whole?.()]
      expect((whole?.weights ?? 0) / 1e6).toBeCloseTo(millions, 1)
      expect(part.weights).toBeLessThan(whole?.weights ?? 0)
      expect(part.macs).toBeLessThan(whole?.macs ?? 0)
      const published = publishedCost({
        ...{ encoder: encoder.name, frames, resolution: encoder.resolution, ftp: false },
        ...{ clips: model === "B/16" ? 4 : 2, crops: 3 },
      })
      const row = TABLE_1.find((one) => one.model === model)
      expect([published?.weights, published?.tflops]).toEqual([row?.weights, row?.macs])
    },
  )

  it("has a row of the paper's tables for the paper's views alone", () => {
    const network = {
      encoder: "uniformerv2 B/16, int8",
      frames: 8,
      resolution: [224, 224] as const,
      clips: 4,
      crops: 3,
    }
    const name = "FTP-UniFormerV2-B/16"
    expect(publishedCost({ ...network, ftp: true })).toEqual({ name, table: "Table 1", weights: 136, tflops: 2.2 })
    expect(publishedCost({ ...network, resolution: [280, 280], ftp: true })).toMatchObject({
      weights: null,
      tflops: 8.1,
    })
    const ssv2 = { ...network, encoder: "uniformerv2 L/14-ssv2", frames: 32, clips: 1 }
    expect(publishedCost({ ...ssv2, ftp: false })).toMatchObject({ name: "UniFormerV2-L/14", tflops: 5.2 })
    for (const other of [{ clips: 1 }, { crops: 1 }, { frames: 16 }, { encoder: "clip B/16" }]) {
      expect(publishedCost({ ...network, ...other, ftp: true })).toBeNull()
    }
  })

  it.each(TABLE_1)("$model has the paper's size", ({ model, frames, weights, macs, views }) => {
    const { models, clipDimensions } = uniformerv2.visual
    const config = { ...models[model].dimensions, ...clipDimensions(frames, 224) }
    const { patch_size, n_layers, width } = sizes.parse(config)
    const network = uniformerv2.schema.parse(config)
    const binder = network.binder(null)
    const clips = input("input", [1, 3, frames, 224, 224])
    const { outputs } = network.graph(binder, new Map([["input", clips]]))
    const isHead = (name: string) => name.startsWith("transformer.proj.")
    const count = [...binder.expected].reduce((sum, [name, shape]) => sum + (isHead(name) ? 0 : sizeOf(shape)), 0)
    expect(Math.abs(count / 1e6 / weights - 1)).toBeLessThan(0.01)

    // the paper counts keys and values of all tokens in each global block; here they are folded into the one query
    const tokens = frames * (1 + (224 / patch_size) ** 2)
    const folded = n_layers * 2 * width ** 2 * tokens
    const ours = multiplyAdds([outputs.logits])
    const paper = (macs * 1e12) / views
    expect(Math.abs((ours + folded) / paper - 1)).toBeLessThan(0.03)
    expect(ours).toBeLessThan(paper)
  })
})
