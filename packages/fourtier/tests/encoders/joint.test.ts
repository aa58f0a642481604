/**
 * Protects the space that two towers share: an encoder's scores of texts are the reference's, SigLIP's tower and tokeniser do
 * what open_clip's do, and text encoders are the networks' own towers.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { evaluate, input, liveSessions } from "@fourtier/tensor"
import { readJson, readNpy, type TensorSource, writeSafetensors } from "@fourtier/tensor/node"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { fixtureNames, PARITY } from "../../../../tests/parity/parity.ts"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { openEncoder } from "../../src/encoders/encoder.ts"
import { networkSchema } from "../../src/encoders/families/index.ts"
import { encodeArrays } from "../../src/encoders/run.ts"
import { siglipTextSizes, siglipTextTower } from "../../src/encoders/siglip.ts"
import { WeightBinder } from "../../src/encoders/weight-binder.ts"
import { randomSource } from "../../src/encoders/weights.ts"
import { sharedSpace } from "../../src/experiment/zero-shot.ts"
import { SentencePieceTokenizer } from "../../src/text/sentencepiece.ts"
import { textSchema } from "../../src/text/settings.ts"
import { openTextEncoder } from "../../src/text/targets.ts"
import { pixelsOf } from "./pixels.ts"

const MERGES = ["c a", "ca t</w>", "a b", "t h", "th e</w>"]
const PIECES: [string, number][] = [
  ["<pad>", 0],
  ["</s>", 0],
  ["<unk>", 0],
  ["▁the", -2],
  ["▁cat", -2.5],
  ["▁c", -4],
  ["at", -4],
  ["s", -3],
]

let folder = ""
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-joint-"))
  await writeFile(join(folder, "merges.txt"), `#version: 0.2\n${MERGES.join("\n")}\n`)
  const model = { type: "Unigram", unk_id: 2, vocab: PIECES }
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify({ model }))
})
afterAll(async () => rm(folder, { recursive: true, force: true }))

/** Fixtures with texts: the kind that opens them, the axes of their input, and the output that scores the texts. */
const FIXTURES = [
  ["clip", { pixels: "image_resolution", time: null, order: "bchw", scores: "logits_per_image" }],
  ["pe_core", { pixels: "image_size", time: null, order: "bchw", scores: "logits_per_image" }],
  ["xclip", { pixels: "image_resolution", time: "T", order: "btchw", scores: "logits" }],
] as const

const known = fixtureNames()
describe.skipIf(known.length === 0)("scores of texts beside the reference", () => {
  it.each(FIXTURES)("%s: pixels and the texts' embeddings give its logits", async (kind, how) => {
    const { pixels, time, order, scores } = how
    const at = (file: string) => join(PARITY, kind, file)
    const { encoder: _, ...config } = z.looseObject({}).parse(await readJson(at("config.json")))
    const sizes = Object.fromEntries(
      Object.entries(config).filter(([key]) => ![pixels, time, "inputs", "outputs", "intermediates"].includes(key)),
    )
    const [mean, std] = [
      [0.5, 0.4, 0.6],
      [0.2, 0.25, 0.3],
    ]
    const settings = { kind, checkpoint: at("checkpoint.pth"), sizes, mean, std }
    const frames = time === null ? 1 : config[time]
    const { joint } = await openVisualEncoder(encoderSchema.parse({ ...settings, resolution: config[pixels], frames }))
    if (!joint) throw new Error("no shared space")
    const { shape, data } = await readNpy(at("input.npy"), "f32")
    const session = await openEncoder(joint.encoder, shape[0], {})
    const { m } = await session.run({ frames: pixelsOf(data, shape, order, mean, std) })
    await session.release()
    const rows = Float32Array.from(m, Number)
    const clips = Array.from({ length: shape[0] }, (_, i) => {
      const size = rows.length / shape[0]
      return rows.subarray(i * size, (i + 1) * size)
    })
    const texts = await readNpy(at("text_embedding.npy"), "f32")
    const [count, width] = texts.shape
    const embeddings = Array.from({ length: count }, (_, k) => texts.data.subarray(k * width, (k + 1) * width))
    const found = (await joint.logits(clips, embeddings)).flatMap((row) => [...row])
    const expected = await readNpy(at(`${scores}.npy`), "f32")
    expect(found.length).toBe(expected.data.length)
    for (const [i, value] of expected.data.entries()) expect(found[i]).toBeCloseTo(value, 3)
    expect(liveSessions()).toBe(0)
  })
})

