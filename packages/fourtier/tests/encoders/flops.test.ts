/** Protects the sizes of the networks against the paper's Table 1: weights without head, and multiply–adds of one view. */

import { input, multiplyAdds, sizeOf } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { uniformerv2 } from "../../src/encoders/families/uniformerv2.ts"

/** Weights in millions; multiply–adds in units of 10^12 over `views` views. */
const TABLE_1 = [
  { model: "B/16", frames: 8, weights: 115, macs: 1.8, views: 12 },
  { model: "L/14", frames: 32, weights: 354, macs: 16.0, views: 6 },
]

const sizes = z.object({ patch_size: z.number(), n_layers: z.number(), width: z.number() })

describe("UniFormerV2 as a whole", () => {
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
