/** ONNX files survive a round trip, run in ONNX Runtime, and are refused with a clear error when they are corrupt. */

import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, test } from "vitest"
import { FourtierError } from "../src/errors.ts"
import { readOnnx, writeOnnx } from "../src/node/onnx-file.ts"
import { decodeModel } from "../src/onnx/decode.ts"
import { encodeModel, encodeModelPieces } from "../src/onnx/encode.ts"
import { DataType, type GraphProto, type ModelProto, type TensorProto } from "../src/onnx/proto.ts"
import { externalize } from "../src/onnx/tensor-proto.ts"
import { Rng } from "../src/random.ts"

function floats(name: string, dims: number[], values: number[]): TensorProto {
  return { name, dims, dataType: DataType.FLOAT, rawData: new Uint8Array(Float32Array.from(values).buffer) }
}

function model(graph: Partial<GraphProto>): ModelProto {
  return {
    irVersion: 9,
    opsetImport: [{ domain: "", version: 20 }],
    producerName: "fourtier",
    metadataProps: { labels: "läuft, 走る" },
    graph: { name: "g", nodes: [], initializers: [], inputs: [], outputs: [], valueInfo: [], ...graph },
  }
}

/** y = softmax(x · w + b) with x [B,2], w [2,3], b [3]. */
function classifier(): ModelProto {
  return model({
    nodes: [
      { name: "m", opType: "MatMul", domain: "", inputs: ["x", "w"], outputs: ["xw"], attributes: [] },
      { name: "a", opType: "Add", domain: "", inputs: ["xw", "b"], outputs: ["z"], attributes: [] },
      {
        name: "s",
        opType: "Softmax",
        domain: "",
        inputs: ["z"],
        outputs: ["y"],
        attributes: [{ name: "axis", kind: "int", value: -1 }],
      },
    ],
    initializers: [floats("w", [2, 3], [1, 2, 3, 4, 5, 6]), floats("b", [3], [0.5, 0, -0.5])],
    inputs: [{ name: "x", elemType: DataType.FLOAT, dims: ["B", 2] }],
    outputs: [{ name: "y", elemType: DataType.FLOAT, dims: ["B", 3] }],
    valueInfo: [{ name: "z", elemType: DataType.FLOAT, dims: ["B", 3] }],
  })
}

function softmax(logits: number[]): number[] {
  const top = Math.max(...logits)
  const sum = logits.reduce((total, z) => total + Math.exp(z - top), 0)
  return logits.map((z) => Math.exp(z - top) / sum)
}

