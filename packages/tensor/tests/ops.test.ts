/** Forward values of the ops against plain arithmetic, and the errors of their shape rules. */

import { describe, expect, test } from "vitest"
import { FourtierError } from "../src/errors.ts"
import * as t from "../src/index.ts"
import type { ComputedOp } from "../src/ops/attributes.ts"
import { opNames } from "../src/ops/table.ts"
import { apply } from "../src/tensor.ts"

const f32 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  t.constant(Float32Array.from(values), shape)
const i64 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  t.constant(BigInt64Array.from(values, BigInt), shape, "i64")
const bool = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  t.constant(Uint8Array.from(values), shape, "bool")

async function numbers(tensor: t.Tensor): Promise<number[]> {
  const { y } = await t.evaluate({ outputs: { y: tensor } }, {}, { threads: 1 })
  return Array.from(y, Number)
}

/** Abramowitz & Stegun 7.1.26 is too coarse; this is the series, exact to 1e-12 for |x| < 3. */
function erf(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const xs = [-2.3, -1, -0.4, 0.6, 1, 1.7]
const positives = [0.2, 0.5, 1, 1.5, 2, 7]
const others = [0.5, -1, 2, 0.6, -3, 1.2]
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

const unary: [string, (x: t.Tensor) => t.Tensor, (x: number) => number, number[]?][] = [
  ["neg", t.neg, (x) => -x],
  ["exp", t.exp, Math.exp],
  ["log", t.log, Math.log, positives],
  ["sqrt", t.sqrt, Math.sqrt, positives],
  ["reciprocal", t.reciprocal, (x) => 1 / x],
  ["abs", t.abs, Math.abs],
  ["sign", t.sign, Math.sign],
  ["sin", t.sin, Math.sin],
  ["cos", t.cos, Math.cos],
  ["tanh", t.tanh, Math.tanh],
  ["sigmoid", t.sigmoid, sigmoid],
  ["erf", t.erf, erf],
  ["relu", t.relu, (x) => Math.max(0, x)],
  ["gelu", t.gelu, (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))],
  ["quickGelu", t.quickGelu, (x) => x * sigmoid(1.702 * x)],
  ["normalCdf", t.normalCdf, (x) => 0.5 * (1 + erf(x / Math.SQRT2))],
  ["floor", t.floor, Math.floor],
  ["clip", (x) => t.clip(x, -0.5, 1.2), (x) => Math.min(1.2, Math.max(-0.5, x))],
]

const binary: [string, (a: t.Tensor, b: t.Tensor) => t.Tensor, (a: number, b: number) => number][] = [
  ["add", t.add, (a, b) => a + b],
  ["sub", t.sub, (a, b) => a - b],
  ["mul", t.mul, (a, b) => a * b],
  ["div", t.div, (a, b) => a / b],
  ["pow", t.pow, (a, b) => a ** b],
  ["maximum", t.maximum, Math.max],
  ["minimum", t.minimum, Math.min],
  ["equal", t.equal, (a, b) => Number(a === b)],
  ["less", t.less, (a, b) => Number(a < b)],
  ["greater", t.greater, (a, b) => Number(a > b)],
]

