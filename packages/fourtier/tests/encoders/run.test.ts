/** Protects: arrays that do not fit a network are named; nothing that is looked up wraps round or ends in the engine's error. */

import { gather, input, Session } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { networkSchema } from "../../src/encoders/families/index.ts"
import { encodeArrays } from "../../src/encoders/run.ts"
import { randomSource } from "../../src/encoders/weights.ts"

const network = networkSchema.parse({
  ...{ encoder: "clip", embed_dim: 4, image_resolution: 8, patch_size: 4, vision_width: 8, vision_layers: 1 },
  ...{ vision_heads: 2, context_length: 3, vocab_size: 60, text_width: 8, text_heads: 2, text_layers: 1 },
  ...{ mlp_ratio: 2, activation: "quick_gelu", layer_norm_eps: 1e-5 },
})

const encode = (ids: bigint[]) =>
  encodeArrays({
    network,
    source: randomSource(0),
    inputs: new Map([
      ["input", { type: "f32" as const, shape: [1, 3, 8, 8], data: new Float32Array(192) }],
      ["text_tokens", { type: "i64" as const, shape: [1, 3], data: BigInt64Array.from(ids) }],
    ]),
  })

describe("ids of tokens", () => {
  it("within the vocabulary are taken", async () => {
    expect((await encode([0n, 1n, 59n])).outputs.get("text_embedding")?.shape).toEqual([1, 4])
  })

  it.each([[60n], [-1n], [1_000_000n]])("%s is named with its place", async (id) => {
    await expect(encode([1n, id, 59n])).rejects.toThrow(
      new RegExp(`input text_tokens\\[0,1\\]: an id outside[\\s\\S]*0 to 59\\n[\\s\\S]*found: +${id}\\n`),
    )
  })
})

it("an error of the engine is one of ours", async () => {
  const session = await Session.compile({ outputs: { y: gather(input("x", [2, 2]), input("i", [1], "i64"), 0) } })
  const run = session.run({ x: new Float32Array(4), i: BigInt64Array.of(7n) })
  await expect(run).rejects.toThrow(/graph: ONNX Runtime cannot run the model\n +found: +[\s\S]*out of/)
  await session.release()
})
