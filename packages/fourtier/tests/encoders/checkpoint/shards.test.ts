/** Protects checkpoints in several files: read as one, told apart by all their bytes, and nothing outside their folder. */

import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { writeJson, writeSafetensors } from "@fourtier/tensor/node"
import { describe, expect, it } from "vitest"
import { openCheckpoint } from "../../../src/encoders/checkpoint/checkpoint.ts"
import { findWeights } from "../../../src/encoders/checkpoint/source.ts"
import { scratchFolder } from "../../video/fixtures.ts"
import { dict, floats, storage, tensor, text, torchFile } from "./writers.ts"

const folder = scratchFolder()

/** Two files of safetensors and their index; the last number can be chosen. */
async function sharded(name: string, last = 4): Promise<string> {
  const at = join(folder, name)
  await mkdir(at, { recursive: true })
  const write = (file: string, entries: Record<string, number>) =>
    writeSafetensors(
      join(at, file),
      Object.entries(entries).map(([key, value]) => ({
        name: key,
        type: "f32",
        shape: [1],
        data: Float32Array.of(value),
      })),
    )
  await write("model-00001-of-00002.safetensors", { "model.a": 1, "model.b": 2 })
  await write("model-00002-of-00002.safetensors", { "model.c": 3, "model.d": last })
  const weight_map = Object.fromEntries(
    ["a", "b", "c", "d"].map((key, i) => [`model.${key}`, `model-0000${i < 2 ? 1 : 2}-of-00002.safetensors`]),
  )
  const path = join(at, "model.safetensors.index.json")
  await writeJson(path, { metadata: { total_size: 16 }, weight_map })
  return path
}

const open = (path: string) => findWeights(path, "encoder.checkpoint")

describe("a checkpoint in several files", () => {
  it("is read as one, its names treated together", async () => {
    const checkpoint = await openCheckpoint(await sharded("plain"))
    expect([checkpoint.format, ...checkpoint.keys]).toEqual(["safetensors", "a", "b", "c", "d"])
    expect([await checkpoint.read("b"), await checkpoint.read("d")]).toEqual([Float32Array.of(2), Float32Array.of(4)])
    await checkpoint.close()
  })

  it("may be PyTorch files", async () => {
    const weight = (key: string) => tensor(storage(key, 1), 0, [1], [1])
    for (const [i, name] of ["x", "y"].entries()) {
      await writeFile(join(folder, `part-${i}.bin`), torchFile(dict([text(name), weight("0")]), { 0: floats(i + 5) }))
    }
    const path = join(folder, "pytorch_model.bin.index.json")
    await writeJson(path, { weight_map: { x: "part-0.bin", y: "part-1.bin" } })
    const checkpoint = await openCheckpoint(path)
    expect([checkpoint.format, await checkpoint.read("y")]).toEqual(["torch", Float32Array.of(6)])
    await checkpoint.close()
  })

  it("is another one where any of its files is", async () => {
    const identities = [await open(await sharded("one")), await open(await sharded("two", 9))].map((weights) =>
      weights.identity(),
    )
    const [one, two] = await Promise.all(identities)
    expect(one).not.toBe(two)
    expect(await (await open(await sharded("three"))).identity()).toBe(one)
  })

  it("with a file missing, or without a tensor of the index, is an error that names it", async () => {
    const missing = await sharded("missing")
    await rm(join(folder, "missing", "model-00002-of-00002.safetensors"))
    await expect(open(missing)).rejects.toThrow(/files of the checkpoint are missing[\s\S]*no model-00002-of-00002/)
    const lacking = await sharded("lacking")
    await writeJson(lacking, { weight_map: { "model.z": "model-00001-of-00002.safetensors" } })
    await expect(open(lacking)).rejects.toThrow(/model-00001-of-00002\.safetensors: no tensor named model\.z/)
  })

  it("one of the files alone points to the index", async () => {
    const index = await sharded("alone")
    const one = join(folder, "alone", "model-00001-of-00002.safetensors")
    await expect(open(one)).rejects.toThrow(`set encoder.checkpoint to their index, ${index}`)
  })

  it.each(["/etc/hosts", "../secret.bin", "a/../../b.bin", "C:\\x.bin", "other.index.json"])(
    "does not lead to %s",
    async (file) => {
      const path = join(folder, "bad.index.json")
      await writeJson(path, { weight_map: { a: file } })
      await expect(open(path)).rejects.toThrow(/suspicious path/)
    },
  )

  it("is not any JSON", async () => {
    const path = join(folder, "config.json")
    await writeJson(path, { width: 3 })
    await expect(open(path)).rejects.toThrow(/no index of a checkpoint's files/)
  })
})
