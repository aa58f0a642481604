/** Protects the reading of checkpoints: each format that PyTorch and safetensors write, element by element, and the names. */

import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeSafetensors } from "@fourtier/tensor/node"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fixtureNames, PARITY } from "../../../../../tests/parity/parity.ts"
import { type Checkpoint, type CheckpointOptions, openCheckpoint } from "../../../src/encoders/checkpoint/checkpoint.ts"
import { bytes, dict, floats, global, int, legacyFile, reduce, storage, tensor, text, torchFile } from "./writers.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-checkpoint-"))
})
afterAll(() => rm(folder, { recursive: true }))

async function opened<T>(
  source: string | Uint8Array,
  use: (checkpoint: Checkpoint) => T | Promise<T>,
  options?: CheckpointOptions,
): Promise<T> {
  const path = typeof source === "string" ? source : join(folder, "made.pt")
  if (typeof source !== "string") await writeFile(path, source)
  const checkpoint = await openCheckpoint(path, options)
  try {
    return await use(checkpoint)
  } finally {
    await checkpoint.close()
  }
}

async function contents(checkpoint: Checkpoint): Promise<Record<string, { shape: readonly number[]; data: number[] }>> {
  const entries: [string, { shape: readonly number[]; data: number[] }][] = []
  for (const key of checkpoint.keys) {
    entries.push([key, { shape: checkpoint.shape(key), data: [...(await checkpoint.read(key))] }])
  }
  return Object.fromEntries(entries)
}

const fixtures = join(import.meta.dirname, "fixtures")
/** What the files written by PyTorch 1.13 in fixtures/ hold, under `state_dict` with `module.` before each name. */
const written = {
  base: { shape: [3, 4], data: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] },
  transposed: { shape: [4, 3], data: [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11] },
  slice: { shape: [2, 2], data: [4, 6, 8, 10] },
  bf: { shape: [3], data: [1, -2, 0.5] },
  half: { shape: [4, 3], data: [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11] },
  long: { shape: [3, 2], data: [0, 3, 1, 4, 2, 5] },
  flag: { shape: [2], data: [1, 0] },
  expanded: { shape: [2, 2], data: [7, 7, 7, 7] },
  empty: { shape: [0, 3], data: [] },
  scalar: { shape: [], data: [-1.5] },
  param: { shape: [1], data: [9] },
}

describe("files written by PyTorch", () => {
  for (const [name, format] of [
    ["zip.pt", "torch"],
    ["legacy.pt", "torch-legacy"],
  ]) {
    test(`${format}: strided, shared, 16-bit and integer tensors among settings and optimiser state`, async () => {
      await opened(join(fixtures, name), async (checkpoint) => {
        expect([checkpoint.format, checkpoint.section]).toEqual([format, "state_dict"])
        expect(await contents(checkpoint)).toEqual(written)
        expect(Object.keys(written).map((key) => checkpoint.dtype(key))).toEqual(
          "f32 f32 f32 bf16 f16 i64 bool f32 f32 f32 f32".split(" "),
        )
        expect((await checkpoint.readStored("long")).data).toEqual(BigInt64Array.of(0n, 3n, 1n, 4n, 2n, 5n))
      })
    })
  }

  test("a TorchScript archive gives its module's state dictionary", async () => {
    await opened(join(fixtures, "torchscript.pt"), async (checkpoint) => {
      expect(checkpoint.format).toBe("torchscript")
      expect(checkpoint.dtype("scale")).toBe("f16")
      expect(await contents(checkpoint)).toEqual({
        scale: { shape: [], data: [2.5] },
        input_resolution: { shape: [], data: [224] },
        "visual.conv.weight": { shape: [2, 1, 2, 2], data: [0, 1, 2, 3, 4, 5, 6, 7] },
        "visual.norm.weight": { shape: [2], data: [0.5, -1] },
        "visual.norm.bias": { shape: [2], data: [3, 4] },
      })
    })
  })
})

