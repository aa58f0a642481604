/** `.npy` files: NumPy reads and writes the same, a crash loses only unflushed records, broken files are refused. */

import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { FourtierError } from "../../src/errors.ts"
import { NpyReader, NpyWriter, readNpy, writeNpy } from "../../src/node/npy.ts"
import type { NpyType } from "../../src/node/npy-header.ts"
import { allocateStored, bytesOf } from "../../src/node/stored.ts"
import { Rng } from "../../src/random.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-npy-"))
})
afterAll(() => rm(folder, { recursive: true }))

/** A file as NumPy writes it: the given header text, padded to 64 bytes, and the data. */
async function handMade(name: string, header: string, data: Uint8Array, version = 1): Promise<string> {
  const prefix = version === 1 ? 10 : 12
  const padded = `${header.padEnd(Math.ceil((header.length + prefix + 1) / 64) * 64 - prefix - 1)}\n`
  const bytes = Buffer.alloc(prefix + padded.length)
  bytes.write("\u0093NUMPY", 0, "latin1")
  bytes[6] = version
  if (version === 1) bytes.writeUInt16LE(padded.length, 8)
  else bytes.writeUInt32LE(padded.length, 8)
  bytes.write(padded, prefix, "latin1")
  const path = join(folder, name)
  await writeFile(path, Buffer.concat([bytes, data]))
  return path
}

