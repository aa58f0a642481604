/** Protects what networks say of inputs: texts without pictures work, wrong numbers are errors that name input and mend. */

import { liveSessions } from "@fourtier/tensor"
import type { StoredTensor } from "@fourtier/tensor/node"
import { describe, expect, it } from "vitest"
import { networkSchema } from "../../src/encoders/families/index.ts"
import { encodeArrays } from "../../src/encoders/run.ts"
import { randomSource } from "../../src/encoders/weights.ts"

const towers = {
  embed_dim: 16,
  patch_size: 4,
  vision_width: 32,
  vision_layers: 1,
  vision_heads: 2,
  context_length: 6,
  vocab_size: 20,
  text_width: 8,
  text_heads: 2,
  text_layers: 1,
}
const video = { T: 2, mit_layers: 1, mit_heads: 2, prompts_layers: 1, prompt_heads: 2 }
const CONFIGS = [
  { encoder: "clip", image_resolution: 8, ...towers },
  { encoder: "pe_core", image_size: 8, ...towers },
  { encoder: "xclip", image_resolution: 8, ...towers, ...video },
  { encoder: "ila", image_resolution: 8, ...towers, ...video },
]

const ids = (...values: number[]) => ({
  type: "i64" as const,
  shape: [1, values.length],
  data: BigInt64Array.from(values, BigInt),
})

const encode = (config: object, inputs: Record<string, StoredTensor>) =>
  encodeArrays({
    network: networkSchema.parse(config),
    source: randomSource(0),
    inputs: new Map(Object.entries(inputs)),
  })

describe.each(CONFIGS.map((config) => [config.encoder, config]))("%s", (_, config) => {
  it("embeds texts without a picture", async () => {
    const { outputs } = await encode(config, { text_tokens: ids(18, 3, 19, 0) })
    expect(outputs.get("text_embedding")?.shape).toEqual([1, 16])
    expect([...outputs.keys()].filter((name) => /image|feature_map|video|logits/.test(name))).toEqual([])
    expect(liveSessions()).toBe(0)
  })

  it("names a token id outside the vocabulary", async () => {
    await expect(encode(config, { text_tokens: ids(18, 20, 19) })).rejects.toThrow(
      /text_tokens\[0,1\]: an id outside the table that it is looked up in\s+expected: +0 to 19\s+found: +20/,
    )
    await expect(encode(config, { text_tokens: ids(18, 3, -1) })).rejects.toThrow(/text_tokens\[0,2\][\s\S]*-1/)
  })

  it("refuses pictures of whole numbers, and token ids that are none", async () => {
    const shape = config.encoder === "xclip" || config.encoder === "ila" ? [1, 2, 3, 8, 8] : [1, 3, 8, 8]
    const picture = { type: "u8" as const, shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 1)) }
    await expect(encode(config, { input: picture })).rejects.toThrow(/input input: .*\s+expected: +floating-point/)
    const wrong = { type: "f32" as const, shape: [1, 3], data: Float32Array.of(18, 3, 19) }
    await expect(encode(config, { text_tokens: wrong })).rejects.toThrow(/input text_tokens: .*\s+expected: +whole/)
  })
})
