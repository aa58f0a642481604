/** Protects against hostile and damaged checkpoints: nothing is executed, memory is bounded, errors say what is wrong. */

import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FourtierError, Rng } from "@fourtier/tensor"
import { writeSafetensors } from "@fourtier/tensor/node"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openCheckpoint } from "../../../src/encoders/checkpoint/checkpoint.ts"
import {
  archive,
  bytes,
  type Code,
  dict,
  floats,
  global,
  int,
  legacyFile,
  list,
  none,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  torchFile,
  tuple,
  u32,
  u64,
} from "./writers.ts"

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-hostile-"))
  path = join(folder, "hostile.pt")
})
afterAll(() => rm(folder, { recursive: true }))

/** Opens the file and reads all it holds. @returns the error's message, or "read" */
async function outcome(content?: Uint8Array): Promise<string> {
  if (content) await writeFile(path, content)
  try {
    const checkpoint = await openCheckpoint(path)
    try {
      for (const key of checkpoint.keys) await checkpoint.read(key)
    } finally {
      await checkpoint.close()
    }
    return "read"
  } catch (error) {
    expect(error).toBeInstanceOf(FourtierError)
    return error instanceof Error ? error.message : ""
  }
}

/** The outcome of a root object in both forms of file, which must agree. */
async function both(root: Code, storages: Record<string, Buffer> = {}): Promise<string> {
  const zip = await outcome(torchFile(root, storages))
  const legacy = await outcome(legacyFile(root, storages))
  expect(legacy === "read").toBe(zip === "read")
  return zip
}

const weight = tensor(storage("0", 2), 0, [2], [1])
const data = { 0: floats(1, 2) }

describe("pickles that want code to run", () => {
  test("callables that no checkpoint needs are refused by name, however they are dressed", async () => {
    const marker = join(folder, "executed")
    const command = text(`touch ${marker}`)
    const system = global("os", "system")
    const cases: [Code, string][] = [
      [reduce(system, command), "os.system"],
      [reduce(global("posix", "system"), command), "posix.system"],
      [reduce(global("builtins", "eval"), text("1")), "builtins.eval"],
      [reduce(global("__builtin__", "exec"), text("1")), "__builtin__.exec"],
      [reduce(global("builtins", "getattr"), text("a"), text("b")), "builtins.getattr"],
      [reduce(global("builtins", "__import__"), text("os")), "builtins.__import__"],
      [reduce(global("subprocess", "Popen"), text("ls")), "subprocess.Popen"],
      [reduce(global("torch", "load"), text("x")), "torch.load"],
      [reduce(global("torch.hub", "load"), text("x")), "torch.hub.load"],
      [reduce(global("torch._utils", "_rebuild_sparse_tensor"), none), "_rebuild_sparse_tensor"],
      // The same by other instructions.
      [bytes(text("os"), text("system"), 0x93, tuple(command), "R"), "os.system"],
      [bytes(0x8c, 2, "os", 0x8c, 6, "system", 0x93, tuple(command), 0x81), "os.system"],
      [bytes("(", command, "ios\nsystem\n"), "os.system"],
      [bytes("(", system, command, "o"), "os.system"],
      [bytes(tuple(), dict(), "cos\nsystem\n", 0x92), "os.system"],
      // Dotted names reach into modules.
      [reduce(global("torch", "serialization.os.system"), command), "torch.serialization.os.system"],
      [reduce(global("collections", "OrderedDict.fromkeys"), command), "fromkeys"],
      // Hidden in what is otherwise fine.
      [dict([text("w"), weight], [text("x"), list(reduce(system, command))]), "os.system"],
      [reduce(global("collections", "OrderedDict"), list(list(text("k"), reduce(system, command)))), "os.system"],
      [tensor(reduce(system, command), 0, [1], [1]), "os.system"],
      [
        reduce(
          global("torch._tensor", "_rebuild_from_type_v2"),
          system,
          global("torch", "Tensor"),
          tuple(command),
          none,
        ),
        "os.system",
      ],
      [bytes(dict(), dict([text("__reduce__"), system]), "b"), "os.system"],
      // Extension codes, buffers and references to things outside.
      [bytes(0x82, 1), "EXT1"],
      [bytes(0x97), "NEXT_BUFFER"],
      [bytes("Pthe-outside\n"), "PERSID"],
      [bytes(tuple(text("module"), text("x")), "Q"), "refers to something outside"],
    ]
    for (const [code, name] of cases) expect(await both(code, data), name).toContain(name)
    expect(existsSync(marker)).toBe(false)
  })

  test("names on the list do no more than they may", async () => {
    const cases: [Code, string][] = [
      [reduce(global("torch", "FloatStorage"), int(9)), "torch.FloatStorage"],
      [reduce(text("os.system"), text("ls")), "os.system"],
      [
        reduce(
          global("torch._tensor", "_rebuild_from_type_v2"),
          global("torch._tensor", "_rebuild_from_type_v2"),
          none,
          tuple(),
        ),
        "nests a call",
      ],
      [bytes(global("argparse", "Namespace"), dict([text("a"), none]), "b"), "argparse.Namespace"],
      [reduce(global("torch._utils", "_rebuild_tensor_v2"), none), "without a storage"],
      [reduce(global("torch._utils", "_rebuild_parameter")), "no arguments"],
    ]
    for (const [code, message] of cases) expect(await both(code)).toContain(message)
    // Training settings are kept as data: no behaviour, no effect on the weights beside them.
    const settings = bytes(global("argparse", "Namespace"), ")", 0x81, dict([text("lr"), int(1)]), "b")
    expect(await both(dict([text("model"), dict([text("w"), weight])], [text("args"), settings]), data)).toBe("read")
  })
})