describe("forward values", () => {
  for (const [name, op, reference, values = xs] of unary) {
    test(name, async () => {
      const found = await numbers(op(f32(values)))
      for (const [i, x] of values.entries()) expect(found[i]).toBeCloseTo(reference(Math.fround(x)), 5)
    })
  }

  for (const [name, op, reference] of binary) {
    test(`${name}, equal shapes and broadcast`, async () => {
      const found = await numbers(op(f32(positives), f32(others)))
      for (const [i, x] of positives.entries()) expect(found[i]).toBeCloseTo(reference(x, others[i]), 3)
      const outer = await numbers(op(f32(positives, [6, 1]), f32(others)))
      expect(outer.length).toBe(36)
      for (const [i, x] of positives.entries()) {
        for (const [j, y] of others.entries()) expect(outer[i * 6 + j]).toBeCloseTo(reference(x, y), 3)
      }
    })
  }

  test("integers compute as integers", async () => {
    expect(await numbers(t.add(i64([5, -7]), 3))).toEqual([8, -4])
    expect(await numbers(t.mul(i64([5, -7]), i64([2, 2])))).toEqual([10, -14])
    expect(await numbers(t.sum(i64([5, -7])))).toEqual([-2])
  })

  test("and, or, not, where", async () => {
    const [a, b] = [bool([0, 0, 1, 1]), bool([0, 1, 0, 1])]
    expect(await numbers(t.and(a, b))).toEqual([0, 0, 0, 1])
    expect(await numbers(t.or(a, b))).toEqual([0, 1, 1, 1])
    expect(await numbers(t.not(a))).toEqual([1, 1, 0, 0])
    expect(await numbers(t.where(a, f32([1, 2, 3, 4]), f32([9])))).toEqual([9, 9, 3, 4])
  })

  test("casts: half precision is storage", async () => {
    const half = t.constant(Uint16Array.of(0x3c00, 0xc000, 0x3800), [3], "f16")
    expect(await numbers(t.cast(half, "f32"))).toEqual([1, -2, 0.5])
    expect(await numbers(t.cast(f32([1, -2, 0.5]), "f16"))).toEqual([0x3c00, 0xc000, 0x3800])
    expect(await numbers(t.cast(f32([1.9, -1.9]), "i64"))).toEqual([1, -1])
    expect(await numbers(t.cast(bool([1, 0]), "f32"))).toEqual([1, 0])
  })

  test("reductions and argmax", async () => {
    const x = f32([1, 5, 3, 4, 2, 6], [2, 3])
    expect(await numbers(t.sum(x))).toEqual([21])
    expect(await numbers(t.sum(x, 0))).toEqual([5, 7, 9])
    expect(await numbers(t.mean(x, 1))).toEqual([3, 4])
    expect(await numbers(t.max(x, -1, true))).toEqual([5, 6])
    expect(await numbers(t.min(x, [0, 1]))).toEqual([1])
    expect(await numbers(t.argmax(f32([1, 5, 5, 4, 2, 6], [2, 3]), 1))).toEqual([1, 2])
  })

  test("matmul with every pair of transposes", async () => {
    const product = [58, 64, 139, 154]
    const a = f32([1, 2, 3, 4, 5, 6], [2, 3])
    const aT = f32([1, 4, 2, 5, 3, 6], [3, 2])
    const b = f32([7, 8, 9, 10, 11, 12], [3, 2])
    const bT = f32([7, 9, 11, 8, 10, 12], [2, 3])
    expect(await numbers(t.matmul(a, b))).toEqual(product)
    expect(await numbers(t.matmul(aT, b, { transposeA: true }))).toEqual(product)
    expect(await numbers(t.matmul(a, bT, { transposeB: true }))).toEqual(product)
    expect(await numbers(t.matmul(aT, bT, { transposeA: true, transposeB: true }))).toEqual(product)
    const batched = (x: t.Tensor) => t.reshape(x, [1, ...x.shape])
    expect(await numbers(t.matmul(batched(aT), bT, { transposeA: true, transposeB: true }))).toEqual(product)
  })

  test("layout: reshape, transpose, expand, slice, pad, concat, split, stack", async () => {
    const x = f32([0, 1, 2, 3, 4, 5], [2, 3])
    expect(await numbers(t.transpose(x, [1, 0]))).toEqual([0, 3, 1, 4, 2, 5])
    expect(await numbers(t.transpose(t.reshape(x, [3, -1]), [1, 0]))).toEqual([0, 2, 4, 1, 3, 5])
    expect(await numbers(t.expand(f32([1, 2], [2, 1]), [2, 2]))).toEqual([1, 1, 2, 2])
    expect(await numbers(t.slice(x, [0, 0], [2, 3], [1, 2]))).toEqual([0, 2, 3, 5])
    expect(await numbers(t.narrow(x, -1, 1, 3))).toEqual([1, 2, 4, 5])
    const pads: [number, number][] = [
      [0, 1],
      [1, 0],
    ]
    expect(await numbers(t.pad(x, pads, 7))).toEqual([7, 0, 1, 2, 7, 3, 4, 5, 7, 7, 7, 7])
    expect(await numbers(t.pad(i64([1]), [[1, 0]]))).toEqual([0, 1])
    expect(await numbers(t.concat([x, f32([9, 9], [2, 1])], 1))).toEqual([0, 1, 2, 9, 3, 4, 5, 9])
    expect(await numbers(t.concat(t.split(x, 1, 3).reverse(), 1))).toEqual([2, 1, 0, 5, 4, 3])
    expect(await numbers(t.stack([f32([1, 2]), f32([3, 4])], 1))).toEqual([1, 3, 2, 4])
    expect(t.moveAxis(t.input("x", [2, 3, 4]), 0, -1).shape).toEqual([3, 4, 2])
  })

  test("indexing", async () => {
    const x = f32([0, 1, 2, 3, 4, 5], [3, 2])
    expect(await numbers(t.gather(x, i64([2, 0]), 0))).toEqual([4, 5, 0, 1])
    expect(await numbers(t.gather(x, i64([1]), 1))).toEqual([1, 3, 5])
    expect(await numbers(t.scatterAdd(x, i64([1, 1, 3]), 4))).toEqual([0, 0, 2, 4, 0, 0, 4, 5])
    expect(await numbers(t.takeAlong(x, i64([1, 0, 1], [3, 1]), 1))).toEqual([1, 2, 5])
    expect(await numbers(t.scatterAlong(f32([1, 2, 3], [1, 3]), i64([0, 2, 2], [1, 3]), 1, 4))).toEqual([1, 0, 5, 0])
  })

  test("attend weighs rows by the softmax of the scores", async () => {
    const v = f32([1, 10, 5, 0], [2, 2])
    const found = await numbers(t.attend(f32([0, 0, 0, Math.log(3)], [2, 2]), v))
    for (const [i, value] of [3, 5, 4, 2.5].entries()) expect(found[i]).toBeCloseTo(value, 5)
  })

  test("softmax stays finite for large values", async () => {
    const soft = await numbers(t.softmax(f32([1000, 1000, -1000])))
    expect(soft).toEqual([0.5, 0.5, 0])
    const logs = await numbers(t.logSoftmax(f32([1000, 0])))
    expect(logs).toEqual([0, -1000])
  })

  test("layer norm's value, mean and 1/deviation; batch norm", async () => {
    const x = f32([1, 2, 3, 6], [1, 4])
    const [scale, bias] = [f32([1, 2, 1, 1]), f32([0, 0, 1, 0])]
    const r = 1 / Math.sqrt(3.5 + 1e-5)
    const expected = [-2 * r, -1 * r * 2, 0 * r + 1, 3 * r]
    for (const [i, value] of (await numbers(t.layerNorm(x, scale, bias))).entries()) {
      expect(value).toBeCloseTo(expected[i], 5)
    }
    const statistic = (out: "mean" | "invStd") => apply("layerNorm", [x, scale, bias], { epsilon: 1e-5, out })
    expect((await numbers(statistic("mean")))[0]).toBeCloseTo(3, 6)
    expect((await numbers(statistic("invStd")))[0]).toBeCloseTo(r, 5)
    const y = t.batchNorm(f32([1, 2, 3, 4], [1, 2, 2]), f32([1, 2]), f32([0, 1]), f32([1, 3]), f32([4, 1]), 0)
    expect(await numbers(y)).toEqual([0, 0.5, 1, 3])
  })
})

