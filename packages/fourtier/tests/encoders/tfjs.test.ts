/** Protects the importer of TensorFlow.js models: each op's numbers, damaged files, and errors that name the node. */

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type DType, evaluate, input, Rng, type Shape, sizeOf } from "@fourtier/tensor"
import * as tf from "@tensorflow/tfjs"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { loadTfjsModel } from "../../src/encoders/tfjs.ts"
import { importGraph } from "../../src/encoders/tfjs-graph.ts"
import { samePadding } from "../../src/encoders/tfjs-spatial.ts"
import { loadReference, relativeDifference } from "./tfjs-reference.ts"

interface Weight {
  name: string
  shape: number[]
  dtype: "float32" | "int32"
  bytes: Uint8Array
  quantization?: { dtype: string; scale?: number; min?: number }
}
interface Node {
  name: string
  op: string
  input?: string[]
  attr?: Record<string, object>
}

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fourtier-tfjs-"))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

const rng = new Rng("tfjs")
const noise = (shape: Shape) => Float32Array.from({ length: sizeOf(shape) }, () => rng.normal())
const bytesOf = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
const floats = (name: string, shape: number[], data = noise(shape)): Weight => ({
  name,
  shape,
  dtype: "float32",
  bytes: bytesOf(data),
})
const ints = (name: string, data: number[], shape = [data.length]): Weight => ({
  name,
  shape,
  dtype: "int32",
  bytes: bytesOf(Int32Array.from(data)),
})
const text = (value: string) => ({ s: Buffer.from(value).toString("base64") })
const list = (...values: number[]) => ({ list: { i: values.map(String) } })
const placeholder = (name: string, shape: Shape, type = "DT_FLOAT"): Node => ({
  name,
  op: "Placeholder",
  attr: { dtype: { type }, shape: { shape: { dim: shape.map((size) => ({ size: String(size) })) } } },
})

/** Writes a graph model; its shards are cut at odd places. */
async function write(nodes: Node[], weights: Weight[] = []): Promise<string> {
  const bytes = Buffer.concat(weights.map((weight) => weight.bytes))
  const cut = Math.floor(bytes.length / 3) | 1
  await writeFile(join(directory, "a.bin"), bytes.subarray(0, cut))
  await writeFile(join(directory, "b.bin"), bytes.subarray(cut))
  const constants = weights.map(({ name, dtype }) => ({
    name,
    op: "Const",
    attr: { dtype: { type: dtype === "float32" ? "DT_FLOAT" : "DT_INT32" } },
  }))
  const path = join(directory, "model.json")
  await writeFile(
    path,
    JSON.stringify({
      format: "graph-model",
      modelTopology: { node: [...nodes, ...constants], versions: {}, library: {} },
      weightsManifest: [{ paths: ["a.bin", "b.bin"], weights: weights.map(({ bytes: _, ...spec }) => spec) }],
    }),
  )
  return path
}

/** The model's output in our runtime and in TensorFlow.js. */
async function both(path: string, x: Float32Array | Int32Array, shape: number[], output: string) {
  const model = await loadTfjsModel(path)
  const dtype: DType = x instanceof Float32Array ? "f32" : "i32"
  const outputs = importGraph(model, { inputs: { x: input("x", shape, dtype) }, outputs: [output] })
  const own = (await evaluate({ outputs: { y: outputs[output] } }, { x })).y
  const reference = await loadReference(path)
  const result = reference.execute({ x: tf.tensor(x, shape, dtype === "f32" ? "float32" : "int32") }, output)
  if (Array.isArray(result)) throw new Error("one output expected")
  expect(outputs[output].shape).toEqual(result.shape)
  return { own: Array.from(own, Number), reference: Array.from(result.dataSync()) }
}

async function expectEqual(path: string, x: Float32Array | Int32Array, shape: number[], output = "y") {
  const { own, reference } = await both(path, x, shape, output)
  expect(relativeDifference(own, reference)).toBeLessThan(1e-6)
}

