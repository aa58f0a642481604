/** Joined ONNX models compute what the two compute one after the other; raising an operator set changes no result. */

import { describe, expect, it } from "vitest"
import { encodeModel } from "../src/onnx/encode.ts"
import { mergeModels } from "../src/onnx/merge.ts"
import type { GraphProto, ModelProto } from "../src/onnx/proto.ts"
import { upgradeOpset } from "../src/onnx/upgrade.ts"
import { toOnnx } from "../src/onnx/write.ts"
import { add, mul, sum } from "../src/ops/functions.ts"
import { Session } from "../src/runtime/session.ts"
import { constant, input } from "../src/tensor.ts"

const first = () => toOnnx({ outputs: { m: mul(input("frames", [2, 3]), 2) } })
const second = (shape = [2, 3]) =>
  toOnnx({ outputs: { y: add(input("m", shape), constant(Float32Array.of(1, 2, 3), [3])) } })

async function run(model: ModelProto, frames: Float32Array) {
  const types = {
    inputs: new Map([["frames", { shape: [2, 3], dtype: "f32" as const }]]),
    outputs: new Map([["y", { shape: [2, 3], dtype: "f32" as const }]]),
  }
  const session = await Session.load(encodeModel(model), types)
  const { y } = await session.run({ frames })
  await session.release()
  return [...y]
}

describe("merging ONNX models", () => {
  it("runs one after the other as one model, though both use the same inner names", async () => {
    const merged = mergeModels(first(), second(), { m: "m" })
    expect(merged.graph.inputs.map(({ name }) => name)).toEqual(["frames"])
    expect(await run(merged, Float32Array.of(1, 2, 3, 4, 5, 6))).toEqual([3, 6, 9, 9, 12, 15])
  })

  it("raises an older operator set, rewriting axes attributes", async () => {
    const old: ModelProto = {
      irVersion: 8,
      producerName: "other",
      opsetImport: [{ domain: "", version: 13 }],
      metadataProps: {},
      graph: {
        name: "old",
        initializers: [],
        valueInfo: [],
        inputs: [{ name: "frames", elemType: 1, dims: [2, 3] }],
        outputs: [{ name: "m", elemType: 1, dims: [2, 1] }],
        nodes: [
          {
            name: "",
            opType: "ReduceMax",
            domain: "",
            inputs: ["frames"],
            outputs: ["m"],
            attributes: [{ name: "axes", kind: "ints", value: [1] }],
          },
        ],
      },
    }
    const merged = mergeModels(old, second([2, 1]), { m: "m" })
    expect(await run(merged, Float32Array.of(1, 2, 3, 4, 5, 6))).toEqual([4, 5, 6, 7, 8, 9])
    expect(() => upgradeOpset({ ...old, opsetImport: [{ domain: "", version: 11 }] }, 20)).toThrow(/operator set/)
  })

  it("rewrites nodes inside subgraphs, and refuses ops that changed their meaning", async () => {
    const value = (name: string, dims: number[], elemType = 1) => ({ name, elemType, dims })
    const branch = (name: string, opType: string): GraphProto => ({
      name,
      initializers: [],
      valueInfo: [],
      inputs: [],
      outputs: [value(`${name}/y`, [2, 1])],
      nodes: [
        {
          name: "",
          opType,
          domain: "",
          inputs: ["frames"],
          outputs: [`${name}/y`],
          attributes: [{ name: "axes", kind: "ints", value: [1] }],
        },
      ],
    })
    const old: ModelProto = {
      irVersion: 8,
      producerName: "other",
      opsetImport: [{ domain: "", version: 17 }],
      metadataProps: {},
      graph: {
        name: "old",
        initializers: [{ name: "yes", dims: [], dataType: 9, rawData: Uint8Array.of(1) }],
        valueInfo: [],
        inputs: [value("frames", [2, 3])],
        outputs: [value("m", [2, 1])],
        nodes: [
          {
            name: "",
            opType: "If",
            domain: "",
            inputs: ["yes"],
            outputs: ["m"],
            attributes: [
              { name: "then_branch", kind: "graph", value: branch("most", "ReduceMax") },
              { name: "else_branch", kind: "graph", value: branch("least", "ReduceMin") },
            ],
          },
        ],
      },
    }
    const merged = mergeModels(old, second([2, 1]), { m: "m" })
    expect(await run(merged, Float32Array.of(1, 2, 3, 4, 5, 6))).toEqual([4, 5, 6, 7, 8, 9])
    const [node] = old.graph.nodes
    const sampler = { ...old, graph: { ...old.graph, nodes: [{ ...node, opType: "GridSample", attributes: [] }] } }
    expect(() => upgradeOpset(sampler, 20)).toThrow(/GridSample/)
    expect(upgradeOpset(sampler, 19).opsetImport).toEqual([{ domain: "", version: 19 }])
  })

  it("refuses outputs that do not fit the input, naming both", () => {
    expect(() => mergeModels(first(), second([4, 3]), { m: "m" })).toThrow(/m \[4,3\][\s\S]*m \[2,3\]/)
    expect(() => mergeModels(toOnnx({ outputs: { x: sum(input("a", [2])) } }), second(), { m: "m" })).toThrow(/nothing/)
  })
})