/** A call with inputs that the op must refuse. */
const wrong: { [K in Exclude<ComputedOp, "cast">]: () => t.Tensor } = {
  neg: () => t.neg(bool([1])),
  exp: () => t.exp(i64([1])),
  log: () => t.log(i64([1])),
  sqrt: () => t.sqrt(i64([1])),
  reciprocal: () => t.reciprocal(i64([1])),
  abs: () => t.abs(bool([1])),
  sign: () => t.sign(bool([1])),
  sin: () => t.sin(i64([1])),
  cos: () => t.cos(i64([1])),
  tanh: () => t.tanh(i64([1])),
  sigmoid: () => t.sigmoid(i64([1])),
  erf: () => t.erf(i64([1])),
  relu: () => t.relu(i64([1])),
  gelu: () => t.gelu(t.input("half", [2], "f16")),
  quickGelu: () => t.quickGelu(i64([1])),
  normalCdf: () => t.normalCdf(i64([1])),
  floor: () => t.floor(i64([1])),
  not: () => t.not(f32([1])),
  clip: () => t.clip(i64([1]), 0, 1),
  add: () => t.add(f32([1, 2]), f32([1, 2, 3])),
  sub: () => t.sub(f32([1, 2]), i64([1, 2])),
  mul: () => t.mul(f32([1, 2, 3, 4], [2, 2]), f32([1, 2, 3])),
  div: () => t.div(f32([1, 2]), f32([1, 2, 3])),
  pow: () => t.pow(f32([1, 2]), f32([1, 2, 3])),
  maximum: () => t.maximum(bool([1]), bool([1])),
  minimum: () => t.minimum(f32([1, 2]), f32([1, 2, 3])),
  equal: () => t.equal(f32([1, 2]), i64([1, 2])),
  less: () => t.less(f32([1, 2]), f32([1, 2, 3])),
  greater: () => t.greater(bool([1]), bool([1])),
  and: () => t.and(f32([1]), f32([1])),
  or: () => t.or(bool([1, 1]), bool([1, 1, 1])),
  where: () => t.where(f32([1]), f32([1]), f32([1])),
  sum: () => t.sum(f32([1]), 1),
  mean: () => t.mean(f32([1]), -2),
  max: () => t.max(bool([1])),
  min: () => t.min(f32([1]), [0, 1]),
  argmax: () => t.argmax(f32([1]), 1),
  matmul: () => t.matmul(f32([1, 2, 3, 4], [2, 2]), f32([1, 2, 3], [3, 1])),
  attend: () => t.attend(f32([1, 2], [1, 2]), f32([1, 2, 3], [3, 1])),
  reshape: () => t.reshape(f32([1, 2, 3]), [2, -1]),
  transpose: () => t.transpose(f32([1, 2], [1, 2]), [0, 0]),
  expand: () => t.expand(f32([1, 2]), [2, 3]),
  slice: () => t.slice(f32([1, 2]), [0], [3]),
  pad: () => t.pad(f32([1, 2]), [[-1, 0]]),
  concat: () => t.concat([f32([1, 2], [1, 2]), f32([1])], 0),
  gather: () => t.gather(f32([1, 2]), f32([0]), 0),
  scatterAdd: () => t.scatterAdd(f32([1, 2]), i64([0, 1, 2]), 4),
  takeAlong: () => t.takeAlong(f32([1, 2]), i64([0], [1, 1]), 0),
  scatterAlong: () => t.scatterAlong(f32([1, 2]), i64([0]), 0, 4),
  softmax: () => t.softmax(i64([1])),
  logSoftmax: () => t.logSoftmax(f32([1]), 1),
  layerNorm: () => t.layerNorm(f32([1, 2]), f32([1]), f32([1, 1])),
  batchNorm: () => t.batchNorm(f32([1, 2], [1, 2]), f32([1]), f32([1]), f32([1]), f32([1])),
  conv: () => t.conv(t.input("x", [1, 3, 4, 4]), t.input("w", [2, 2, 3, 3]), null),
  pool: () => t.pool(t.input("x", [1, 3, 4, 4]), "max", [5, 5]),
  im2col3x3: () => apply("im2col3x3", [f32([1, 2], [1, 2])], {}),
  conv3x3: () => apply("conv3x3", [t.input("x", [2, 2, 3]), t.input("w", [3, 3, 2, 3])], {}),
  resize: () => t.resize(t.input("x", [2]), [3, 3]),
  roiAlign: () => t.roiAlign(t.input("x", [1, 2, 3, 3]), f32([0, 0, 1, 1], [1, 4]), i64([0, 0])),
  roiScatter: () =>
    apply("roiScatter", [f32([1, 2], [1, 1, 1, 2]), f32([0, 0, 1, 1], [1, 4]), i64([0])], {
      size: [2, 2],
      samples: 0,
      shape: [1, 3, 3],
    }),
  randomUniform: () => t.randomUniform(t.input("seed", [1], "i64"), [2], 0),
}

describe("shape rules", () => {
  test("every op is asked", () => {
    const left = opNames().filter((op) => !(op in wrong))
    expect(left).toEqual(["cast"])
  })

  for (const [op, call] of Object.entries(wrong)) {
    test(`${op} refuses what does not fit, by name`, () => {
      expect(call).toThrow(FourtierError)
      expect(call).toThrow(`tensor op ${op}`)
    })
  }

  test("more that must not pass", () => {
    expect(() => t.matmul(f32([1, 2]), f32([1, 2], [2, 1]))).toThrow(/rank 2 or more/)
    expect(() => t.split(f32([1, 2, 3]), 0, 2)).toThrow(FourtierError)
    expect(() => t.slice(f32([1, 2]), [0], [2], [0])).toThrow(/step >= 1/)
    expect(() => t.conv(t.input("x", [1, 1, 2, 2]), t.input("w", [1, 1, 3, 3]), null)).toThrow(/no larger than the map/)
    expect(() => t.constant(new Float32Array(3), [2])).toThrow(/does not fit/)
    expect(() => t.constant(new Int32Array(2), [2])).toThrow(/does not fit/)
  })
})
