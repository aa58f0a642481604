/**
 * Protects the promise that a family of networks is one object and one entry in the list: with `toy-family.ts` in the list,
 * `fourtier encode`, the setting `encoder` and the frozen encoder know it. Protects what reading settings loads, too.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { readNpy, writeJson, writeNpy, writeSafetensors } from "@fourtier/tensor/node"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { scratchFolder } from "../video/fixtures.ts"

const folder = scratchFolder()

/** Two pictures of 8×8 pixels, 0 to 255, as a clip [2,8,8,3]. */
const pixels = Float32Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256)

const SIZES = { encoder: "toy", side: 8, patch: 4, width: 5, classes: 2 }

/** The parameters, and what a checkpoint of them looks like. */
const PARAMETERS = [
  { name: "proj.weight", shape: [5, 3, 4, 4] },
  { name: "proj.bias", shape: [5] },
  { name: "head.weight", shape: [2, 5] },
  { name: "head.bias", shape: [2] },
].map(({ name, shape }, n) => {
  const length = shape.reduce((a, b) => a * b)
  return { name, shape, data: Float32Array.from({ length }, (_, i) => Math.sin(n + i)) }
})

const checkpoint = join(folder, "toy.safetensors")

/** What the network computes from `pixels`, by hand: tokens [2,4,5] and logits [2,4,2]. */
function expectedOutputs(): { tokens: number[]; logits: number[] } {
  const [projection, bias, head, headBias] = PARAMETERS.map(({ data }) => data)
  const tokens: number[] = []
  const logits: number[] = []
  for (let picture = 0; picture < 2; picture++) {
    for (let patch = 0; patch < 4; patch++) {
      const token = Array.from(bias, (offset, d) => {
        let sum = offset
        for (let c = 0; c < 3; c++) {
          for (let place = 0; place < 16; place++) {
            const row = 4 * Math.floor(patch / 2) + Math.floor(place / 4)
            const column = 4 * (patch % 2) + (place % 4)
            sum += (projection[(d * 3 + c) * 16 + place] * pixels[((picture * 8 + row) * 8 + column) * 3 + c]) / 255
          }
        }
        return sum
      })
      tokens.push(...token)
      for (const [k, offset] of headBias.entries()) {
        logits.push(token.reduce((sum, value, d) => sum + value * head[k * 5 + d], offset))
      }
    }
  }
  return { tokens, logits }
}

function expectClose(found: Iterable<number | bigint>, expected: readonly number[]): void {
  const values = Array.from(found, Number)
  expect(values.length).toBe(expected.length)
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i], 4)
}

