import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { listSettings } from "../../src/util/schema.ts"
import { loadSettings, type SettingsTree } from "../../src/util/settings.ts"

const encoder = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("movenet"),
    taps: z.array(z.string()).default(["a", "b"]),
    grid: z.int().default(4),
  }),
  z.strictObject({ kind: z.literal("onnx"), path: z.string(), grid: z.int().default(7) }),
])
const schema = z.strictObject({
  seed: z.int().min(0).default(1),
  prompts: z.array(z.string()).default(["A", "B"]),
  pool: z.enum(["mean", "max"]).default("mean"),
  encoder: encoder.prefault({ kind: "movenet" }),
  views: z.array(z.strictObject({ crop: z.string().default("centre"), weight: z.number().default(1) })).default([]),
  stages: z
    .strictObject({
      align: z.strictObject({ lr: z.number().positive().default(1e-3), epochs: z.int().default(10) }).prefault({}),
      finetune: z
        .strictObject({ lr: z.number().positive().default(2e-3), mixup: z.number().default(0.8) })
        .prefault({}),
    })
    .prefault({}),
  steps: z.union([z.int(), z.literal("auto")]).default("auto"),
  limit: z.number().nullable().default(null),
  extra: z.record(z.string(), z.strictObject({ text: z.string() })).default({}),
})
const presets: Record<string, SettingsTree> = {
  small: { stages: { align: { epochs: 30, lr: 0.01 } }, prompts: ["A"] },
  paper: { stages: { align: { epochs: 800 } }, encoder: { kind: "onnx", path: "uniformer.onnx" } },
}
const load = (
  more: { preset?: string; file?: string; set?: string[]; flags?: { source: string; values: SettingsTree }[] } = {},
) => loadSettings({ schema, presets, ...more })
const failure = async (more: Parameters<typeof load>[0]) => {
  const error: unknown = await load(more).then(
    () => new Error("no error"),
    (thrown: unknown) => thrown,
  )
  return error instanceof Error ? error.message : String(error)
}

let folder: string
const write = async (name: string, text: string) => {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "settings-"))
})
afterAll(() => rm(folder, { recursive: true }))

