/**
 * V-JEPA 2 and 2.1: every way that a checkpoint may name and nest the weights gives the same network; what the networks can be
 * as frozen encoders; and which sizes are refused. `tests/parity` compares them with the reference.
 */

import { join } from "node:path"
import { FourtierError, input, type Shape } from "@fourtier/tensor"
import { readNpy } from "@fourtier/tensor/node"
import { describe, expect, it } from "vitest"
import { distance, openFixture, PARITY } from "../../../../tests/parity/parity.ts"
import { hasShared } from "../../../../tests/shared.ts"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { openCheckpoint } from "../../src/encoders/checkpoint/checkpoint.ts"
import { joinSources } from "../../src/encoders/checkpoint/source.ts"
import { openEncoder } from "../../src/encoders/encoder.ts"
import { networkSchema } from "../../src/encoders/families/index.ts"
import { vjepaName } from "../../src/encoders/families/vjepa-names.ts"
import { encodeArrays } from "../../src/encoders/run.ts"
import { type OpenSource, randomSource } from "../../src/encoders/weights.ts"

type Stored = Map<string, { shape: Shape; values: Float32Array }>

/** The names that a checkpoint of these keys gives to the network, those without one left out. */
const namesOf = (keys: readonly string[]) =>
  keys.flatMap((key) => {
    const name = vjepaName(key, new Set(keys))
    return name === null ? [] : [`${key} -> ${name}`]
  })

describe("names in checkpoints", () => {
  it.each([
    ["target_encoder", ["encoder", "predictor"]],
    ["ema_encoder", ["encoder", "target_encoder", "opt"]],
    ["encoder", ["predictor", "opt"]],
  ])("%s comes before %o", (section, others) => {
    const own = ["blocks.0.norm1.weight", "norms_block.3.bias"].map((name) => `${section}.module.backbone.${name}`)
    const rest = others.flatMap((other) => [`${other}.module.backbone.norm.bias`])
    const keys = [...rest, ...own, `${section}.module.backbone.pos_embed`, "epoch"]
    expect(namesOf(keys)).toEqual([`${own[0]} -> blocks.0.norm1.weight`, `${own[1]} -> norms_block.3.bias`])
  })

  it("a section that is cut short does not count, whatever its name", () => {
    const whole = Array.from({ length: 9 }, (_, i) => `target_encoder.module.backbone.blocks.${i}.norm1.weight`)
    const names = namesOf(["ema_encoder.module.backbone.img_mod_embed", "encoder.norm.bias", ...whole])
    expect(names).toEqual(whole.map((key, i) => `${key} -> blocks.${i}.norm1.weight`))
  })

  it("an encoder alone has no prefix, and unknown names stay, so that they are reported", () => {
    expect(namesOf(["patch_embed.proj.bias", "module.backbone.norm.bias", "something.else", "predictor.x"])).toEqual([
      "patch_embed.proj.bias -> patch_embed.proj.bias",
      "module.backbone.norm.bias -> norm.bias",
      "something.else -> something.else",
    ])
  })

  it("of a file of probes, the first one is taken", () => {
    const key = "module.pooler.blocks.1.attn.qkv.weight"
    const names = ["probe.pooler.blocks.1.attn.qkv.weight", "probe.linear.bias"]
    const file = [`classifiers.0.${key}`, `classifiers.1.${key}`, "classifiers.0.module.linear.bias", "opt.0.state.x"]
    expect(namesOf(file)).toEqual([`${file[0]} -> ${names[0]}`, `${file[2]} -> ${names[1]}`])
    expect(namesOf([key.slice(7), "linear.bias"])).toEqual([
      `${key.slice(7)} -> ${names[0]}`,
      `linear.bias -> ${names[1]}`,
    ])
  })
})

/** A fixture's tensors by name. */
async function storedOf(name: string): Promise<Stored> {
  const file = await openCheckpoint(join(PARITY, name, "weights.safetensors"))
  const stored: Stored = new Map()
  for (const key of file.keys) stored.set(key, { shape: file.shape(key), values: await file.read(key) })
  await file.close()
  return stored
}

/** A checkpoint of these tensors by the network's names. */
function sourceOf(stored: Stored): OpenSource {
  const keys = new Set(stored.keys())
  const named = new Map(
    [...stored].flatMap(([key, tensor]) => {
      const name = vjepaName(key, keys)
      return name === null ? [] : [[name, tensor] as const]
    }),
  )
  return {
    where: "renamed",
    shapes: new Map([...named].map(([name, { shape }]) => [name, shape])),
    read: async (name) => named.get(name)?.values ?? new Float32Array(),
    async close() {},
  }
}

