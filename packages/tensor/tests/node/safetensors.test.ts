/** safetensors files: round trips of every element type, data on demand, and headers that do not fit are refused. */

import { readdirSync } from "node:fs"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hasShared, shared } from "../../../../tests/shared.ts"
import { FourtierError } from "../../src/errors.ts"
import { floatToHalf } from "../../src/half.ts"
import { matchWeights } from "../../src/nn/match-weights.ts"
import { Safetensors, type TensorSource, writeSafetensors } from "../../src/node/safetensors.ts"
import { allocateStored, type StoredType, storedBytes } from "../../src/node/stored.ts"
import { Rng } from "../../src/random.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-safetensors-"))
})
afterAll(() => rm(folder, { recursive: true }))

async function raw(header: string | Uint8Array, dataBytes: number, length?: bigint): Promise<string> {
  const text = Buffer.from(header)
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length ?? BigInt(text.length))
  const path = join(folder, "raw.safetensors")
  await writeFile(path, Buffer.concat([prefix, text, Buffer.alloc(dataBytes)]))
  return path
}

async function refusal(path: string): Promise<string> {
  const error: unknown = await Safetensors.open(path).then(
    async (file) => {
      await file.close()
      return "opened"
    },
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(FourtierError)
  return error instanceof Error ? error.message : ""
}

describe("safetensors", () => {
  test("every element type survives a round trip, with odd names and empty tensors", async () => {
    const types = Object.keys(storedBytes).filter((type): type is StoredType => type in storedBytes)
    const sources = types.map(
      (type, i): TensorSource => ({
        name: `tensor.${i} "ü" \\ ${type}`,
        type,
        shape: [2, 3],
        data: allocateStored(type, 6),
      }),
    )
    sources.push({ name: "__proto__", type: "f32", shape: [1], data: Float32Array.of(7) })
    sources.push({ name: "empty", type: "f32", shape: [0, 5], data: new Float32Array(0) })
    sources.push({ name: "scalar", type: "i64", shape: [], data: () => BigInt64Array.of(-5n) })
    const path = join(folder, "all.safetensors")
    await writeSafetensors(path, sources, { format: "pt", note: "läuft" })
    const file = await Safetensors.open(path)
    expect(file.metadata).toEqual({ format: "pt", note: "läuft" })
    expect(file.keys.toSorted()).toEqual(sources.map((source) => source.name).toSorted())
    for (const source of sources) {
      const tensor = await file.read(source.name)
      expect([tensor.type, tensor.shape]).toEqual([source.type, source.shape])
      expect(file.entry(source.name).offset % storedBytes[source.type]).toBe(0)
      if (typeof source.data !== "function") expect(tensor.data).toEqual(source.data)
    }
    expect(await file.readFloat32("scalar")).toEqual(Float32Array.of(-5))
    expect(() => file.entry("absent")).toThrow("no tensor named absent")
    await file.close()
    expect((await readdir(folder)).filter((name) => name.includes("tmp"))).toEqual([])
  })

  test("16-bit floats, wide numbers and bools become float32", async () => {
    const path = join(folder, "kinds.safetensors")
    const values = Float32Array.of(1.5, -2, 0)
    await writeSafetensors(path, [
      { name: "half", type: "f16", shape: [3], data: floatToHalf(values) },
      { name: "brain", type: "bf16", shape: [3], data: Uint16Array.of(0x3fc0, 0xc000, 0) },
      { name: "double", type: "f64", shape: [3], data: Float64Array.from(values) },
      { name: "bool", type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
      { name: "u64", type: "u64", shape: [1], data: BigUint64Array.of(2n ** 63n) },
    ])
    const file = await Safetensors.open(path)
    for (const name of ["half", "brain", "double"]) expect(await file.readFloat32(name)).toEqual(values)
    expect(await file.readFloat32("bool")).toEqual(Float32Array.of(1, 0, 1))
    expect(await file.readFloat32("u64")).toEqual(Float32Array.of(2 ** 63))
    await file.close()
  })

  test("a failed write leaves the old file as it was", async () => {
    const path = join(folder, "kept.safetensors")
    await writeSafetensors(path, [{ name: "a", type: "u8", shape: [1], data: Uint8Array.of(1) }])
    const before = await readFile(path)
    const bad: TensorSource[][] = [
      [{ name: "a", type: "f32", shape: [2], data: new Float32Array(3) }],
      [{ name: "a", type: "f32", shape: [2], data: new Float64Array(2) }],
      [1, 2].map(() => ({ name: "a", type: "u8", shape: [1], data: Uint8Array.of(1) })),
      [{ name: "__metadata__", type: "u8", shape: [1], data: Uint8Array.of(1) }],
    ]
    for (const tensors of bad) await expect(writeSafetensors(path, tensors)).rejects.toThrow(FourtierError)
    expect(await readFile(path)).toEqual(before)
    expect((await readdir(folder)).filter((name) => name.includes("tmp"))).toEqual([])
  })

  test("headers that lie are refused", async () => {
    const entry = (begin: number, end: number, shape = "[1]", dtype = "F32") =>
      `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`
    const cases: [string, number, string][] = [
      [`{"a":${entry(0, 4)},"b":${entry(0, 4)}}`, 4, "overlap"],
      [`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12, "gap"],
      [`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4, "twice"],
      [`{"a":${entry(0, 4)},"\\u0061":${entry(4, 8)}}`, 8, "twice"],
      [`{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}`, 4, "twice"],
      [`{"a":${entry(0, 4)}}`, 8, "do not fill"],
      [`{"a":${entry(0, 8)}}`, 4, "do not fit"],
      [`{"a":${entry(0, 8, "[2]")}}`, 4, "do not fill"],
      [`{"a":${entry(4, 0)}}`, 4, "do not fit"],
      [`{"a":${entry(0, 4, "[-1]")}}`, 4, "malformed"],
      [`{"a":${entry(0, 4, "[0.5]")}}`, 4, "malformed"],
      [`{"a":${entry(0, 4, "[4294967296,4294967296,4294967296]")}}`, 4, "do not fit"],
      [`{"a":${entry(0, 1, "[1]", "F8_E4M3")}}`, 1, "F8_E4M3"],
      [`{"a":{"dtype":"F32","shape":[1]}}`, 4, "malformed"],
      [`{"a":1}`, 0, "malformed"],
      [`{"__metadata__":{"a":1}}`, 0, "__metadata__"],
      ["[]", 0, "no object"],
      ["null", 0, "no object"],
      ["{", 0, "not JSON"],
      ["", 0, "not JSON"],
      ["[".repeat(100_000), 0, "not JSON"],
    ]
    for (const [header, bytes, message] of cases) {
      expect(await refusal(await raw(header, bytes)), header.slice(0, 100)).toContain(message)
    }
    expect(await refusal(await raw("{}", 0, 2n ** 63n))).toContain("longer than the file")
    expect(await refusal(await raw("{}", 0, 3n))).toContain("longer than the file")
    expect(await refusal(await raw(Uint8Array.of(0x7b, 0xff, 0x7d), 0))).toContain("not JSON")
    await writeFile(join(folder, "void"), "")
    expect(await refusal(join(folder, "void"))).toContain("too early")
    expect(await refusal(join(folder, "absent"))).toContain("no such file")
  })

  test("mutated files end in a clear error or are read", async () => {
    const rng = new Rng("safetensors mutation")
    const path = join(folder, "mutated.safetensors")
    await writeSafetensors(path, [
      { name: "a", type: "f32", shape: [2, 2], data: new Float32Array(4) },
      { name: "b", type: "f16", shape: [3], data: new Uint16Array(3) },
    ])
    const bytes = await readFile(path)
    for (let round = 0; round < 300; round++) {
      const copy = Buffer.from(bytes)
      for (let n = rng.int(3); n >= 0; n--) copy[rng.int(copy.length)] = rng.int(256)
      await writeFile(path, copy.subarray(0, rng.int(4) ? copy.length : rng.int(copy.length)))
      try {
        const file = await Safetensors.open(path)
        for (const key of file.keys) await file.readFloat32(key)
        await file.close()
      } catch (error) {
        expect(error).toBeInstanceOf(FourtierError)
      }
    }
  })
})

const parity = shared("parity")

describe.skipIf(!hasShared("files of the reference implementation", "parity"))(
  "files of the reference implementation",
  () => {
    test("are read whole", async () => {
      for (const name of readdirSync(parity)) {
        const file = await Safetensors.open(join(parity, name, "weights.safetensors"))
        expect(file.keys.length).toBeGreaterThan(10)
        for (const key of file.keys) {
          const values = await file.readFloat32(key)
          expect(values.every(Number.isFinite), key).toBe(true)
        }
        await file.close()
      }
    })
  },
)

describe("matching weights", () => {
  const expected = new Map([
    ["head.weight", [6, 4]],
    ["body.weight", [4, 4]],
    ["body.bias", [4]],
  ])

  test("equal names and shapes match", () => {
    expect(matchWeights(expected, expected)).toEqual({
      matched: ["body.bias", "body.weight", "head.weight"],
      missing: [],
      extra: [],
    })
  })

  test("missing, extra and mis-shaped keys are listed together, with a hint", () => {
    const found = new Map([
      ["module.body.weight", [4, 4]],
      ["body.bias", [5]],
      ["head.weight", [6, 4]],
    ])
    expect(() => matchWeights(expected, found, { where: "x.pth" })).toThrow(
      /^x\.pth: weights do not match.*1 that match.*missing \(1\):.*body\.weight \(is it module\.body\.weight\?\).*extra \(1\):.*module\.body\.weight.*mis-shaped \(1\):.*body\.bias: expected \[4\], found \[5\]/s,
    )
  })

  test("names that all have something before them are mended by a prefix, which is told", () => {
    const prefixed = (prefix: string) => new Map([...expected].map(([name, shape]) => [prefix + name, shape]))
    const found = new Map([...prefixed("net.body."), ...prefixed("ema."), ["loss.w", [1]]])
    expect(() => matchWeights(expected, prefixed("net.body."))).toThrow(
      /have net\.body\. before them: set the prefix to/,
    )
    expect(() => matchWeights(expected, found)).toThrow("set the prefix to ema. or net.body.")
    expect(() => matchWeights(expected, new Map([["ema.body.bias", [4]]]))).toThrow("check that the checkpoint belongs")
  })

  test("keys may be absent or left over only where allowed", () => {
    const found = new Map([...expected, ["optimizer.step", []]])
    found.delete("head.weight")
    const options = {
      allowMissing: (name: string) => name.startsWith("head."),
      allowExtra: (name: string) => name.startsWith("optimizer."),
    }
    expect(matchWeights(expected, found, options)).toEqual({
      matched: ["body.bias", "body.weight"],
      missing: ["head.weight"],
      extra: ["optimizer.step"],
    })
    expect(() => matchWeights(expected, found, { allowMissing: options.allowMissing })).toThrow("extra (1)")
  })

  test("long lists are cut, with their true length", () => {
    const many = new Map(Array.from({ length: 50 }, (_, i) => [`w${i}`, [1]]))
    expect(() => matchWeights(many, new Map())).toThrow(/missing \(50\).*and 30 more/s)
  })
})
