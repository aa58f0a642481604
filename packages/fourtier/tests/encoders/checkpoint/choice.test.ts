/** Protects which of several sets of weights in one checkpoint is taken, that it is said, and that nothing is guessed. */

import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { writeSafetensors } from "@fourtier/tensor/node"
import { describe, expect, it, test } from "vitest"
import { type CheckpointPart, openCheckpoint } from "../../../src/encoders/checkpoint/checkpoint.ts"
import { checkpointSource, findWeights } from "../../../src/encoders/checkpoint/source.ts"
import { WeightBinder } from "../../../src/encoders/weight-binder.ts"
import type { CheckpointChoice } from "../../../src/encoders/weights.ts"
import { scratchFolder } from "../../video/fixtures.ts"
import { type Code, dict, floats, int, none, storage, tensor, text, torchFile } from "./writers.ts"

const folder = scratchFolder()
let files = 0

/** A state dictionary of `a.w` and `b.w`, whose first number tells it from others. */
type State = number

interface Nested {
  [key: string]: State | Nested | null
}

/** A PyTorch file of nested dictionaries. */
async function torch(content: Nested): Promise<string> {
  const storages: Record<string, Buffer> = {}
  const weight = (value: number) => {
    const key = String(Object.keys(storages).length)
    storages[key] = floats(value, 0)
    return tensor(storage(key, 2), 0, [2], [1])
  }
  const code = (value: State | Nested | null): Code => {
    if (value === null) return none
    if (typeof value === "number") return dict([text("a.w"), weight(value)], [text("b.w"), weight(value)])
    return dict(...Object.entries(value).map(([key, part]): [Code, Code] => [text(key), code(part)]))
  }
  const path = join(folder, `${files++}.pth`)
  await writeFile(path, torchFile(code(content), storages))
  return path
}

/** A safetensors file of these names; the i-th tensor is i. */
async function flat(...names: string[]): Promise<string> {
  const path = join(folder, `${files++}.safetensors`)
  const data = (i: number) => Float32Array.of(i, 0)
  await writeSafetensors(
    path,
    names.map((name, i) => ({ name, type: "f32", shape: [2], data: data(i) })),
  )
  return path
}

async function opened(path: string, part: CheckpointPart = {}) {
  const file = await openCheckpoint(path, part)
  const { section, otherSections, prefix, otherPrefixes, keys } = file
  const [value] = await file.read(keys[0])
  await file.close()
  return { section, otherSections, prefix, otherPrefixes, keys, value }
}

describe("sections", () => {
  test.each<[string, Nested, string, string[]]>([
    ["trained weights before averages", { model_ema: 1, model: 2, epoch: {} }, "model", ["model_ema"]],
    ["a missing average is none", { model: 2, model_ema: null }, "model", []],
    ["an average alone", { ema_state_dict: 1 }, "ema_state_dict", []],
    ["a teacher before its student", { student: 1, teacher: 2 }, "teacher", ["student"]],
    ["a target encoder before the encoder", { encoder: 1, target_encoder: 2 }, "target_encoder", ["encoder"]],
    [
      "copies by unusual names are listed",
      { state_dict: 1, average: 2, optimizer: { state: { x: {} } } },
      "state_dict",
      ["average"],
    ],
    ["sections in sections", { model: { teacher: 1, student: 2 } }, "model.teacher", ["model.student"]],
  ])("%s", async (_, content, section, others) => {
    expect(await opened(await torch(content))).toMatchObject({ section, otherSections: others, keys: ["a.w", "b.w"] })
  })

  it("parts of one network are no copies: their names stay together", async () => {
    const path = await torch({ visual: { blocks: 1 }, text: { layers: 2 } })
    expect((await opened(path)).keys).toEqual([
      "visual.blocks.a.w",
      "visual.blocks.b.w",
      "text.layers.a.w",
      "text.layers.b.w",
    ])
  })

  it("two averages, and copies by unusual names alone, are an error that lists them", async () => {
    await expect(opened(await torch({ ema: 1, teacher: 2 }))).rejects.toThrow(
      /several sets of weights[\s\S]*ema, teacher[\s\S]*section ema/,
    )
    const path = await torch({ first: 1, second: 2 })
    await expect(opened(path)).rejects.toThrow(/first, second/)
    expect(await opened(path, { section: "second" })).toMatchObject({ section: "second", value: 2 })
  })

  it("a key with dots in it is one step of a section's path", async () => {
    const path = await torch({ model: 1, callbacks: { "EMA{'decay':0.99}": { ema_state_dict: 3 } } })
    expect(await opened(path, { section: "callbacks.EMA{'decay':0.99}.ema_state_dict" })).toMatchObject({ value: 3 })
  })
})