describe("weights", () => {
  test("are de-quantised as TensorFlow.js does: uint8, uint16, float16, whole numbers too", async () => {
    const weights: Weight[] = [
      {
        ...floats("u8", [3]),
        bytes: Uint8Array.of(0, 100, 255),
        quantization: { dtype: "uint8", scale: 0.1, min: -3 },
      },
      {
        ...floats("u16", [2]),
        bytes: bytesOf(Uint16Array.of(1, 65535)),
        quantization: { dtype: "uint16", scale: 0.01, min: 2 },
      },
      { ...floats("f16", [2]), bytes: bytesOf(Uint16Array.of(0x3c00, 0xc100)), quantization: { dtype: "float16" } },
      { ...ints("i8", [0, 0]), bytes: Uint8Array.of(3, 7), quantization: { dtype: "uint8", scale: 2, min: -4 } },
    ]
    const path = await write([placeholder("x", [1])], weights)
    const own = await loadTfjsModel(path)
    const reference = await loadReference(path)
    for (const { name } of weights) {
      const expected = reference.weights[name][0].dataSync()
      expect(Array.from(own.weights.get(name)?.data ?? []), name).toEqual(Array.from(expected))
    }
    expect(own.inputs).toEqual(["x"])
  })

  test("that are missing, short or long are errors that name the file", async () => {
    const path = await write([placeholder("x", [1])], [floats("w", [4])])
    await writeFile(join(directory, "b.bin"), new Uint8Array(3))
    await expect(loadTfjsModel(path)).rejects.toThrow(/16 or more, for w bytes/)
    await writeFile(join(directory, "b.bin"), new Uint8Array(99))
    await expect(loadTfjsModel(path)).rejects.toThrow(/expected: 16 bytes/)
    await rm(join(directory, "b.bin"))
    await expect(loadTfjsModel(path)).rejects.toThrow(/b\.bin: weight file cannot be read/)
  })

  test("decide the model's hash", async () => {
    const nodes = [placeholder("x", [1])]
    const first = await loadTfjsModel(await write(nodes, [floats("w", [2], Float32Array.of(1, 2))]))
    const same = await loadTfjsModel(await write(nodes, [floats("w", [2], Float32Array.of(1, 2))]))
    const other = await loadTfjsModel(await write(nodes, [floats("w", [2], Float32Array.of(1, 3))]))
    expect(same.hash).toBe(first.hash)
    expect(other.hash).not.toBe(first.hash)
  })
})

describe("graphs", () => {
  test("that are no graph models are refused", async () => {
    const path = join(directory, "model.json")
    for (const content of ["{", "[]", '{"modelTopology":{"model_config":{}},"weightsManifest":[]}']) {
      await writeFile(path, content)
      await expect(loadTfjsModel(path)).rejects.toThrow(/model\.json: not/)
    }
  })

  test("unknown ops are named all at once, and only where they are needed", async () => {
    const path = await write([
      placeholder("x", [2, 3]),
      { name: "fine", op: "Relu", input: ["x"] },
      { name: "odd", op: "Betainc", input: ["fine"] },
      { name: "y", op: "Erfinv", input: ["odd"] },
    ])
    const model = await loadTfjsModel(path)
    const x = input("x", [2, 3])
    expect(() => importGraph(model, { inputs: { x }, outputs: ["y"] })).toThrow(/Betainc, Erfinv[\s\S]*node odd/)
    expect(importGraph(model, { inputs: { x }, outputs: ["fine"] }).fine.shape).toEqual([2, 3])
    expect(importGraph(model, { inputs: { odd: x }, outputs: ["odd"] }).odd).toBe(x)
  })

  test("missing inputs, unknown nodes, cycles and shapes that do not fit are named", async () => {
    const path = await write([
      placeholder("x", [2, 3]),
      placeholder("z", [4]),
      { name: "loop", op: "Add", input: ["again", "x"] },
      { name: "again", op: "Relu", input: ["loop"] },
      { name: "sum", op: "Add", input: ["x", "z"] },
      { name: "second", op: "Relu", input: ["x:1"] },
    ])
    const model = await loadTfjsModel(path)
    const x = input("x", [2, 3])
    expect(() => importGraph(model, { inputs: { x }, outputs: ["sum"] })).toThrow(/node z: input is not given/)
    expect(() => importGraph(model, { inputs: { x }, outputs: ["nothing"] })).toThrow(/no such node[\s\S]*nothing/)
    expect(() => importGraph(model, { inputs: { w: x }, outputs: ["sum"] })).toThrow(/no such node[\s\S]*w/)
    expect(() => importGraph(model, { inputs: { x }, outputs: ["loop"] })).toThrow(/cycle/)
    expect(() => importGraph(model, { inputs: { x }, outputs: ["second"] })).toThrow(/no such output[\s\S]*x:1/)
    const z = input("z", [4])
    expect(() => importGraph(model, { inputs: { x, z }, outputs: ["sum"] })).toThrow(/node sum \(Add\)/)
  })
})