/** Largest difference of all outputs from the reference's. */
async function differenceOf(name: string, source: OpenSource): Promise<number> {
  const { network, inputs, expected } = await openFixture(name)
  const { outputs } = await encodeArrays({ network, source, inputs })
  const each = Object.keys(expected.outputs).map((key) => distance(outputs.get(key), join(PARITY, name, `${key}.npy`)))
  return Math.max(...(await Promise.all(each)))
}

/** The first rows of a tensor, and those after them. */
function cut({ shape: [rows, ...rest], values }: { shape: Shape; values: Float32Array }, parts: number) {
  const size = values.length / parts
  return Array.from({ length: parts }, (_, i) => ({
    shape: [rows / parts, ...rest],
    values: values.slice(i * size, (i + 1) * size),
  }))
}

/** The names and the layout of Hugging Face's VJEPA2ForVideoClassification. */
function asHuggingFace(stored: Stored): Stored {
  const converted: Stored = new Map()
  for (const [key, tensor] of stored) {
    const inProbe = key.startsWith("probe.")
    const name = key
      .replace(/^probe\.linear\./, "classifier.")
      .replace(/^probe\.pooler\.blocks\./, "pooler.self_attention_layers.")
      .replace(/^probe\.pooler\.cross_attention_block\./, "pooler.cross_attention_layer.")
      .replace(/^probe\./, "")
      .replace(/^encoder\.blocks\./, "vjepa2.encoder.layer.")
      .replace(/^encoder\.patch_embed\./, "vjepa2.encoder.embeddings.patch_embeddings.")
      .replace(/^encoder\.norm\./, "vjepa2.encoder.layernorm.")
      .replace(/\.norm([12])\./, inProbe ? ".layer_norm$1." : ".norm$1.")
      .replace(/\.attn\.proj\./, inProbe ? ".self_attn.out_proj." : ".attention.proj.")
      .replace(/\.xattn\.q\./, ".cross_attn.q_proj.")
    const [, before, packed, after] = /^(.*\.)(?:attn\.(qkv)|xattn\.kv)(\.[a-z]+)$/.exec(name) ?? []
    if (before === undefined) {
      converted.set(name, tensor)
      continue
    }
    const words = inProbe ? ["q_proj", "k_proj", "v_proj"] : ["query", "key", "value"]
    const names = packed === undefined ? words.slice(1) : words
    const owner = inProbe ? (packed === undefined ? "cross_attn" : "self_attn") : "attention"
    for (const [i, part] of cut(tensor, names.length).entries()) {
      converted.set(`${before}${owner}.${names[i]}${after}`, part)
    }
  }
  converted.set("vjepa2.predictor.layernorm.bias", { shape: [1], values: new Float32Array(1) })
  return converted
}

const hasFixtures = hasShared("V-JEPA's reference outputs", "parity", "vjepa2")

