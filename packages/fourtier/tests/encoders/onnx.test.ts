/** Protects the encoder `onnx`: any file with patterns of its axes, and errors that say what does not fit. */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeOnnx } from "@fourtier/tensor/node"
import type { ModelProto } from "@fourtier/tensor/onnx"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encoderShapes, openEncoder } from "../../src/encoders/encoder.ts"
import { openOnnx } from "../../src/encoders/open/onnx.ts"
import { onnxSettings } from "../../src/encoders/settings/onnx.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-onnx-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Averages patches of 4×4: x [n,3,8,8] -> y [n,3,2,2], with a free first axis and another producer's operator set. */
async function poolingEncoder(): Promise<string> {
  const ints = (name: string, value: number[]) => ({ name, kind: "ints" as const, value })
  const model: ModelProto = {
    irVersion: 8,
    producerName: "other",
    opsetImport: [{ domain: "", version: 17 }],
    metadataProps: {},
    graph: {
      name: "pool",
      initializers: [],
      valueInfo: [],
      inputs: [{ name: "x", elemType: 1, dims: ["n", 3, 8, 8] }],
      outputs: [{ name: "y", elemType: 1, dims: ["n", 3, 2, 2] }],
      nodes: [
        {
          name: "",
          opType: "AveragePool",
          domain: "",
          inputs: ["x"],
          outputs: ["y"],
          attributes: [ints("kernel_shape", [4, 4]), ints("strides", [4, 4])],
        },
      ],
    },
  }
  const path = join(folder, "pool.onnx")
  await writeOnnx(path, model)
  return path
}

describe("any .onnx file as encoder", () => {
  it("normalises, arranges and joins: m is what the file makes of the frames, for any batch", async () => {
    const config = onnxSettings.parse({
      kind: "onnx",
      path: await poolingEncoder(),
      frames: 2,
      size: 8,
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      mapLayout: "(b t) d h w",
    })
    const encoder = await openOnnx(config)
    expect(encoder.size).toEqual({ T: 2, H: 2, W: 2, D: 3 })
    const session = await openEncoder(encoder, 3, {})
    const [length] = [encoderShapes(encoder, 3).frames.reduce((a, b) => a * b, 1)]
    // every pixel of frame i is 10·i, in all channels
    const frames = Float32Array.from({ length }, (_, i) => 10 * Math.floor(i / (8 * 8 * 3)))
    const { m } = await session.run({ frames })
    await session.release()
    const expected = Array.from({ length: 6 * 4 * 3 }, (_, i) => ((10 * Math.floor(i / 12)) / 255 - 0.5) / 0.25)
    expect([...m].every((value, i) => Math.abs(Number(value) - expected[i]) < 1e-5)).toBe(true)
  })

  it("says what fits when a pattern, a name or the size does not", async () => {
    const path = await poolingEncoder()
    const open = (settings: object) => openOnnx(onnxSettings.parse({ kind: "onnx", path, size: 8, ...settings }))
    await expect(open({ mapLayout: "(b t) n d" })).rejects.toThrow(/mapLayout[\s\S]*4 axes \[8,3,2,2\]/)
    await expect(open({ output: "z" })).rejects.toThrow(/no such output[\s\S]*expected: y/)
    await expect(open({ layout: "b t c h w" })).rejects.toThrow(/does not run[\s\S]*encoder.layout/)
  })
})