describe("ONNX codec", () => {
  test("every kind of attribute, type and shape survives a round trip", () => {
    const inner: GraphProto = {
      name: "then",
      nodes: [{ name: "", opType: "Identity", domain: "", inputs: ["x"], outputs: ["t"], attributes: [] }],
      initializers: [],
      inputs: [],
      outputs: [{ name: "t", elemType: DataType.FLOAT, dims: null }],
      valueInfo: [],
    }
    const original = classifier()
    original.graph.nodes.push({
      name: "all",
      opType: "Custom",
      domain: "com.example",
      inputs: ["x", "", "b"],
      outputs: ["o", ""],
      attributes: [
        { name: "f", kind: "float", value: -0.25 },
        { name: "i", kind: "int", value: -(2 ** 40) - 3 },
        { name: "zero", kind: "int", value: 0 },
        { name: "s", kind: "string", value: "tanh – ∞" },
        { name: "t", kind: "tensor", value: floats("", [], [7]) },
        { name: "g", kind: "graph", value: inner },
        { name: "fs", kind: "floats", value: [1, -2, Number.POSITIVE_INFINITY] },
        { name: "is", kind: "ints", value: [0, 1, 127, 128, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER] },
        { name: "none", kind: "ints", value: [] },
        { name: "ss", kind: "strings", value: ["", "a"] },
        { name: "ts", kind: "tensors", value: [floats("p", [1], [1]), floats("q", [0], [])] },
        { name: "gs", kind: "graphs", value: [inner] },
      ],
    })
    original.graph.initializers.push({
      name: "outside",
      dims: [2, 2],
      dataType: DataType.FLOAT16,
      externalData: { location: "weights.bin", offset: 5_000_000_000, length: 8 },
    })
    original.graph.initializers.push({
      name: "words",
      dims: [2],
      dataType: DataType.STRING,
      stringData: [new Uint8Array([104, 105]), new Uint8Array()],
    })
    original.graph.inputs.push({ name: "odd", elemType: DataType.INT64, dims: [0, "", 2 ** 33] })
    original.functions = [
      {
        name: "twice",
        domain: "com.example",
        inputs: ["a"],
        outputs: ["c"],
        attributes: ["alpha"],
        defaults: [{ name: "beta", kind: "float", value: 2 }],
        nodes: [
          {
            name: "",
            opType: "Elu",
            domain: "",
            inputs: ["a"],
            outputs: ["c"],
            attributes: [{ name: "alpha", kind: "reference", value: "alpha", type: 1 }],
          },
        ],
        opsetImport: [{ domain: "", version: 20 }],
      },
    ]
    const bytes = encodeModel(original)
    expect(decodeModel(bytes)).toEqual(original)
    expect(Buffer.concat(encodeModelPieces(original)).equals(bytes)).toBe(true)
  })

  test("a written model loads and runs in ONNX Runtime", async () => {
    const session = await InferenceSession.create(encodeModel(classifier()))
    const { y } = await session.run({ x: new Tensor("float32", Float32Array.of(1, 0, -1, 0.5), [2, 2]) })
    const expected = [...softmax([1.5, 2, 2.5]), ...softmax([1.5, 0.5, -0.5])]
    expect(y.dims).toEqual([2, 3])
    expected.forEach((value, i) => {
      expect(Number(y.data[i])).toBeCloseTo(value, 6)
    })
    await session.release()
  })

  test("weights in a file beside the model load in ONNX Runtime and are read back", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fourtier-onnx-"))
    try {
      const whole = classifier()
      whole.graph.initializers.push(floats("unused", [400], new Array(400).fill(1)))
      const { pieces, length } = externalize(whole.graph.initializers, "model.bin", 0)
      expect(pieces.map((piece) => piece.offset)).toEqual([0, 4096, 8192])
      expect(length).toBe(8192 + 1600)
      const path = join(folder, "model.onnx")
      expect(await writeOnnx(path, whole, { externalAbove: 1000 })).toEqual([path, `${path}.data`])
      expect(decodeModel(await readFile(path)).graph.initializers[2].externalData).toEqual({
        location: "model.onnx.data",
        offset: 0,
        length: 1600,
      })
      const session = await InferenceSession.create(path)
      const { y } = await session.run({ x: new Tensor("float32", Float32Array.of(1, 0), [1, 2]) })
      expect(Number(y.data[2])).toBeCloseTo(softmax([1.5, 2, 2.5])[2], 6)
      await session.release()
      expect(await readOnnx(path)).toEqual(whole)
      await truncate(`${path}.data`, 100)
      await expect(readOnnx(path)).rejects.toThrow("too early")
      expect(await writeOnnx(path, whole)).toEqual([path])
      expect(await readdir(folder)).toEqual(["model.onnx"])
      expect(await readOnnx(path)).toEqual(whole)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test("weights outside the model's folder are not read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fourtier-onnx-"))
    try {
      const path = join(folder, "model.onnx")
      for (const location of ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "C:secret"]) {
        const externalData = { location, offset: 0, length: 4 }
        const tensor: TensorProto = { name: "w", dims: [1], dataType: DataType.FLOAT, externalData }
        await writeOnnx(path, model({ initializers: [tensor] }))
        await expect(readOnnx(path), location).rejects.toThrow("outside the model's folder")
      }
      await expect(readOnnx(join(folder, "absent.onnx"))).rejects.toThrow("cannot be read")
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test("tensors in typed fields, packed or not, become raw bytes", () => {
    // ModelProto.graph(7).initializer(5): dims(1), data_type(2), a typed data field.
    const initializer = (...tensor: number[]) => {
      const graph = [0x2a, tensor.length, ...tensor]
      return decodeModel(Uint8Array.from([0x3a, graph.length, ...graph])).graph.initializers[0].rawData
    }
    const raw = (values: ArrayLike<number> & { buffer: ArrayBufferLike }) => new Uint8Array(values.buffer)
    expect(initializer(0x08, 2, 0x10, 1, 0x22, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0)).toEqual(raw(Float32Array.of(1, -2)))
    expect(initializer(0x08, 1, 0x10, 1, 0x25, 0, 0, 0x80, 0x3f)).toEqual(raw(Float32Array.of(1)))
    const minusOne = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]
    expect(initializer(0x08, 2, 0x10, 7, 0x3a, 11, 5, ...minusOne)).toEqual(
      new Uint8Array(BigInt64Array.of(5n, -1n).buffer),
    )
    expect(initializer(0x08, 2, 0x10, 6, 0x28, 5, 0x28, ...minusOne)).toEqual(raw(Int32Array.of(5, -1)))
    expect(initializer(0x0a, 1, 2, 0x10, 10, 0x2a, 4, 0x80, 0x78, 0x80, 0x08)).toEqual(
      raw(Uint16Array.of(0x3c00, 1024)),
    )
    expect(initializer(0x08, 2, 0x10, 9, 0x2a, 2, 1, 0)).toEqual(Uint8Array.of(1, 0))
    expect(initializer(0x08, 1, 0x10, 11, 0x52, 8, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f)).toEqual(raw(Float64Array.of(1)))
  })

  test("unknown fields are skipped, numbers out of reach are named", () => {
    const bytes = encodeModel(classifier())
    const extra = Uint8Array.from([0xfa, 0x3f, 2, 9, 9, 0xf0, 0x3f, 5, ...bytes])
    expect(decodeModel(extra)).toEqual(classifier())
    const large = model({
      nodes: [
        {
          name: "",
          opType: "Slice",
          domain: "",
          inputs: ["x"],
          outputs: ["y"],
          attributes: [{ name: "end", kind: "int", value: 2 ** 53 }],
        },
      ],
    })
    expect(() => encodeModel(large)).toThrow(FourtierError)
    const attribute = [0x0a, 1, 0x61, 0x18, 255, 255, 255, 255, 255, 255, 255, 255, 0x7f, 0xa0, 1, 2]
    const node = [0x2a, attribute.length, ...attribute]
    const graph = [0x0a, node.length, ...node]
    expect(() => decodeModel(Uint8Array.from([0x3a, graph.length, ...graph]))).toThrow("9223372036854775807")
  })

  test("data that do not fit the dims are refused on both sides", () => {
    expect(() => encodeModel(model({ initializers: [floats("w", [3], [1])] }))).toThrow("tensor w")
    expect(() => decodeModel(Uint8Array.from([0x3a, 6, 0x2a, 4, 0x08, 2, 0x10, 1]))).toThrow("do not fit")
  })

  test("truncated and corrupt bytes end in a clear error, never in a crash", () => {
    const bytes = encodeModel(classifier())
    const outcome = (candidate: Uint8Array) => {
      try {
        decodeModel(candidate)
        return "read"
      } catch (error) {
        return error instanceof FourtierError ? "refused" : `crash: ${error}`
      }
    }
    const rng = new Rng("onnx corruption")
    for (let length = 0; length < bytes.length; length++) expect(outcome(bytes.slice(0, length))).not.toContain("crash")
    for (let round = 0; round < 2000; round++) {
      const mutated = bytes.slice()
      for (let n = rng.int(4); n >= 0; n--) mutated[rng.int(mutated.length)] = rng.int(256)
      expect(outcome(mutated)).not.toContain("crash")
    }
    expect(outcome(new Uint8Array(0))).toBe("refused")
  })

  test("graphs nested without end are refused", () => {
    let graph: GraphProto = model({}).graph
    for (let depth = 0; depth < 40; depth++) {
      const node = { name: "", opType: "If", domain: "", inputs: [], outputs: [] }
      graph = {
        ...model({}).graph,
        nodes: [{ ...node, attributes: [{ name: "then_branch", kind: "graph", value: graph }] }],
      }
    }
    expect(() => decodeModel(encodeModel(model(graph)))).toThrow("nested")
  })
})
