/**
 * Protects the rewrites of models: what is stored in half precision stays the number it was; a quantised product is the one of
 * a few lines of arithmetic, row by row; what must not be touched is not.
 */

import { describe, expect, it } from "vitest"
import { encodeModel } from "../src/onnx/encode.ts"
import { storeAsFloat16 } from "../src/onnx/float16.ts"
import { quantise } from "../src/onnx/int8.ts"
import { DataType, type ModelProto, type NodeProto } from "../src/onnx/proto.ts"
import { toOnnx } from "../src/onnx/write.ts"
import { add, matmul } from "../src/ops/functions.ts"
import { Rng } from "../src/random.ts"
import { Session } from "../src/runtime/session.ts"
import { input } from "../src/tensor.ts"

const [B, M, K, N] = [2, 3, 256, 128]

function numbers(length: number, seed: string, scale = 1): Float32Array {
  const rng = Rng.fork(0, seed)
  return Float32Array.from({ length }, () => scale * rng.uniform(-1, 1))
}

const W = numbers(K * N, "weight")

/** x [B,M,K] · w [K,N] -> y [B,M,N] */
const product = (w: Float32Array, [b, m, k, n] = [B, M, K, N]) =>
  toOnnx({ outputs: { y: matmul(input("x", [b, m, k]), input("w", [k, n])) }, weights: new Map([["w", w]]) })

async function run(model: ModelProto, x: Float32Array, shape = [B, M, K]): Promise<Float32Array> {
  const types = {
    inputs: new Map([["x", { shape, dtype: "f32" as const }]]),
    outputs: new Map([["y", { shape: [...shape.slice(0, -1), N], dtype: "f32" as const }]]),
  }
  const session = await Session.load(encodeModel(model), types, { threads: 1 })
  const { y } = await session.run({ x })
  await session.release()
  return Float32Array.from(y, Number)
}

const largest = (values: Iterable<number>) => Math.max(...Array.from(values, Math.abs))

/** Integers of one row or column between −steps and steps, times its scale. */
function rounded(values: readonly number[], steps: number): number[] {
  const scale = largest(values) / steps || 1
  return values.map((value) => scale * Math.round(value / scale))
}

/** The product that int8 stands for, in doubles. */
function expected(x: Float32Array, w: Float32Array): number[] {
  const columns = Array.from({ length: N }, (_, n) =>
    rounded(
      Array.from({ length: K }, (_, k) => w[k * N + n]),
      64,
    ),
  )
  return Array.from({ length: x.length / K }, (_, row) =>
    rounded([...x.subarray(row * K, (row + 1) * K)], 127),
  ).flatMap((row) => columns.map((column) => column.reduce((sum, value, k) => sum + value * row[k], 0)))
}

const typesOf = ({ graph }: ModelProto) => graph.initializers.map(({ dataType }) => dataType)
const opsOf = ({ graph }: ModelProto) => graph.nodes.map(({ opType }) => opType)