describe("a family added to the list", () => {
  const LIST = "../../src/encoders/families/index.ts"

  beforeAll(async () => {
    vi.resetModules()
    vi.doMock(LIST, async (original) => {
      const lists = await original<typeof import("../../src/encoders/families/index.ts")>()
      const { toy } = await import("./toy-family.ts")
      const FAMILIES = [...lists.FAMILIES, toy] as const
      return { ...lists, FAMILIES, networkSchema: lists.networkSchemaOf(FAMILIES) }
    })
    const named = PARAMETERS.map((tensor) => ({ ...tensor, name: `net.${tensor.name}`, type: "f32" as const }))
    const steps = { name: "steps", type: "f32" as const, shape: [1], data: Float32Array.of(7) }
    await writeSafetensors(checkpoint, [...named, steps])
  })
  afterAll(() => {
    vi.doUnmock(LIST)
    vi.resetModules()
  })

  it("runs in `fourtier encode`, with a checkpoint of its own names", async () => {
    const { encode } = await import("../../src/cli/actions/encode.ts")
    const [config, input, out] = ["config.json", "input.npy", "out"].map((name) => join(folder, name))
    await writeJson(config, { ...SIZES, colour: "ignored" })
    const normalised = Float32Array.from({ length: pixels.length }, (_, i) => {
      const [picture, channel, place] = [Math.floor(i / 192), Math.floor(i / 64) % 3, i % 64]
      return pixels[(picture * 64 + place) * 3 + channel] / 255
    })
    await writeNpy(input, "f32", [2, 3, 8, 8], normalised)
    // an earlier run left an output that this one does not have; another array is somebody else's
    await writeJson(join(out, "outputs.json"), ["pooled.npy", "tokens.npy", "../input.npy"])
    for (const name of ["pooled.npy", "reference.npy"]) await writeNpy(join(out, name), "f32", [1], Float32Array.of(1))
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true)
    try {
      await encode(config, { checkpoint, input: [input], out })
      expect(written.mock.calls.join("")).toContain("output logits [2,4,2]")
      expect(written.mock.calls.join("")).toContain("also holds reference.npy, which this run does not write")
    } finally {
      written.mockRestore()
    }
    expect(readdirSync(out).toSorted()).toEqual(["logits.npy", "outputs.json", "reference.npy", "tokens.npy"])
    expect(existsSync(input)).toBe(true)
    const { tokens, logits } = expectedOutputs()
    expectClose((await readNpy(join(out, "tokens.npy"), "f32")).data, tokens)
    expectClose((await readNpy(join(out, "logits.npy"), "f32")).data, logits)
  })

  it("names what is wrong with a part of a checkpoint, and with an input, in `fourtier encode`", async () => {
    const { encode } = await import("../../src/cli/actions/encode.ts")
    const [config, input, out] = ["config.json", "broken.npy", "out"].map((name) => join(folder, name))
    await writeJson(config, SIZES)
    const broken = new Float32Array(2 * 3 * 8 * 8).fill(Number.NaN, 64, 66)
    await writeNpy(input, "f32", [2, 3, 8, 8], broken)
    const run = (more: object) => encode(config, { checkpoint, input: [input], out, ...more })
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true)
    try {
      await expect(run({})).rejects.toThrow(/input input: [\s\S]*2 of 384 values, the first NaN at \[0,1,0,0\]/)
      await expect(run({ section: "ema" })).rejects.toThrow(/no section named ema/)
      await expect(run({ prefix: "other." })).rejects.toThrow(/begins with "other\."[\s\S]*net, steps/)
    } finally {
      written.mockRestore()
    }
  })

  it("opens as the frozen encoder of a configuration, in each precision", async () => {
    const { loadConfig } = await import("../../src/config.ts")
    const { openVisualEncoder } = await import("../../src/encoders/catalog.ts")
    const { openEncoder } = await import("../../src/encoders/encoder.ts")
    const set = ["encoder.kind=toy", `encoder.checkpoint=${checkpoint}`, "encoder.frames=2"]
    const { value } = await loadConfig({ set })
    const encoder = await openVisualEncoder(value.encoder)
    expect(encoder).toMatchObject({ name: "toy small", size: { T: 2, H: 2, W: 2, D: 5 } })
    const session = await openEncoder(encoder, 1, {})
    const { m } = await session.run({ frames: pixels })
    await session.release()
    expectClose(m, expectedOutputs().tokens)

    const half = await loadConfig({ set: [...set, "encoder.precision=float16"] })
    expect((await openVisualEncoder(half.value.encoder)).name).toBe("toy small, float16")
  })

  it("has settings of its own kind: other kinds' settings and wrong sizes are refused", async () => {
    const { encoderSchema, openVisualEncoder } = await import("../../src/encoders/catalog.ts")
    expect(() => encoderSchema.parse({ kind: "toy", checkpoint, grid: [2, 2] })).toThrow(/grid/)
    expect(() => encoderSchema.parse({ kind: "toi", checkpoint })).toThrow()
    const open = (more: object) => openVisualEncoder(encoderSchema.parse({ kind: "toy", checkpoint, ...more }))
    await expect(open({ model: "large" })).rejects.toThrow(/no toy of this size[\s\S]*small/)
    await expect(open({ sizes: { width: 0 } })).rejects.toThrow(/not the sizes of a toy[\s\S]*width/)
    await expect(open({ sizes: { side: 4 } })).rejects.toThrow(/resolution of the encoder/)
  })
})

describe("reading settings", () => {
  it("loads no reader of checkpoints, no importer and no file access", () => {
    const { files, packages } = loadedBy(join(import.meta.dirname, "../../src/encoders/catalog.ts"))
    expect(files.filter((path) => /\/(?:open|checkpoint|bench)\/|\/(?:tfjs|large|run)[^/]*$/.test(path))).toEqual([])
    expect(packages).toEqual(["@fourtier/core/model", "@fourtier/tensor", "@fourtier/tensor/nn", "zod"])
  })
})

/** An import of values, or an export from elsewhere; its one group is the module. */
const IMPORT = /^(?:import|export) (?:(?:\w+|\*(?: as \w+)?|\{[^}]*\}) from )?"([^"]+)"/gm

/** The files that importing a module loads, the module included, and the packages that these import. */
function loadedBy(module: string): { files: string[]; packages: string[] } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (path: string) => {
    if (files.has(path)) return
    files.add(path)
    for (const [, from] of readFileSync(path, "utf8").matchAll(IMPORT)) {
      if (from.startsWith(".")) visit(join(path, "..", from))
      else packages.add(from)
    }
  }
  visit(module)
  return { files: [...files], packages: [...packages].sort() }
}