describe.skipIf(!hasFixtures)("the same network from other files", () => {
  it("from Hugging Face's layout", async () => {
    const converted = asHuggingFace(await storedOf("vjepa2"))
    expect([...converted.keys()]).toContain("vjepa2.encoder.layer.0.attention.query.weight")
    expect([...converted.keys()]).toContain("pooler.cross_attention_layer.cross_attn.v_proj.bias")
    expect(await differenceOf("vjepa2", sourceOf(converted))).toBeLessThan(1e-4)
  })

  it("from the wanted section, unless it is cut short beside another one", async () => {
    const sectionOf = async (name: string, ...preferred: string[]) => {
      const file = await openCheckpoint(join(PARITY, name, "checkpoint.pth"), { preferred })
      await file.close()
      return [file.section, file.has("backbone.blocks.2.norm2.bias")]
    }
    expect(await sectionOf("vjepa21", "target_encoder", "ema_encoder", "encoder")).toEqual(["ema_encoder", true])
    expect(await sectionOf("vjepa2", "encoder", "target_encoder")).toEqual(["target_encoder", true])
    expect(await sectionOf("vjepa2", "encoder")).toEqual(["encoder", false])
  })

  it("from a flat file of all sections", async () => {
    const flat: Stored = new Map()
    for (const [key, tensor] of await storedOf("vjepa21")) {
      flat.set(`encoder.module.backbone.${key}`, { ...tensor, values: tensor.values.map((value) => value + 1) })
      flat.set(`target_encoder.module.backbone.${key}`, tensor)
    }
    expect(await differenceOf("vjepa21", sourceOf(flat))).toBeLessThan(1e-4)
  })

  it("with the rotary style of 2.1, the map of 2.0 is another one", async () => {
    const { network, inputs } = await openFixture("vjepa2")
    const config = { ...network.dimensions, rope_style: "interleaved" }
    const source = sourceOf(await storedOf("vjepa2"))
    const other = await encodeArrays({ network: networkSchema.parse(config), source, inputs })
    const path = join(PARITY, "vjepa2", "feature_map.npy")
    expect(await distance(other.outputs.get("feature_map"), path)).toBeGreaterThan(0.1)
  })

  it("without a probe, its outputs are missing; a probe's file alone lacks the encoder", async () => {
    const { network, inputs } = await openFixture("vjepa2")
    const parts = [...(await storedOf("vjepa2"))]
    const only = (prefix: string) => sourceOf(new Map(parts.filter(([key]) => key.startsWith(prefix))))
    const { outputs } = await encodeArrays({ network, source: only("encoder."), inputs })
    expect([...outputs.keys()]).not.toContain("logits")
    await expect(encodeArrays({ network, source: only("probe."), inputs })).rejects.toThrow(
      /51 that match\s+missing \(40\)/,
    )
  })

  it("several levels for the probe are their tokens one after another", async () => {
    const { network, inputs } = await openFixture("vjepa2")
    const source = sourceOf(await storedOf("vjepa2"))
    const logits = async (probe_levels: number[]) => {
      const config = networkSchema.parse({ ...network.dimensions, probe_levels })
      return (await encodeArrays({ network: config, source, inputs })).outputs.get("logits")?.data ?? []
    }
    const expected = (await readNpy(join(PARITY, "vjepa2", "logits.npy"), "f32")).data
    const close = (found: ArrayLike<number>, digits: number) =>
      expect(Array.from(found)).toEqual(Array.from(expected, (value) => expect.closeTo(value, digits)))
    close(await logits([2]), 4)
    close(await logits([2, 2]), 4)
    const both = await logits([0, 2])
    expect(Math.max(...Array.from(both, (value, i) => Math.abs(value - expected[i])))).toBeGreaterThan(0.01)
  })
})

describe("several files", () => {
  it("are one source; a parameter in two of them, or random weights among them, are errors", async () => {
    const part = (name: string) => sourceOf(new Map([[name, { shape: [1], values: Float32Array.of(name.length) }]]))
    const joined = joinSources([part("norm.bias"), part("norm.weight")])
    expect([...(joined.shapes?.keys() ?? [])]).toEqual(["norm.bias", "norm.weight"])
    expect(await joined.read("norm.weight", [1])).toEqual(Float32Array.of(11))
    expect(() => joinSources([part("norm.bias"), part("norm.bias")])).toThrow(/two files have the parameter norm\.bias/)
    expect(() => joinSources([part("norm.bias"), randomSource(0)])).toThrow(/random weights cannot be joined/)
  })
})