describe.skipIf(known.length === 0)("several frames", () => {
  it("pe_core: their embeddings have length 1 before the mean, as the reference's of a video", async () => {
    const at = (file: string) => join(PARITY, "pe_core", file)
    const { encoder: _, image_size: resolution, ...sizes } = z.looseObject({}).parse(await readJson(at("config.json")))
    const { shape, data } = await readNpy(at("input_video.npy"), "f32")
    const settings = { kind: "pe_core", checkpoint: at("weights.safetensors"), resolution, frames: shape[1], sizes }
    const { joint } = await openVisualEncoder(encoderSchema.parse(settings))
    if (!joint) throw new Error("no shared space")
    const session = await openEncoder(joint.encoder, 1, {})
    const { m } = await session.run({ frames: pixelsOf(data, shape, "btchw", [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]) })
    await session.release()
    const expected = await readNpy(at("video_embedding.npy"), "f32")
    const length = Math.hypot(...expected.data)
    expect(m.length).toBe(expected.data.length)
    for (const [d, value] of expected.data.entries()) expect(m[d]).toBeCloseTo(value / length, 4)
  })
})

const towers = { vocab_size: 519, context_length: 8, text_width: 16, text_heads: 2, text_layers: 2, embed_dim: 8 }
const image = { patch_size: 4, vision_width: 16, vision_layers: 1, vision_heads: 2 }
const video = { T: 2, mit_layers: 1, mit_heads: 2, prompts_layers: 1, prompt_heads: 2 }
const openText = (encoder: string, sizes: object, checkpoint = "random") =>
  openTextEncoder(
    textSchema.parse({
      encoder,
      network: {
        checkpoint,
        vocabulary: join(folder, encoder === "siglip" ? "tokenizer.json" : "merges.txt"),
        model: "B/16",
        sizes,
      },
    }),
  )

describe("text towers", () => {
  it.each([
    ["clip", { image_resolution: 8, ...image }],
    ["pe_core", { image_size: 8, ...image }],
    ["xclip", { image_resolution: 8, ...image, ...video }],
  ])("%s as text encoder is the network's own tower", async (kind, more) => {
    const encoder = await openText(kind, { ...more, ...towers })
    const { pooled } = await encoder.embed(["the cat"])
    await encoder.release()
    const ids = { type: "i64" as const, shape: [1, 4], data: BigInt64Array.of(517n, 516n, 513n, 518n) }
    const network = networkSchema.parse({ encoder: kind, ...more, ...towers })
    const inputs = new Map([["text_tokens", ids]])
    const { outputs } = await encodeArrays({ network, source: randomSource("0"), inputs })
    const expected = outputs.get("text_embedding")?.data ?? []
    expect(pooled[0].length).toBe(8)
    for (const [d, value] of pooled[0].entries()) expect(value).toBeCloseTo(expected[d], 4)
  })

  it("siglip: reads the padding, and all positions see each other", async () => {
    const sizes = { ...towers, vocab_size: PIECES.length }
    const encoder = await openText("siglip", sizes)
    const { pooled, tokens } = await encoder.embed(["The cat!", "cats", ""])
    await encoder.release()
    expect(tokens.map(({ length }) => length)).toEqual([2, 2, 0])
    const config = siglipTextSizes.parse(sizes)
    const binder = WeightBinder.over(null)
    const ids = input("ids", [1, 8], "i64")
    const { embedding } = siglipTextTower(binder, config, ids)
    const weights = await binder.load(randomSource("0"))
    const of = async (...values: number[]) => {
      const feeds = { ids: BigInt64Array.from(values, BigInt) }
      return Float32Array.from((await evaluate({ outputs: { y: embedding }, weights }, feeds)).y, Number)
    }
    const padded = await of(3, 4, 1, 1, 1, 1, 1, 1)
    for (const [d, value] of pooled[0].entries()) expect(value).toBeCloseTo(padded[d], 4)
    const other = await of(3, 7, 1, 1, 1, 1, 1, 1)
    expect(Math.max(...padded.map((value, d) => Math.abs(value - other[d])))).toBeGreaterThan(1e-3)
    expect(() => siglipTextTower(binder, config, input("short", [1, 7], "i64"))).toThrow(/pad or cut/)
  })
})