describe("structure", () => {
  const weight = (key: string) => tensor(storage(key, 2), 0, [2], [1])
  const data = { 0: floats(1, 2), 1: floats(3, 4) }

  test("the state dictionary is found under the usual names, nested too", async () => {
    const flat = dict([text("w"), weight("0")], [text("b.c"), weight("1")])
    const cases: [Buffer, string][] = [
      [flat, ""],
      [dict([text("epoch"), int(3)], [text("model"), flat]), "model"],
      [dict([text("optimizer"), dict([int(0), flat])], [text("model_state"), flat]), "model_state"],
      [dict([text("state_dict"), dict([text("module"), flat])]), "state_dict.module"],
    ]
    for (const [root, section] of cases) {
      for (const file of [torchFile(root, data), legacyFile(root, data), torchFile(root, data, true)]) {
        await opened(file, async (checkpoint) => {
          expect(checkpoint.section).toBe(section)
          expect(await contents(checkpoint)).toEqual({
            w: { shape: [2], data: [1, 2] },
            "b.c": { shape: [2], data: [3, 4] },
          })
        })
      }
    }
  })

  test("a section can be named; an unknown one lists those that are there", async () => {
    const root = dict(
      [text("model"), dict([text("w"), weight("0")])],
      [text("model_ema"), dict([text("w"), weight("1")])],
    )
    const file = torchFile(root, data)
    expect(await opened(file, (checkpoint) => checkpoint.read("w"))).toEqual(Float32Array.of(1, 2))
    const options = { section: "model_ema" }
    expect(await opened(file, (checkpoint) => checkpoint.read("w"), options)).toEqual(Float32Array.of(3, 4))
    await expect(opened(file, () => {}, { section: "ema" })).rejects.toThrow("model, model_ema")
    await expect(opened(torchFile(dict([text("epoch"), int(3)])), () => {})).rejects.toThrow("no tensors found")
  })

  test("wrappers' prefixes go when all names have them; others on demand", async () => {
    const keys = (names: string[], options?: CheckpointOptions) => {
      const pairs = names.map((name): [Buffer, Buffer] => [text(name), weight("0")])
      return opened(torchFile(dict(...pairs), data), (checkpoint) => checkpoint.keys, options)
    }
    expect(await keys(["module.a", "module.b.c"])).toEqual(["a", "b.c"])
    expect(await keys(["_orig_mod.module.a"])).toEqual(["a"])
    expect(await keys(["module.a", "b"])).toEqual(["module.a", "b"])
    const options = { prefix: "visual." }
    expect(await keys(["module.visual.a", "module.text.b"], options)).toEqual(["a"])
    await expect(keys(["image.a"], options)).rejects.toThrow("names that begin with image")
  })

  test("parameters, ordered dictionaries with metadata and nested containers are read", async () => {
    const ordered = reduce(global("collections", "OrderedDict"))
    const parameter = reduce(global("torch._utils", "_rebuild_parameter"), weight("0"), bytes(0x88), ordered)
    const root = bytes(
      reduce(global("collections", "OrderedDict")),
      bytes("(", text("p"), parameter, text("parts"), dict([text("x"), weight("1")]), "u"),
      bytes(dict([text("_metadata"), ordered]), "b"),
    )
    expect(await opened(torchFile(root, data), (checkpoint) => checkpoint.keys)).toEqual(["p", "parts.x"])
  })

  test("tensors of two dictionaries that get one name are an error", async () => {
    const root = dict([text("a.b"), weight("0")], [text("a"), dict([text("b"), weight("1")])])
    await expect(opened(torchFile(root, data), () => {})).rejects.toThrow("two tensors named a.b")
  })

  test("a large transposed tensor is gathered window by window", async () => {
    const [rows, columns] = [700, 900]
    const values = Float32Array.from({ length: rows * columns }, (_, i) => i)
    const root = dict([text("w"), tensor(storage("0", values.length), 0, [columns, rows], [1, columns])])
    const file = torchFile(root, { 0: Buffer.from(values.buffer) })
    const read = await opened(file, (checkpoint) => checkpoint.read("w"))
    expect(read.every((value, i) => value === (i % rows) * columns + Math.floor(i / rows))).toBe(true)
  })

  test("safetensors open the same way", async () => {
    const path = join(folder, "a.safetensors")
    await writeSafetensors(path, [{ name: "module.w", type: "f32", shape: [2], data: Float32Array.of(5, 6) }])
    await opened(path, async (checkpoint) => {
      expect([checkpoint.format, checkpoint.keys, checkpoint.has("w")]).toEqual(["safetensors", ["w"], true])
      expect(checkpoint.shapes).toEqual(new Map([["w", [2]]]))
      expect(await checkpoint.read("w")).toEqual(Float32Array.of(5, 6))
      await expect(checkpoint.read("v")).rejects.toThrow("no tensor named module.v")
    })
    await expect(opened(path, () => {}, { section: "model" })).rejects.toThrow("no section named model")
  })
})

const names = fixtureNames()

describe.skipIf(names.length === 0)("reference models", () => {
  /** Names in checkpoint.pth -> names in weights.safetensors, where the fixture's authors renamed them. */
  const renamed: Record<string, (name: string) => string> = {
    deit3_timm: (name) => name.replace(/gamma_(\d)$/, "ls$1.gamma"),
    videoclip_bert: (name) => name.replace(/^mmmodel\./, ""),
  }
  /** Where the same tensors are in files that hold others, too. */
  const parts: Record<string, { pth: CheckpointOptions; safe: CheckpointOptions }> = {
    vjepa2: { pth: { section: "target_encoder", prefix: "backbone." }, safe: { prefix: "encoder." } },
    vjepa21: { pth: { section: "ema_encoder", prefix: "backbone." }, safe: {} },
  }
  for (const name of names.filter((name) => existsSync(join(PARITY, name, "checkpoint.pth")))) {
    test(`${name}: checkpoint.pth and weights.safetensors hold the same tensors`, async () => {
      const pth = await openCheckpoint(join(PARITY, name, "checkpoint.pth"), parts[name]?.pth)
      const safe = await openCheckpoint(join(PARITY, name, "weights.safetensors"), parts[name]?.safe)
      const rename = renamed[name] ?? ((key: string) => key)
      const keys = pth.keys.filter((key) => name !== "vjepa2" || key !== "pos_embed") // of no use with rotary positions
      expect(keys.map(rename).toSorted()).toEqual(safe.keys.toSorted())
      for (const key of keys) {
        expect(pth.dtype(key)).toBe(safe.dtype(rename(key)))
        expect(pth.shape(key)).toEqual(safe.shape(rename(key)))
        const [a, b] = [await pth.read(key), await safe.read(rename(key))]
        expect(Buffer.from(a.buffer).equals(Buffer.from(b.buffer)), key).toBe(true)
      }
      await pth.close()
      await safe.close()
    })
  }
})