describe("merging", () => {
  it("fills in every default when nothing is given, and calls nothing non-default", async () => {
    const { value, sources, preset } = await load()
    expect(value).toEqual(schema.parse({}))
    expect(value.encoder).toEqual({ kind: "movenet", taps: ["a", "b"], grid: 4 })
    expect(sources.size).toBe(0)
    expect(preset).toBeUndefined()
  })

  it("lets a file win over its preset, flags over the file, and --set over all, key by key", async () => {
    const file = await write("order.yaml", "preset: small\nseed: 2\npool: max\nstages: {align: {lr: 0.5}}\n")
    const { value, sources, preset } = await load({
      file,
      flags: [{ source: "--seed", values: { seed: 3, steps: 5 } }],
      set: ["steps=7"],
    })
    expect(preset).toBe("small")
    expect(value.stages.align).toEqual({ lr: 0.5, epochs: 30 })
    expect(value).toMatchObject({ seed: 3, pool: "max", steps: 7, prompts: ["A"] })
    expect(Object.fromEntries(sources)).toEqual({
      seed: "--seed",
      pool: file,
      "stages.align.lr": file,
      "stages.align.epochs": "preset small",
      steps: "--set",
      prompts: "preset small",
    })
  })

  it("takes a preset given by name over the one in the file", async () => {
    const file = await write("named.json", '{"preset": "small"}')
    expect((await load({ file, preset: "paper" })).value.stages.align.epochs).toBe(800)
  })

  it("reads files that extend files relative to themselves, and refuses circles", async () => {
    await write("base.yaml", "preset: small\nseed: 4\npool: max\n")
    const file = await write("top.yaml", "extends: base.yaml\nseed: 5\n")
    expect((await load({ file })).value).toMatchObject({ seed: 5, pool: "max", prompts: ["A"] })
    const a = await write("a.yaml", "extends: b.yaml\n")
    await write("b.yaml", "extends: a.yaml\n")
    expect(await failure({ file: a })).toMatch(/extends itself/)
  })

  it("replaces lists as a whole", async () => {
    expect((await load({ set: ["prompts=[]"] })).value.prompts).toEqual([])
    expect((await load({ preset: "small", set: ["prompts=[C, D]"] })).value.prompts).toEqual(["C", "D"])
  })

  it("reaches into list elements by index, also where only the defaults hold the list", async () => {
    expect((await load({ set: ["prompts.1=Z"] })).value.prompts).toEqual(["A", "Z"])
    expect((await load({ set: ["prompts[2]=C"] })).value.prompts).toEqual(["A", "B", "C"])
    expect((await load({ set: ["encoder.taps.0=q"] })).value.encoder).toMatchObject({
      kind: "movenet",
      taps: ["q", "b"],
    })
    expect((await load({ set: ["views=[{weight: 2}, {}]", "views.1.crop=left"] })).value.views).toEqual([
      { crop: "centre", weight: 2 },
      { crop: "left", weight: 1 },
    ])
    expect(await failure({ set: ["prompts.5=Z"] })).toMatch(/no such list element[\s\S]*0 to 2/)
  })

  it("drops the old variant's settings when a higher layer picks another variant, whatever the order of --set", async () => {
    const file = await write("variant.yaml", "encoder: {kind: movenet, taps: [x]}\n")
    const expected = { kind: "onnx", path: "m.onnx", grid: 7 }
    expect((await load({ file, set: ["encoder.kind=onnx", "encoder.path=m.onnx"] })).value.encoder).toEqual(expected)
    expect((await load({ file, set: ["encoder.path=m.onnx", "encoder.kind=onnx"] })).value.encoder).toEqual(expected)
  })

  it("keeps the default variant when only one of its fields is given", async () => {
    expect((await load({ set: ["encoder.grid=5"] })).value.encoder).toEqual({
      kind: "movenet",
      taps: ["a", "b"],
      grid: 5,
    })
  })

  it("keeps a variant's settings when a higher layer repeats the variant or only changes a field", async () => {
    const { value } = await load({ preset: "paper", set: ["encoder.grid=14"] })
    expect(value.encoder).toEqual({ kind: "onnx", path: "uniformer.onnx", grid: 14 })
  })

  it("parses values as YAML: numbers, null, lists, text with equals signs", async () => {
    const { value } = await load({ set: ["stages.align.lr=1e-5", "limit=null", 'extra.a.text="x=y: no"'] })
    expect(value.stages.align.lr).toBe(1e-5)
    expect(value.limit).toBeNull()
    expect(value.extra).toEqual({ a: { text: "x=y: no" } })
  })
})