describe("int8", () => {
  it("is a product of rounded rows and rounded columns, one scale each", async () => {
    const { model, products } = quantise(product(W))
    expect(products).toBe(1)
    const x = numbers(B * M * K, "x", 3)
    x.subarray(0, K).fill(0) // a row of zeros has no scale of its own
    const y = await run(model, x)
    const wanted = expected(x, W)
    expect(largest(y.map((value, i) => value - wanted[i]))).toBeLessThan(2e-4)
    const whole = model.graph.initializers.find(({ dataType }) => dataType === DataType.INT8)
    expect(largest(new Int8Array(whole?.rawData ?? []))).toBe(64)
  })

  it("gives a clip the same numbers whatever is beside it, and whatever another token does", async () => {
    const { model } = quantise(product(W))
    const x = numbers(B * M * K, "x")
    const calm = await run(model, x)
    x.fill(1000, M * K + 5, M * K + 6) // first row of the second clip
    const spiked = await run(model, x)
    expect(spiked.subarray(0, M * N)).toEqual(calm.subarray(0, M * N))
    expect(spiked.subarray((M + 1) * N)).toEqual(calm.subarray((M + 1) * N))
    expect(spiked.subarray(M * N, (M + 1) * N)).not.toEqual(calm.subarray(M * N, (M + 1) * N))
  })

  it("takes linear layers as PyTorch exports them, with the matrix on its side and a bias", async () => {
    const transposed = Float32Array.from({ length: K * N }, (_, i) => W[(i % K) * N + Math.floor(i / K)])
    const bias = numbers(N, "bias")
    const gemm: NodeProto = {
      name: "",
      opType: "Gemm",
      domain: "",
      inputs: ["x", "w", "b"],
      outputs: ["y"],
      attributes: [{ name: "transB", kind: "int", value: 1 }],
    }
    const plain = toOnnx({
      outputs: { y: add(matmul(input("x", [M, K]), input("w", [N, K]), { transposeB: true }), input("b", [N])) },
      weights: new Map([
        ["w", transposed],
        ["b", bias],
      ]),
    })
    const { model, products } = quantise({ ...plain, graph: { ...plain.graph, nodes: [gemm] } })
    expect(products).toBe(1)
    const x = numbers(M * K, "x")
    const y = await run(model, x, [M, K])
    const wanted = expected(x, W).map((value, i) => value + bias[i % N])
    expect(largest(y.map((value, i) => value - wanted[i]))).toBeLessThan(2e-4)
  })

  it("leaves small matrices, and constants that something else reads, in float32", () => {
    expect(quantise(product(numbers(255 * N, "small"), [B, M, 255, N])).products).toBe(0)
    expect(quantise(product(numbers(K * 127, "narrow"), [B, M, K, 127])).products).toBe(0)
    const w = input("w", [K, N])
    const shared = toOnnx({
      outputs: { y: matmul(input("x", [M, K]), w), z: add(w, 1) },
      weights: new Map([["w", W]]),
    })
    const { model, products } = quantise(shared)
    expect(products).toBe(1)
    expect(model.graph.initializers.some(({ name }) => name === "w")).toBe(true)
    expect(quantise(product(W)).model.graph.initializers.some(({ name }) => name === "w")).toBe(false)
  })

  it("quantises rows that several products share once", () => {
    const x = input("x", [M, K])
    const both = toOnnx({
      outputs: { y: matmul(x, input("w", [K, N])), z: matmul(x, input("v", [K, N])) },
      weights: new Map([
        ["w", W],
        ["v", numbers(K * N, "other")],
      ]),
    })
    const { model, products } = quantise(both)
    expect(products).toBe(2)
    expect(opsOf(model).filter((op) => op === "QuantizeLinear")).toHaveLength(1)
  })
})

describe("float16", () => {
  it("halves large constants and keeps their values to about three digits", async () => {
    const model = storeAsFloat16(product(W))
    expect(typesOf(model)).toEqual([DataType.FLOAT16])
    expect(encodeModel(model).length).toBeLessThan(0.51 * encodeModel(product(W)).length)
    const x = numbers(B * M * K, "x")
    const [half, full] = [await run(model, x), await run(product(W), x)]
    expect(largest(half.map((value, i) => value - full[i]))).toBeLessThan(5e-3)
    expect(half).not.toEqual(full)
  })

  it("keeps in float32 what half precision would make infinite or round away, and what is small", () => {
    const huge = Float32Array.from(W)
    huge[7] = 65520
    expect(typesOf(storeAsFloat16(product(huge)))).toEqual([DataType.FLOAT])
    expect(typesOf(storeAsFloat16(product(W.map((value) => 1e-7 * value))))).toEqual([DataType.FLOAT])
    expect(typesOf(storeAsFloat16(product(numbers(16, "few"), [1, 1, 4, 4])))).toEqual([DataType.FLOAT])
    huge[7] = 65504
    expect(typesOf(storeAsFloat16(product(huge)))).toEqual([DataType.FLOAT16])
  })
})