describe("ops equal TensorFlow.js", () => {
  for (const [height, width] of [
    [8, 8],
    [7, 9],
  ]) {
    for (const [padding, stride, dilation, kernel] of [
      ["SAME", 2, 1, 3],
      ["SAME", 1, 2, 3],
      ["SAME", 3, 1, 2],
      ["VALID", 2, 1, 3],
      ["SAME", 2, 1, 1],
    ] as const) {
      test(`convolutions ${height}×${width}, ${padding}, stride ${stride}, dilation ${dilation}, kernel ${kernel}`, async () => {
        const attr = {
          strides: list(1, stride, stride, 1),
          dilations: list(1, dilation, dilation, 1),
          padding: text(padding),
          data_format: text("NHWC"),
        }
        const path = await write(
          [
            placeholder("x", [2, height, width, 3]),
            {
              name: "conv",
              op: "_FusedConv2D",
              input: ["x", "w", "b"],
              attr: {
                ...attr,
                num_args: { i: "1" },
                fused_ops: { list: { s: ["BiasAdd", "Relu6"].map((op) => text(op).s) } },
              },
            },
            { name: "scaled", op: "Mul", input: ["conv", "scale"] },
            { name: "shifted", op: "AddV2", input: ["shift", "scaled"] },
            {
              name: "y",
              op: "DepthwiseConv2dNative",
              input: ["shifted", "d"],
              attr: { ...attr, strides: list(1, 1, 1, 1), dilations: list(1, 1, 1, 1) },
            },
          ],
          [
            floats("w", [kernel, kernel, 3, 4]),
            floats("b", [4]),
            floats("scale", [1, 1, 1, 4]),
            floats("shift", [4]),
            floats("d", [2, 2, 4, 2]),
          ],
        )
        await expectEqual(path, noise([2, height, width, 3]), [2, height, width, 3])
      })
    }
  }

  test("SAME pads the odd zero at the end", () => {
    expect(samePadding(8, 3, 2, 1)).toEqual([0, 1])
    expect(samePadding(7, 3, 2, 1)).toEqual([1, 1])
    expect(samePadding(8, 1, 2, 1)).toEqual([0, 0])
  })

  const conventions: Record<string, object>[] = [
    { half_pixel_centers: { b: true } },
    { align_corners: { b: true } },
    {},
  ]
  for (const attr of conventions) {
    test(`bilinear resizing with ${JSON.stringify(attr)}, then ops on TensorFlow's axes`, async () => {
      const path = await write(
        [
          placeholder("x", [1, 3, 4, 2]),
          { name: "big", op: "ResizeBilinear", input: ["x", "size"], attr },
          { name: "mean", op: "Mean", input: ["big", "axes"], attr: { keep_dims: { b: false } } },
        ],
        [ints("size", [6, 8]), ints("axes", [0, 3])],
      )
      const model = await loadTfjsModel(path)
      const shape = [1, 3, 4, 2]
      const reduced = importGraph(model, { inputs: { x: input("x", shape) }, outputs: ["mean"] })
      expect(reduced.mean.shape).toEqual([6, 8])
      await expectEqual(path, noise(shape), shape, "big")
      await expectEqual(path, noise(shape), shape, "mean")
    })
  }

  test("padding, pooling and leaky ReLU, between transposes as exported from other frameworks", async () => {
    const window = (kernel: number, stride: number, padding: string) => ({
      ...{ ksize: list(1, kernel, kernel, 1), strides: list(1, stride, stride, 1) },
      ...{ padding: text(padding), data_format: text("NHWC") },
    })
    const path = await write(
      [
        placeholder("x", [2, 3, 7, 9]),
        { name: "rows", op: "Transpose", input: ["x", "toRows"] },
        { name: "leaky", op: "LeakyRelu", input: ["rows"], attr: { alpha: { f: 0.1 } } },
        { name: "zeros", op: "Pad", input: ["leaky", "pads"] },
        { name: "pooled", op: "MaxPool", input: ["zeros"], attr: window(3, 2, "VALID") },
        { name: "low", op: "PadV2", input: ["pooled", "pads", "least"] },
        { name: "same", op: "MaxPool", input: ["low"], attr: window(2, 1, "SAME") },
        { name: "y", op: "Transpose", input: ["same", "back"] },
        { name: "plain", op: "Pad", input: ["x", "pads"] },
        { name: "turned", op: "Transpose", input: ["plain", "back"] },
      ],
      [
        ints("toRows", [0, 2, 3, 1]),
        ints("back", [0, 3, 1, 2]),
        ints("pads", [0, 0, 1, 2, 0, 1, 0, 0], [4, 2]),
        floats("least", [], Float32Array.of(-3)),
      ],
    )
    const shape = [2, 3, 7, 9]
    for (const output of ["leaky", "zeros", "pooled", "low", "same", "y", "plain", "turned"]) {
      const { own, reference } = await both(path, noise(shape), shape, output)
      expect(relativeDifference(own, reference), output).toBeLessThan(1e-6)
    }
    // held the other way, not moved
    const model = await loadTfjsModel(path)
    const { leaky } = importGraph(model, { inputs: { x: input("x", shape) }, outputs: ["leaky"] })
    expect(leaky.op).toBe("transpose")
    const steep = await write([
      placeholder("x", [2]),
      { name: "y", op: "LeakyRelu", input: ["x"], attr: { alpha: { f: 1.5 } } },
    ])
    const graph = await loadTfjsModel(steep)
    expect(() => importGraph(graph, { inputs: { x: input("x", [2]) }, outputs: ["y"] })).toThrow(/slope above 1/)
  })

  test("slices with masks, negative bounds and steps", async () => {
    const mask = (begin: number, end: number, shrink: number) => ({
      begin_mask: { i: String(begin) },
      end_mask: { i: String(end) },
      shrink_axis_mask: { i: String(shrink) },
    })
    const slice = (name: string, from: string, bounds: string, attr: object): Node => ({
      name,
      op: "StridedSlice",
      input: [from, `${bounds}0`, `${bounds}1`, `${bounds}2`],
      attr: { ...attr },
    })
    const path = await write(
      [placeholder("x", [5, 6, 4]), slice("a", "x", "p", mask(1, 0, 0)), slice("b", "x", "q", mask(0, 2, 1))],
      [
        ints("p0", [2, -5]),
        ints("p1", [-1, 99]),
        ints("p2", [1, 2]),
        ints("q0", [-2, 1]),
        ints("q1", [0, 0]),
        ints("q2", [1, 1]),
      ],
    )
    await expectEqual(path, noise([5, 6, 4]), [5, 6, 4], "a")
    await expectEqual(path, noise([5, 6, 4]), [5, 6, 4], "b")
  })

  test("gathering and scattering by several indices, in any order and over the whole grid", async () => {
    const grid = [0, 1, 2].flatMap((i) => [0, 1].flatMap((j) => [i, j]))
    const path = await write(
      [
        placeholder("x", [3, 2, 4]),
        { name: "some", op: "GatherNd", input: ["x", "places"] },
        { name: "back", op: "ScatterNd", input: ["places", "some", "shape"] },
        { name: "all", op: "GatherNd", input: ["x", "grid"] },
        { name: "whole", op: "ScatterNd", input: ["grid", "all", "shape"] },
        { name: "y", op: "Sub", input: ["whole", "back"] },
      ],
      [ints("places", [2, 1, 0, 0, 1, 1], [3, 2]), ints("grid", grid, [6, 2]), ints("shape", [3, 2, 4])],
    )
    const x = noise([3, 2, 4])
    for (const output of ["some", "back", "all", "y"]) await expectEqual(path, x, [3, 2, 4], output)
    const model = await loadTfjsModel(path)
    expect(importGraph(model, { inputs: { x: input("x", [3, 2, 4]) }, outputs: ["all"] }).all.op).toBe("reshape")
  })

  test("shape arithmetic is done while importing", async () => {
    const path = await write(
      [
        placeholder("x", [3, 2, 4]),
        { name: "shape", op: "Shape", input: ["x"] },
        { name: "front", op: "GatherV2", input: ["shape", "first", "zero"] },
        { name: "rows", op: "Prod", input: ["front", "axis"], attr: { keep_dims: { b: false } } },
        {
          name: "last",
          op: "StridedSlice",
          input: ["shape", "two", "three", "one"],
          attr: { shrink_axis_mask: { i: "1" } },
        },
        { name: "pair", op: "Pack", input: ["rows", "last"], attr: { axis: { i: "0" } } },
        { name: "flat", op: "Reshape", input: ["x", "pair"] },
        { name: "tail", op: "Slice", input: ["shape", "two", "one"] },
        { name: "joined", op: "ConcatV2", input: ["minus", "tail", "zero"] },
        { name: "other", op: "Reshape", input: ["x", "joined"] },
        { name: "y", op: "MatMul", input: ["flat", "other"], attr: { transpose_b: { b: true } } },
      ],
      [
        ints("first", [0, 1]),
        ints("zero", [0], []),
        ints("axis", [0]),
        ints("one", [1]),
        ints("two", [2]),
        ints("three", [3]),
        ints("minus", [-1]),
      ],
    )
    await expectEqual(path, noise([3, 2, 4]), [3, 2, 4])
  })
})