describe("SentencePiece", () => {
  it("takes the likeliest pieces of lower-case text without punctuation", async () => {
    const tokenizer = await SentencePieceTokenizer.load(join(folder, "tokenizer.json"))
    expect(tokenizer.encodeWithEnd("The, CAT_s!", 8)).toEqual([3, 4, 2, 7, 1]) // "_" is a space, and "▁" alone no piece
    expect(tokenizer.encode("cats")).toEqual([4, 7])
    expect(tokenizer.encode("at")).toEqual([2, 6])
    expect(tokenizer.encode("zz")).toEqual([2])
    expect(tokenizer.encode(" ?! ")).toEqual([])
    expect(tokenizer.encodeWithEnd("the the the", 2)).toEqual([3, 1])
  })

  it("refuses tokenisers of another kind", async () => {
    await writeFile(join(folder, "bpe.json"), JSON.stringify({ model: { type: "BPE" } }))
    await expect(SentencePieceTokenizer.load(join(folder, "bpe.json"))).rejects.toThrow(/not a unigram tokeniser/)
    expect(() => new SentencePieceTokenizer([["a", 0]], 0)).toThrow(/no piece <\/s>/)
  })
})

describe("SigLIP's two towers in one file of open_clip", () => {
  it("open side by side, and score a clip by the scale of the file", async () => {
    const vitSizes = { embed_dim: 8, depth: 1, num_heads: 2, patch_size: 4, mlp_ratio: 2 }
    const textSizes = { ...towers, vocab_size: PIECES.length }
    const network = networkSchema.parse({
      encoder: "vit_timm",
      img_size: 8,
      num_classes: 0,
      class_token: false,
      global_pool: "map",
      ...vitSizes,
    })
    const image = network.binder(null)
    network.graph(image, new Map([["input", input("input", [1, 3, 8, 8])]]))
    const text = WeightBinder.over(null)
    siglipTextTower(text, siglipTextSizes.parse(textSizes), input("ids", [1, 8], "i64"))
    const source = randomSource("both")
    const tensors: TensorSource[] = []
    const add = async (prefix: string, shapes: ReadonlyMap<string, readonly number[]>) => {
      for (const [name, shape] of shapes) {
        tensors.push({ name: `${prefix}${name}`, type: "f32", shape, data: await source.read(name, shape) })
      }
    }
    await add("visual.trunk.", image.expected)
    await add("text.", text.expected)
    tensors.push({ name: "logit_scale", type: "f32", shape: [], data: Float32Array.of(Math.log(7)) })
    tensors.push({ name: "logit_bias", type: "f32", shape: [], data: Float32Array.of(-10) })
    const checkpoint = join(folder, "siglip.safetensors")
    await writeSafetensors(checkpoint, tensors)

    const settings = { kind: "vit", model: "siglip-B/16", checkpoint, resolution: 8, frames: 2, sizes: vitSizes }
    const encoder = await openVisualEncoder(encoderSchema.parse(settings))
    const session = await openEncoder(encoder, 1, {}) // the text tower and the pooling are no part of the map
    await session.release()
    const texts = await openText("siglip", textSizes, checkpoint)
    const { pooled } = await texts.embed(["the cat", "cats"])
    await texts.release()
    const joint = sharedSpace(encoder, texts)
    const clip = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0)
    const [scores] = await joint.logits([clip], pooled)
    for (const [c, text] of pooled.entries()) expect(scores[c]).toBeCloseTo((7 * text[0]) / Math.hypot(...text), 4)
  })
})

describe("a shared space", () => {
  const open = (config: object) => openVisualEncoder(encoderSchema.parse({ resolution: 8, frames: 2, ...config }))
  const clip = { kind: "clip", checkpoint: "random", sizes: { ...image, ...towers } }

  it("is that of two towers of the same weights, in every precision", async () => {
    const texts = await openText("clip", towers)
    for (const precision of ["float32", "float16"]) {
      const joint = sharedSpace(await open({ ...clip, precision }), texts)
      expect([joint.width, joint.tower, joint.encoder.size]).toEqual([8, "clip", { T: 1, H: 1, W: 1, D: 8 }])
    }
    await texts.release()
  })

  it("is refused where there is none, with the setting that mends it", async () => {
    const texts = await openText("clip", towers, "random:1")
    const [encoder, vit] = [await open(clip), await open({ kind: "vit", checkpoint: "random", resolution: 32 })]
    expect(() => sharedSpace(encoder, texts)).toThrow(/towers of one model[\s\S]*text\.encoder=clip/)
    expect(() => sharedSpace(encoder, { width: 512 })).toThrow(/a text encoder with a space of its own/)
    expect(() => sharedSpace(vit, texts)).toThrow(/vit B\/16 .*has no text tower/)
    await texts.release()
  })

  it("is SigLIP's for a vision transformer with its pooling alone", async () => {
    const sizes = { embed_dim: 8, depth: 1, num_heads: 2, patch_size: 4 }
    const { joint } = await open({ kind: "vit", model: "siglip-B/16", checkpoint: "random", sizes })
    expect([joint?.tower, joint?.width]).toEqual(["siglip", 8])
  })
})