describe("prefixes", () => {
  it("Lightning's goes where all names have it, and where it is the largest of several parts", async () => {
    expect((await opened(await flat("model.a.w", "model.b"))).keys).toEqual(["a.w", "b"])
    const parts = await flat("model.module.a.w", "model.module.b", "criterion.w")
    expect(await opened(parts)).toMatchObject({ keys: ["a.w", "b"], prefix: "model.", otherPrefixes: ["criterion."] })
    const small = ["model.scale", "blocks.a", "blocks.b"]
    expect((await opened(await flat(...small))).keys.toSorted()).toEqual(small.toSorted())
  })

  it("an average is taken before what it averages; of two, none", async () => {
    const pair = ["student.a", "teacher.a"]
    expect(await opened(await flat(...pair))).toMatchObject({ keys: ["a"], prefix: "teacher.", value: 1 })
    await expect(opened(await flat("ema.a", ...pair))).rejects.toThrow(/ema\., teacher\., student\.[\s\S]*prefix ema\./)
    const names = ["encoder.a", "encoder.b", "teacher.a"]
    expect((await opened(await flat(...names))).keys.toSorted()).toEqual(names)
  })

  it("one that is asked for is looked for with and without wrappers; an empty one leaves names as they are", async () => {
    const path = await flat("model.a", "model.visual.b")
    expect((await opened(path, { prefix: "model." })).keys).toEqual(["a", "visual.b"])
    expect((await opened(path, { prefix: "visual." })).keys).toEqual(["b"])
    expect((await opened(path, { prefix: "" })).keys).toEqual(["model.a", "model.visual.b"])
  })
})

describe("settings", () => {
  const names = { parameterName: (key: string) => key }
  const weightsOf = (path: string, choice?: CheckpointChoice) => findWeights(path, "encoder.checkpoint", choice)

  it("what was taken of several is said, and how to take another; otherwise nothing is", async () => {
    const both = await torch({ model: 1, model_ema: 2 })
    expect((await weightsOf(both)).notes).toEqual([
      `${both}: weights of model; encoder.section takes others: model_ema`,
    ])
    const parts = await flat("model.a", "model.b", "loss.w")
    expect((await weightsOf(parts)).notes).toEqual([
      `${parts}: weights whose names begin with model.; encoder.prefix takes others: loss.`,
    ])
    expect((await weightsOf(both, { section: "model_ema", prefix: null })).notes).toEqual([])
    expect((await weightsOf(await torch({ model: 1 }))).notes).toEqual([])
  })

  it("another section is read, and is another identity", async () => {
    const path = await torch({ model: 1, model_ema: 2 })
    const [plain, named, average] = await Promise.all(
      [{}, { section: null }, { section: "model_ema" }].map((choice) => weightsOf(path, choice)),
    )
    const source = await average.open(names)
    expect((await source.read("a.w", [2]))[0]).toBe(2)
    await source.close()
    expect(await named.identity()).toBe(await plain.identity())
    expect(await average.identity()).not.toBe(await plain.identity())
  })

  it("weights that are no finite numbers are named as they are read", async () => {
    const path = join(folder, "broken.safetensors")
    const data = Float32Array.of(0, 1, Number.POSITIVE_INFINITY, Number.NaN)
    await writeSafetensors(path, [{ name: "a.w", type: "f32", shape: [2, 2], data }])
    const source = await checkpointSource(path, { parameterName: (key) => `net.${key}` })
    await expect(source.read("net.a.w", [2, 2])).rejects.toThrow(
      /broken\.safetensors, tensor a\.w: weights that are no finite[\s\S]*2 of 4 values, the first Infinity at \[1,0\]/,
    )
    await source.close()
  })

  it("a missing key is named as the file names its kin, with what was dropped before names", async () => {
    const layers = ["model.net.layer.0.ln.w", "model.net.layer.0.fc.w", "model.net.layer.1.ln.w", "model.net.stem.w"]
    const path = await flat(...layers, "criterion.w")
    const parameterName = (key: string) => key.replace(/^net\.layer\.(\d+)\.ln/, "blocks.$1.norm")
    const source = await checkpointSource(path, { parameterName })
    const binder = WeightBinder.over(new Set(source.shapes?.keys()))
    const wanted = ["blocks.0.norm.w", "blocks.1.norm.w", "blocks.2.norm.w", "net.layer.0.fc.w", "net.layer.0.fc.b"]
    for (const name of [...wanted, "head.w"]) binder.weight(name, [name === "blocks.0.norm.w" ? 3 : 2])
    const error = await binder.load(source).then(String, String)
    await source.close()
    const lines = [
      "missing (3):",
      "  model.net.layer.2.ln.w (the model's blocks.2.norm.w)",
      "  model.head.w (the model's head.w)",
      "  model.net.layer.0.fc.b (the model's net.layer.0.fc.b)",
      "extra (1):",
      "  model.net.stem.w",
      "mis-shaped (1):",
      "  model.net.layer.0.ln.w (the model's blocks.0.norm.w): expected [3], found [2]",
    ]
    for (const line of lines) expect(error).toContain(line)
  })

  it("the section that weights were taken from is named with the file", async () => {
    const path = await torch({ model: 1, model_ema: 2 })
    const source = await checkpointSource(path, names, { section: "model_ema" })
    const binder = WeightBinder.over(null)
    binder.weight("c.w", [2])
    await expect(binder.load(source)).rejects.toThrow(`${path}, section model_ema: weights do not match`)
    await source.close()
  })

  it("a file's own integers are no part of a section's path", async () => {
    const path = join(folder, "list.pth")
    await writeFile(path, torchFile(dict([text("epoch"), int(3)]), {}))
    await expect(opened(path, { section: "epoch" })).rejects.toThrow(/no tensors found[\s\S]*section/)
  })
})