describe("data that lie about themselves", () => {
  test("tensors outside their storage, or far larger than it, are refused", async () => {
    const two = storage("0", 2)
    const make = (code: Code) => both(dict([text("w"), code]), data)
    expect(await make(tensor(two, 0, [2], [1]))).toBe("read")
    expect(await make(tensor(two, 1, [2], [1]))).toContain("in a storage of 2 elements")
    expect(await make(tensor(two, 0, [2], [2]))).toContain("in a storage of 2 elements")
    expect(await make(tensor(two, 0, [2 ** 52], [1]))).toContain("in a storage of 2 elements")
    expect(await make(tensor(two, 0, [2 ** 40], [0]))).toContain("far larger")
    expect(await make(tensor(two, 0, [2 ** 20, 2 ** 20, 2 ** 20], [0, 0, 0]))).toContain("far larger")
    expect(await make(tensor(two, 0, [2, 2], [1]))).toContain("strides")
    expect(await make(tensor(two, 0, [-1], [1]))).toContain("tensor shape -1")
    expect(await make(tensor(two, -1, [1], [1]))).toContain("tensor offset -1")
    expect(await make(tensor(two, 0, [1], [-1]))).toContain("tensor strides -1")
    expect(await make(tensor(two, 0, new Array(40).fill(1), new Array(40).fill(1)))).toContain("strides")
    expect(await make(tensor(storage("0", 3), 0, [1], [1]))).toContain("storage 0")
    expect(await make(tensor(storage("9", 2), 0, [1], [1]))).toContain("storage")
    expect(await make(tensor(storage("../data.pkl", 2), 0, [1], [1]))).toContain("storage")
    expect(await make(tensor(storage("0", 2, "ComplexFloatStorage"), 0, [1], [1]))).toContain("ComplexFloatStorage")
  })

  test("huge lengths, endless memos and endless structures end at once", async () => {
    const cases: [Code, string][] = [
      [bytes("X", u32(0xffffffff), "a"), "end of the data"],
      [bytes(0x8d, u64(2n ** 63n), "a"), "end of the data"],
      [bytes("B", u32(0x7fffffff)), "end of the data"],
      [bytes(0x8b, u32(0x7fffffff)), "huge number"],
      [bytes(0x8a, 255, "\u0001".repeat(20)), "end of the data"],
      [bytes("I", "9".repeat(5000), "\n"), "the number"],
      [bytes("j", u32(0xffffffff)), "recalls value 4294967295"],
      [bytes("e"), "without a mark"],
      [bytes("R"), "not there"],
      [bytes("}(", text("k"), "u"), "key without a value"],
      [bytes(0xff), "unknown pickle instruction 0xff"],
      [bytes(0x80, 9), "protocol 9"],
      [Buffer.alloc(0), "not there"],
    ]
    for (const [code, message] of cases) expect(await outcome(torchFile(code))).toContain(message)
    // A list that holds itself, and one whose copies double sixty times.
    expect(await both(bytes("]q", 0, "h", 0, "a"))).toContain("endlessly nested")
    let doubling = bytes("]q", 0)
    for (let i = 1; i < 60; i++) doubling = bytes(doubling, "0](h", i - 1, "h", i - 1, "eq", i)
    expect(await both(doubling)).toContain("endlessly nested")
    // As many objects as fit.
    expect(await outcome(torchFile(Buffer.alloc(3_000_000, "]")))).toContain("too many instructions")
    expect(await outcome(torchFile(bytes("(".repeat(100_000), Buffer.alloc(100_000, "t"))))).toContain("nested")
  })

  test("archives that are bombs, overlap or play with paths are refused", async () => {
    const root = { name: "archive/data.pkl", data: pickle(dict([text("w"), weight])) }
    const good = { name: "archive/data/0", data: data[0] }
    expect(await outcome(archive([root, good]))).toBe("read")
    const cases: [Uint8Array, string][] = [
      [archive([{ ...root, deflate: true }, good]), "compressed"],
      [archive([root, { name: "archive/data/0", data: Buffer.alloc(8), deflate: true }]), "storage 0 of"],
      [archive([root, { ...good, length: 0xfffffff0 }]), "outside the archive"],
      [archive([root, { ...good, length: 2 ** 45 }], true), "outside the archive"],
      [archive([root, { ...good, header: 0 }]), "overlap"],
      [archive([root, { ...good, header: 0x7fffffff }]), "outside the archive"],
      [archive([root, good, good]), "two archive entries"],
      [archive([root, good, { name: "archive/../../x", data: data[0] }]), "suspicious path"],
      [archive([root, good, { name: "/etc/passwd", data: data[0] }]), "suspicious path"],
      [archive([root, good, { name: "a\\..\\b", data: data[0] }]), "suspicious path"],
      [archive([root, good, { name: "C:x", data: data[0] }]), "suspicious path"],
      [archive([root, good, { name: "other/data.pkl", data: root.data }]), "2 data.pkl"],
      [archive([good]), "0 data.pkl"],
      [archive([root, good]).subarray(0, 100), "without its directory"],
      [archive([root, good, { name: "archive/byteorder", data: Buffer.from("big") }]), "big-endian"],
    ]
    for (const [file, message] of cases) expect(await outcome(file)).toContain(message)
    const damaged = archive([root, good])
    damaged[damaged.indexOf(data[0])] ^= 1
    expect(await outcome(damaged)).toContain("checksum")
    const checkpoint = await openCheckpoint(path, { verify: false })
    expect(await checkpoint.read("w")).toHaveLength(2)
    await checkpoint.close()
  })

  test("files that are something else say what", async () => {
    expect(await outcome(Buffer.alloc(0))).toContain("an empty file")
    expect(await outcome(Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"))).toContain(
      "Git LFS",
    )
    expect(await outcome(Buffer.from("<!DOCTYPE html><html>not found</html>"))).toContain("web page")
    expect(await outcome(Buffer.from("weights"))).toContain("unknown checkpoint format")
    await rm(path)
    expect(await outcome()).toContain("no such file")
  })
})

describe("500 mutated files", () => {
  test("each is read or ends in a clear error, within seconds", async () => {
    const fixtures = join(import.meta.dirname, "fixtures")
    const originals = await Promise.all(
      ["zip.pt", "legacy.pt", "torchscript.pt"].map((name) => readFile(join(fixtures, name))),
    )
    await writeSafetensors(path, [{ name: "w", type: "f32", shape: [2, 2], data: new Float32Array(4) }])
    originals.push(await readFile(path))
    const rng = new Rng("mutated checkpoints")
    const began = process.cpuUsage()
    const counts = { read: 0, refused: 0 }
    for (let round = 0; round < 500; round++) {
      const original = rng.pick(originals)
      const copy = Buffer.from(original)
      const kind = rng.int(4)
      if (kind === 0) await writeFile(path, copy.subarray(0, rng.int(copy.length)))
      else {
        const changes = kind === 1 ? 1 : 1 + rng.int(30)
        for (let n = 0; n < changes; n++) copy[rng.int(copy.length)] = kind === 2 ? 0xff : rng.int(256)
        if (kind === 3) copy.copyWithin(rng.int(copy.length), rng.int(copy.length), rng.int(copy.length))
        await writeFile(path, copy)
      }
      counts[(await outcome()) === "read" ? "read" : "refused"]++
    }
    expect(counts.refused).toBeGreaterThan(300)
    expect(process.cpuUsage(began).user / 1e6, "seconds of processor time").toBeLessThan(30)
  })

  test("a file cut short while open ends in a clear error", async () => {
    const root = dict([text("w"), weight])
    await writeFile(path, torchFile(root, data))
    const checkpoint = await openCheckpoint(path)
    await truncate(path, 40)
    await expect(checkpoint.read("w")).rejects.toThrow(FourtierError)
    await checkpoint.close()
  })
})