describe("errors", () => {
  it("suggests the near sibling by full path for a misspelt key, and names the file", async () => {
    const file = await write("typo.yaml", "stages: {align: {epoch: 3}}\n")
    const message = await failure({ file })
    expect(message).toContain("stages.align.epoch")
    expect(message).toContain(file)
    expect(message).toContain("did you mean stages.align.epochs?")
  })

  it("suggests every place that knows a key given without its path", async () => {
    expect(await failure({ set: ["lr=1"] })).toContain("did you mean stages.align.lr or stages.finetune.lr?")
    expect(await failure({ set: ["stages.mixup=1"] })).toContain("did you mean stages.finetune.mixup?")
  })

  it("names path, origin, expected and found for a wrong type", async () => {
    const message = await failure({ set: ["stages.align.lr=fast"] })
    expect(message).toMatch(/stages\.align\.lr \(--set\): wrong type/)
    expect(message).toMatch(/expected: a number, above 0/)
    expect(message).toMatch(/found: {4}"fast" \(a string\)/)
  })

  it("names bounds, choices and list elements", async () => {
    expect(await failure({ set: ["seed=-1"] })).toMatch(/too small[\s\S]*at least 0[\s\S]*-1/)
    expect(await failure({ set: ["pool=median"] })).toMatch(/expected: one of "mean", "max"[\s\S]*"median"/)
    expect(await failure({ set: ["prompts=[A, 3]"] })).toMatch(/prompts\[1\][\s\S]*a string[\s\S]*3/)
    expect(await failure({ set: ["steps=never"] })).toMatch(/a whole number or "auto"[\s\S]*"never"/)
    expect(await failure({ set: ["seed=1.5"] })).toMatch(/a whole number[\s\S]*1\.5/)
  })

  it("judges a variant by its own keys", async () => {
    expect(await failure({ set: ["encoder.kind=onx"] })).toMatch(
      /encoder\.kind[\s\S]*one of "movenet", "onnx"[\s\S]*"onx"/,
    )
    const message = await failure({ set: ["encoder.kind=onnx", "encoder.taps=[a]"] })
    expect(message).toMatch(/encoder\.path \(--set\): missing setting/)
    expect(message).toMatch(/encoder\.taps \(--set\): unknown setting/)
    expect(message).toMatch(/it belongs to another encoder\.kind/)
  })

  it("reports all wrong settings at once", async () => {
    expect(await failure({ set: ["seed=x", "bogus=1", "pool=q"] })).toMatch(
      /3 settings are wrong[\s\S]*seed[\s\S]*pool[\s\S]*bogus/,
    )
  })

  it("refuses unknown presets, malformed assignments, broken YAML and wrong file kinds", async () => {
    expect(await failure({ preset: "smal" })).toMatch(/unknown preset[\s\S]*small, paper[\s\S]*did you mean small\?/)
    expect(await failure({ set: ["seed"] })).toMatch(/not an assignment/)
    expect(await failure({ set: ["a..b=1"] })).toMatch(/not an assignment/)
    expect(await failure({ set: ["seed=[1"] })).toMatch(/not valid YAML/)
    expect(await failure({ file: await write("dup.yaml", "seed: 1\nseed: 2\n") })).toMatch(
      /dup\.yaml:2:1.*not valid YAML/,
    )
    expect(await failure({ file: await write("list.yaml", "- 1\n") })).toMatch(/not a group of settings/)
    expect(await failure({ file: await write("x.toml", "") })).toMatch(/not a settings file/)
    expect(await failure({ file: join(folder, "absent.yaml") })).toMatch(/cannot be read/)
  })

  it("names the new name of a renamed setting, from a file or --set, and only at its old place", async () => {
    const renamed = { "stages.align.rate": "stages.align.lr", draws: "views" }
    const failing = async (more: Parameters<typeof load>[0]) =>
      expect(loadSettings({ schema, presets, renamed, ...more })).rejects
    const file = await write("old.yaml", "stages: {align: {rate: 0.1}}\n")
    await (await failing({ file })).toThrow(
      `stages.align.rate (${file}): this setting has a new name\n  fix:      write stages.align.lr instead`,
    )
    await (await failing({ set: ["draws=3"] })).toThrow(
      "draws (--set): this setting has a new name\n  fix:      write views instead",
    )
    await (await failing({ set: ["stages.finetune.rate=3"] })).toThrow(/unknown setting/)
    await (await failing({ set: ["toString=3"] })).toThrow(/unknown setting/)
  })

  it("does not let __proto__ through", async () => {
    expect(await failure({ set: ["__proto__.seed=5"] })).toMatch(/__proto__.*unknown setting/)
    expect(await failure({ file: await write("proto.json", '{"__proto__": {"seed": 5}}') })).toMatch(/unknown setting/)
    expect({}).not.toHaveProperty("seed")
  })
})

describe("print-out", () => {
  it("marks the origin of what differs from the defaults, and loads again to the same value", async () => {
    const file = await write("print.yaml", "seed: 1\nencoder: {kind: onnx, path: 'ü #1.onnx'}\nviews: [{weight: 2}]\n")
    const first = await load({ preset: "small", file, set: ["prompts=[]", "extra={k: {text: 'a: b'}}"] })
    const text = first.print()
    expect(text).toContain("# preset: small")
    expect(text).toMatch(/prompts: \[\] # --set/)
    expect(text).toMatch(/epochs: 30 # preset small/)
    expect(text).toMatch(/path: "ü #1\.onnx" # .*print\.yaml/)
    expect(text).toMatch(/^seed: 1$/m)
    expect(text).toMatch(/^pool: mean$/m)
    const again = await load({ file: await write("again.yaml", text) })
    expect(again.value).toEqual(first.value)
  })
})

describe("listing", () => {
  it("lists every setting once with its words, across variants, lists and records", () => {
    const infos = listSettings(schema)
    const paths = infos.map((info) => info.path)
    expect(new Set(paths).size).toBe(paths.length)
    for (const path of [
      "seed",
      "encoder.kind",
      "encoder.taps",
      "encoder.path",
      "views[].crop",
      "stages.align.lr",
      "extra.*.text",
    ]) {
      expect(paths).toContain(path)
    }
    expect(paths).not.toContain("stages")
    expect(infos.find((info) => info.path === "stages.align.lr")).toMatchObject({
      expected: "a number, above 0",
      default: 1e-3,
    })
  })
})