describe("whole arrays", () => {
  test("every element type survives a round trip", async () => {
    const types: NpyType[] = ["f64", "f32", "f16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bool"]
    for (const type of types) {
      const data = allocateStored(type, 6)
      bytesOf(data).forEach((_, i, bytes) => {
        bytes[i] = type === "bool" ? i & 1 : (i * 37) & 127
      })
      const path = join(folder, `${type}.npy`)
      await writeNpy(path, type, [2, 3], data)
      const back = await readNpy(path)
      expect(back).toEqual({ type, shape: [2, 3], data })
    }
  })

  test("the bytes are those of numpy.save", async () => {
    const path = join(folder, "exact.npy")
    await writeNpy(path, "f32", [2], Float32Array.of(1, 2))
    const bytes = await readFile(path)
    expect(bytes.subarray(0, 10).toString("latin1")).toBe("\u0093NUMPY\u0001\u0000v\u0000")
    expect(bytes.toString("latin1", 10, 128)).toBe(
      `${"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".padEnd(117)}\n`,
    )
    expect(bytes.length).toBe(136)
  })

  test("scalars, empty arrays, many axes and versions 2 and 3 are read", async () => {
    const one = Buffer.from(Float64Array.of(2.5).buffer)
    const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }"
    for (const version of [1, 2, 3]) {
      const path = await handMade(`scalar${version}.npy`, header, one, version)
      expect(await readNpy(path)).toEqual({ type: "f64", shape: [], data: Float64Array.of(2.5) })
    }
    const empty = join(folder, "empty.npy")
    await writeNpy(empty, "i64", [0, 4], new BigInt64Array(0))
    expect((await readNpy(empty, "i64")).shape).toEqual([0, 4])
    const deep = join(folder, "deep.npy")
    await writeNpy(deep, "u8", new Array(30).fill(1), Uint8Array.of(7))
    expect((await readNpy(deep)).shape).toHaveLength(30)
  })

  test("arrays that cannot be read say why", async () => {
    const data = new Uint8Array(64)
    const cases: [string, string][] = [
      ["{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "Fortran"],
      ["{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2), }", ">f4"],
      ["{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }", "<U4"],
      ["{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "|O"],
      ["{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "named fields"],
      ["{'descr': '<f4', 'fortran_order': False, 'shape': (2 2), }", "shape"],
      ["{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999, 9), }", "shape"],
      ["{'descr': '<f4', 'fortran_order': False, 'shape': (17,), }", "too early"],
      ["{'descr': '<f4', 'shape': (2,), }", "malformed"],
      ["", "malformed"],
    ]
    for (const [header, message] of cases) {
      const path = await handMade("bad.npy", header, data)
      await expect(readNpy(path), header).rejects.toThrow(message)
      await expect(readNpy(path), header).rejects.toThrow(FourtierError)
    }
    await writeFile(join(folder, "text.npy"), "not an array, but text")
    await expect(readNpy(join(folder, "text.npy"))).rejects.toThrow("not a .npy file")
    await writeFile(join(folder, "void.npy"), "")
    await expect(readNpy(join(folder, "void.npy"))).rejects.toThrow("too early")
    await expect(readNpy(join(folder, "absent.npy"))).rejects.toThrow("no such file")
    await expect(readNpy(join(folder, "f32.npy"), "f16")).rejects.toThrow("expected: f16")
    await expect(writeNpy(join(folder, "x.npy"), "f32", [3], new Float32Array(2))).rejects.toThrow("3 elements")
  })

  test("mutated headers end in a clear error or an array, never in a crash", async () => {
    const rng = new Rng("npy mutation")
    const path = join(folder, "mutated.npy")
    await writeNpy(path, "f32", [4, 4], new Float32Array(16))
    const bytes = await readFile(path)
    for (let round = 0; round < 300; round++) {
      const copy = Buffer.from(bytes)
      for (let n = rng.int(3); n >= 0; n--) copy[rng.int(80)] = rng.int(256)
      await writeFile(path, copy.subarray(0, rng.int(4) ? copy.length : rng.int(copy.length)))
      await readNpy(path).catch((error) => expect(error).toBeInstanceOf(FourtierError))
    }
  })
})

describe("records", () => {
  test("records are read by index and range, at once", async () => {
    const path = join(folder, "records.npy")
    const writer = await NpyWriter.open(path, "u16", [2, 2])
    expect(await writer.append(Uint16Array.of(0, 1, 2, 3))).toBe(0)
    expect(await writer.append(Uint16Array.from({ length: 8 }, (_, i) => 4 + i))).toBe(1)
    await expect(writer.append(Uint16Array.of(1, 2, 3))).rejects.toThrow("does not fit")
    await writer.close()
    const reader = await NpyReader.open(path, "u16")
    expect([reader.count, reader.recordLength, reader.shape]).toEqual([3, 4, [3, 2, 2]])
    const all = await Promise.all([2, 0, 1].map((i) => reader.read(i)))
    expect(all.map((record) => record[0])).toEqual([8, 0, 4])
    const into = new Uint16Array(8)
    expect(await reader.readRange(1, 3, into)).toBe(into)
    expect([...into]).toEqual([4, 5, 6, 7, 8, 9, 10, 11])
    await expect(reader.read(3)).rejects.toThrow("no such records")
    await expect(reader.read(0, new Uint16Array(3))).rejects.toThrow("does not fit")
    await reader.close()
    await expect(NpyReader.open(path, "f32")).rejects.toThrow("other element type")
    await expect(NpyReader.open(join(folder, "scalar1.npy"))).rejects.toThrow("scalar")
  })

  test("after a crash the flushed records are there and writing continues", async () => {
    const path = join(folder, "crash.npy")
    const writer = await NpyWriter.open(path, "f32", [3])
    await writer.append(Float32Array.of(1, 2, 3))
    await writer.flush()
    await writer.append(Float32Array.of(4, 5, 6))
    // The process ends here, in the middle of a third record.
    await appendFile(path, Uint8Array.of(1, 2, 3, 4, 5))
    expect(await readNpy(path, "f32")).toMatchObject({ shape: [1, 3], data: Float32Array.of(1, 2, 3) })
    const again = await NpyWriter.open(path, "f32", [3])
    expect(again.count).toBe(1)
    await again.append(Float32Array.of(7, 8, 9))
    await again.close()
    expect(await readNpy(path, "f32")).toMatchObject({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 7, 8, 9) })
    expect((await stat(path)).size).toBe(128 + 24)
    await writer.close()
  })

  test("a file of other records, a foreign file or one cut short is not written over", async () => {
    const path = join(folder, "other.npy")
    await writeNpy(path, "f32", [2, 3], new Float32Array(6))
    await expect(NpyWriter.open(path, "f32", [2])).rejects.toThrow("other records")
    await expect(NpyWriter.open(path, "f16", [3])).rejects.toThrow("other records")
    expect((await stat(path)).size).toBe(128 + 24)
    await truncate(path, 140)
    await expect(NpyWriter.open(path, "f32", [3])).rejects.toThrow("too early")
    await writeFile(path, "a poem")
    await expect(NpyWriter.open(path, "f32", [3])).rejects.toThrow(FourtierError)
    expect(await readFile(path, "utf8")).toBe("a poem")
  })
})
