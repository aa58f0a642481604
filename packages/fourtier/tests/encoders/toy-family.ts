/** A family of networks as somebody would add it: one object in a file of its own. Patches, one linear layer, a head. */

import { reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { linear } from "../../src/encoders/blocks.ts"
import { defineFamily } from "../../src/encoders/family.ts"
import { checkInput, count, inputNamed } from "../../src/encoders/graph.ts"
import { asImages, embedPatches, fromImages, patches, squareMap } from "../../src/encoders/patches.ts"
import type { WeightBinder } from "../../src/encoders/weight-binder.ts"

const dimensions = z.object({ encoder: z.literal("toy"), side: count, patch: count, width: count, classes: count })
type ToyConfig = z.infer<typeof dimensions>

/** images [rows,1,H,W,3] -> [rows,N,width] */
function toyTokens(binder: WeightBinder, { patch, width }: ToyConfig, images: Tensor): Tensor {
  const pixels = patches(images, [1, patch, patch])
  const [rows, , N] = pixels.shape
  const embedded = embedPatches(binder, pixels, { name: "proj", width, kernel: [patch, patch], bias: true })
  return reshape(embedded, [rows, N, width])
}

export const toy = defineFamily({
  dimensions,
  inputs: () => ["input"],
  parameterName: (key) => (key === "steps" ? null : key.replace(/^net\./, "")),
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
      const [B, T] = clips.shape
      return squareMap(toyTokens(binder, config, asImages(clips)), B, T)
    },
  },
})