describe("sizes", () => {
  const small = { patch_size: 16, embed_dim: 12, depth: 2, num_heads: 2, tubelet_size: 2, img_size: 32, num_frames: 4 }
  const parse = (more: object) => networkSchema.parse({ encoder: "vjepa2", ...small, ...more })
  const parse21 = (more: object) => parse({ encoder: "vjepa21", levels: [0, 1], ...more })

  it("take fractions, other names and texts of the official configurations", () => {
    expect(parse({ mlp_ratio: "48/11", encoder_layer_norm_eps: 1e-3 }).dimensions).toMatchObject({
      mlp_ratio: 48 / 11,
      layer_norm_eps: 1e-3,
      rope_style: "tiled",
      interpolate_rope: false,
    })
    expect(parse21({ rope_style: "pairs, frequencies tiled", depth: 24, levels: null }).dimensions).toMatchObject({
      rope_style: "tiled",
      interpolate_rope: true,
      levels: [5, 11, 17, 23],
    })
  })

  it.each([
    [() => parse({ mlp_ratio: "wide" }), /a fraction such as 48\/11/],
    [() => parse({ use_rope: false }), /without rotary positions are not supported/],
    [() => parse({ rope_style: "halves" }), /tiled or interleaved/],
    [() => parse({ out_layers: [0, 2] }), /blocks 0 to 1/],
    [() => parse21({ levels: undefined }), /needed for a depth other than 12, 24, 40, 48/],
    [() => parse21({ levels: [0, 2] }), /below the depth, 2/],
    [() => parse21({ levels: [1], out_layers: [0] }), /only of 1/],
    [() => parse21({ n_registers: 4 }), /register tokens are not supported/],
    [() => parse21({ frame_by_frame: true, img_temporal_dim_size: null }), /needs img_temporal_dim_size 1/],
  ])("%o is refused", (act, message) => {
    expect(act).toThrow(message)
  })

  it("inputs that the network has no positions or no tubelet for are named", () => {
    const graph = (network: ReturnType<typeof parse>, shape: Shape, name = "input") =>
      network.graph(network.binder(null), new Map([[name, input(name, shape, name === "input" ? "f32" : "i64")]]))
    expect(() => graph(parse({}), [1, 3, 1, 32, 32])).toThrow(/1 frame does not fill a tubelet of 2[\s\S]*equal frames/)
    expect(() => graph(parse21({}), [1, 3, 2, 16, 32])).toThrow(/single row or column[\s\S]*32×32/)
    expect(() => graph(parse21({ patch_size: 8 }), [1, 3, 2, 16, 32])).toThrow(/rope_reference_grid/)
    expect(() => graph(parse({}), [1, 4, 2, 32, 32])).toThrow(FourtierError)
    expect(() => graph(parse({ num_classes: 3, probe_heads: 5 }), [1, 3, 2, 32, 32])).toThrow(
      /probe_heads: a width of 12 cannot be split into 5/,
    )
    expect(() => graph(parse({ num_heads: 5 }), [1, 3, 2, 32, 32])).toThrow(/12 cannot be split into 5 heads/)
    expect(() => graph(parse({}), [1, 3, 32, 32])).toThrow(/wrong number of axes/)
    expect(() => graph(parse({}), [1, 8], "mask_indices")).toThrow(/input input: not given|not given/)
  })
})

describe("as frozen encoders", () => {
  const sizes = { embed_dim: 12, depth: 2, num_heads: 2, levels: [0, 1] }
  const open = (more: object, frames = 4) =>
    openVisualEncoder(
      encoderSchema.parse({
        kind: "vjepa21",
        checkpoint: "random",
        resolution: 32,
        frames,
        sizes: { ...sizes, ...more },
      }),
    )
  const pixels = Float32Array.from({ length: 4 * 32 * 32 * 3 }, (_, i) => (i * 37) % 251)

  const mapOf = async (encoder: Awaited<ReturnType<typeof open>>, frames: Float32Array) => {
    const session = await openEncoder(encoder, 1, {})
    const { m } = await session.run({ frames })
    await session.release()
    return Array.from(m, Number)
  }

  it("2.1 reads clips in tubelets, or every frame as a picture", async () => {
    const tubelets = await open({})
    expect(tubelets.size).toEqual({ T: 2, H: 2, W: 2, D: 12 })
    const frames = await open({ frame_by_frame: true })
    expect(frames.size).toEqual({ T: 4, H: 2, W: 2, D: 12 })
    const all = await mapOf(frames, pixels)
    const picture = await open({}, 1)
    expect(picture.size.T).toBe(1)
    const third = await mapOf(picture, pixels.slice(2 * 32 * 32 * 3, 3 * 32 * 32 * 3))
    for (const [i, value] of third.entries()) expect(all[2 * third.length + i]).toBeCloseTo(value, 4)
  })

  it("2.1 gives the last level, or all of them side by side", async () => {
    const [last, all] = [await open({}), await open({ return_hierarchical: true })]
    expect(all.size).toEqual({ ...last.size, D: 24 })
    const [narrow, wide] = [await mapOf(last, pixels), await mapOf(all, pixels)]
    for (let i = 0; i < narrow.length; i++) {
      expect(wide[Math.floor(i / 12) * 24 + 12 + (i % 12)]).toBeCloseTo(narrow[i], 5)
    }
  })

  it("the official sizes have the weights that are published", async () => {
    const weights = async (kind: string, model: string) => {
      const encoder = await openVisualEncoder(encoderSchema.parse({ kind, model, checkpoint: "random" }))
      return (await encoder.flops()).weights / 1e6
    }
    expect(await weights("vjepa21", "B/16")).toBeCloseTo(86.2, 0)
    expect(await weights("vjepa2", "L/16")).toBeCloseTo(303.9, 0)
    expect(await weights("vjepa2", "g/16")).toBeGreaterThan(1000)
    expect(await weights("vjepa21", "G/16")).toBeGreaterThan(1800)
  })
})
