/** Gradient checks for every op, with the variants that have a gradient form of their own. */

import type { Tensor } from "@fourtier/tensor"
import * as t from "@fourtier/tensor"
import type { ComputedOp } from "../../packages/tensor/src/ops/attributes.ts"
import { apply } from "../../packages/tensor/src/tensor.ts"
import { apart, type Build, bool, type Fed, f32, i64, positive, smooth } from "./check.ts"

export interface Case {
  title: string
  feds: Fed[]
  build: Build
}

const one = (title: string, feds: Fed[], build: Build): Case => ({ title, feds, build })

const unary = (f: Build, x: Fed = smooth(2, 3)) => [one("", [x], f)]

/** Equal shapes, broadcasting on either side, scalars. */
const binary = (f: Build, make: (...shape: number[]) => Fed, other = make) => [
  one("equal shapes", [make(2, 3), other(2, 3)], f),
  one("right broadcast", [make(2, 3), other(3)], f),
  one("left broadcast", [make(3, 1), other(2, 3, 2)], f),
  one("both broadcast", [make(2, 1), other(1, 3)], f),
  one("scalar", [make(2, 2), other()], f),
]

const reduction = (
  f: (x: Tensor, axes?: number | readonly number[], keep?: boolean) => Tensor,
  make: typeof smooth,
) => [
  one("all", [make(2, 3)], (x) => f(x)),
  one("one axis", [make(2, 3, 2)], (x) => f(x, 1)),
  one("two axes kept", [make(2, 3, 2)], (x) => f(x, [0, -1], true)),
]

const layerNormOut = (out: "value" | "mean" | "invStd") =>
  one(out, [smooth(3, 5), positive(5), smooth(5)], (...inputs) => apply("layerNorm", inputs, { epsilon: 1e-2, out }))

const resized = (size: number[], options: Parameters<typeof t.resize>[2]) =>
  one(`${Object.values(options ?? {}).join(" ")} to ${size}`, [smooth(1, 2, 3, 4)], (x) => t.resize(x, size, options))

/** Boxes inside, over the edge and of no height, of either map. */
const ROIS = t.constant(Float32Array.of(0.3, 0.2, 3.1, 2.6, -0.8, 1, 2.5, 4.2, 1, 2, 3, 2), [3, 4])
const ROI_MAPS = t.constant(BigInt64Array.of(1n, 0n, 1n), [3], "i64")

/** Ops without a gradient of their own carry cases too: derivatives are zero, and the check shows it. */
export const cases: { [K in Exclude<ComputedOp, "conv" | "pool">]: Case[] } = {
  neg: unary(t.neg),
  exp: unary(t.exp),
  log: unary(t.log, positive(2, 3)),
  sqrt: unary(t.sqrt, positive(2, 3)),
  reciprocal: unary(t.reciprocal, positive(2, 3)),
  abs: unary(t.abs, apart(2, 3)),
  sign: unary(t.sign, apart(2, 3)),
  sin: unary(t.sin),
  cos: unary(t.cos),
  tanh: unary(t.tanh),
  sigmoid: unary(t.sigmoid),
  erf: unary(t.erf),
  relu: unary(t.relu, apart(2, 3)),
  gelu: unary(t.gelu),
  quickGelu: unary(t.quickGelu),
  normalCdf: unary(t.normalCdf),
  floor: unary(t.floor, apart(2, 3)),
  not: [one("", [bool([3], [0, 1, 1]), smooth(3)], (c, x) => t.where(t.not(c), x, t.mul(x, x)))],
  clip: [
    one("", [apart(2, 3)], (x) => t.clip(x, -0.4, 0.7)),
    one("one side", [apart(2, 3)], (x) => t.clip(x, Number.NEGATIVE_INFINITY, 0.3)),
  ],

  add: binary(t.add, smooth),
  sub: binary(t.sub, smooth),
  mul: binary(t.mul, smooth),
  div: binary(t.div, smooth, positive),
  pow: [...binary(t.pow, positive, smooth), one("constant exponent", [positive(2, 3)], (x) => t.pow(x, 3))],
  maximum: binary(t.maximum, apart, (...shape) => shiftedBy(0.1, apart(...shape))),
  minimum: binary(t.minimum, apart, (...shape) => shiftedBy(0.1, apart(...shape))),

  equal: [one("", [apart(2, 3)], (x) => t.where(t.equal(x, x), t.mul(x, x), x))],
  less: [one("", [apart(2, 3)], (x) => t.where(t.less(x, 0.3), t.mul(x, x), x))],
  greater: [one("", [apart(2, 3)], (x) => t.where(t.greater(x, 0.3), t.mul(x, x), x))],
  and: [one("", [apart(2, 3)], (x) => t.where(t.and(t.greater(x, -0.4), t.less(x, 0.7)), t.mul(x, x), x))],
  or: [one("", [apart(2, 3)], (x) => t.where(t.or(t.greater(x, 0.3), t.less(x, -0.4)), t.mul(x, x), x))],

  sum: reduction(t.sum, smooth),
  mean: reduction(t.mean, smooth),
  max: reduction(t.max, apart),
  min: reduction(t.min, apart),
  argmax: [one("", [apart(3, 4)], (x) => t.mul(x, t.cast(t.argmax(x, 1, true), "f32")))],

  matmul: [
    ...[false, true].flatMap((transposeA) =>
      [false, true].flatMap((transposeB) => {
        const flags = { transposeA, transposeB }
        const a = (...batch: number[]) => smooth(...batch, ...(transposeA ? [3, 2] : [2, 3]))
        const b = (...batch: number[]) => smooth(...batch, ...(transposeB ? [4, 3] : [3, 4]))
        const name = `${transposeA ? "Aᵀ" : "A"}${transposeB ? "Bᵀ" : "B"}`
        const product: Build = (x, y) => t.matmul(x, y, flags)
        return [
          one(`${name}`, [a(), b()], product),
          one(`${name} batched`, [a(2), b(2)], product),
          one(`${name} shared right`, [a(2, 2), b()], product),
          one(`${name} shared left`, [a(), b(3)], product),
          one(`${name} broadcast batch`, [a(2, 1), b(3)], product),
        ]
      }),
    ),
  ],

  attend: [
    one("", [smooth(3, 4), smooth(4, 2)], t.attend),
    one("batched", [smooth(2, 1, 3, 4), smooth(2, 1, 4, 2)], t.attend),
  ],

  cast: [one("to i64 and back", [apart(2, 2)], (x) => t.mul(x, t.cast(t.cast(x, "i64"), "f32")))],
  where: [
    one("equal shapes", [bool([2, 2], [1, 0, 0, 1]), smooth(2, 2), positive(2, 2)], t.where),
    one("broadcast", [bool([2, 1], [1, 0]), smooth(3), positive(2, 2, 1)], t.where),
  ],

  reshape: [one("", [smooth(2, 6)], (x) => t.reshape(x, [3, -1]))],
  transpose: [one("", [smooth(2, 3, 4)], (x) => t.transpose(x, [2, 0, 1]))],
  expand: [
    one("new axes", [smooth(3)], (x) => t.expand(x, [2, 2, 3])),
    one("old axes", [smooth(1, 3, 1)], (x) => t.expand(x, [2, 3, 2])),
  ],
  slice: [
    one("step 1", [smooth(4, 5)], (x) => t.slice(x, [1, 0], [3, 4])),
    one("strided", [smooth(5, 7)], (x) => t.slice(x, [1, 0], [5, 7], [2, 3])),
    one("strided, short end", [smooth(7)], (x) => t.slice(x, [1], [6], [2])),
    one("stride beyond the end", [smooth(3)], (x) => t.slice(x, [2], [3], [5])),
    one("empty", [smooth(3)], (x) => t.concat([t.slice(x, [1], [1]), x], 0)),
  ],
  pad: [
    one("zeros", [smooth(2, 3)], (x) =>
      t.pad(x, [
        [1, 0],
        [2, 1],
      ]),
    ),
    one("value", [smooth(2, 3)], (x) =>
      t.pad(
        x,
        [
          [0, 1],
          [0, 0],
        ],
        -3,
      ),
    ),
  ],
  concat: [
    one("first axis", [smooth(1, 3), smooth(2, 3)], (...x) => t.concat(x, 0)),
    one("last axis, one twice", [smooth(2, 1), smooth(2, 3)], (a, b) => t.concat([a, b, a], -1)),
  ],

  gather: [
    one("rows, repeated", [smooth(3, 2), i64([2, 2], [0, 2, 2, 1])], (x, i) => t.gather(x, i, 0)),
    one("middle axis", [smooth(2, 3, 2), i64([2], [2, 0])], (x, i) => t.gather(x, i, 1)),
    one("middle axis, index of rank 2", [smooth(2, 3, 2), i64([2, 2], [2, 0, 1, 1])], (x, i) => t.gather(x, i, 1)),
    one("scalar index", [smooth(3, 2), i64([], [1])], (x, i) => t.gather(x, i, 0)),
  ],
  scatterAdd: [
    one("rows, repeated", [smooth(4, 2), i64([4], [0, 2, 2, 1])], (x, i) => t.scatterAdd(x, i, 5)),
    one("index of rank 2", [smooth(2, 2), i64([2, 2], [0, 1, 1, 1])], (x, i) => t.scatterAdd(x, i, 2)),
    one("one row", [smooth(3), i64([], [1])], (x, i) => t.scatterAdd(x, i, 2)),
  ],
  takeAlong: [
    one("axis 1", [smooth(2, 3), i64([2, 2], [2, 2, 0, 1])], (x, i) => t.takeAlong(x, i, 1)),
    one("axis 0", [smooth(3, 2), i64([1, 2], [2, 0])], (x, i) => t.takeAlong(x, i, 0)),
  ],
  scatterAlong: [
    one("axis 1", [smooth(2, 3), i64([2, 3], [2, 2, 0, 1, 0, 1])], (x, i) => t.scatterAlong(x, i, 1, 4)),
    one("axis 0", [smooth(2, 2), i64([2, 2], [1, 0, 1, 2])], (x, i) => t.scatterAlong(x, i, 0, 3)),
  ],

  softmax: [
    one("last axis", [smooth(2, 4)], (x) => t.softmax(x)),
    one("first axis", [smooth(3, 2)], (x) => t.softmax(x, 0)),
  ],
  logSoftmax: [
    one("last axis", [smooth(2, 4)], (x) => t.logSoftmax(x)),
    one("middle axis", [smooth(2, 3, 2)], (x) => t.logSoftmax(x, 1)),
  ],
  layerNorm: [
    layerNormOut("value"),
    layerNormOut("mean"),
    layerNormOut("invStd"),
    one("rank 3", [smooth(2, 2, 4), positive(4), smooth(4)], (x, s, b) => t.layerNorm(x, s, b)),
  ],
  batchNorm: [
    one("", [smooth(2, 3, 2), positive(3), smooth(3), smooth(3), positive(3)], (x, s, b, m, v) =>
      t.batchNorm(x, s, b, m, v, 1e-2),
    ),
  ],

  im2col3x3: [
    one("", [smooth(2, 3, 4, 2)], (x) => apply("im2col3x3", [x], {})),
    one("one place", [smooth(1, 1, 2)], (x) => apply("im2col3x3", [x], {})),
  ],
  conv3x3: [
    one("", [smooth(2, 3, 4, 2), smooth(3, 3, 2, 3)], (x, w) => apply("conv3x3", [x, w], {})),
    one("one row", [smooth(1, 4, 2), smooth(3, 3, 2, 2)], (x, w) => apply("conv3x3", [x, w], {})),
  ],

  resize: [
    ...(["half-pixel", "align-corners", "asymmetric"] as const).flatMap((coordinates) =>
      (["nearest", "linear"] as const).map((mode) => resized([5, 6], { mode, coordinates })),
    ),
    resized([5, 6], { mode: "cubic", coordinates: "half-pixel" }),
    resized([2, 3], { mode: "linear", coordinates: "half-pixel" }),
    resized([7], { mode: "linear", coordinates: "align-corners" }),
  ],
  roiAlign: [
    one("adaptive", [smooth(2, 2, 3, 4)], (x) => t.roiAlign(x, ROIS, ROI_MAPS, { size: [2, 3] })),
    one("two samples", [smooth(2, 1, 3, 4)], (x) => t.roiAlign(x, ROIS, ROI_MAPS, { size: [2, 2], samples: 2 })),
  ],
  roiScatter: [
    one("adaptive", [smooth(3, 2, 2, 3)], (x) =>
      apply("roiScatter", [x, ROIS, ROI_MAPS], { size: [2, 3], samples: 0, shape: [2, 3, 4] }),
    ),
    one("two samples", [smooth(3, 1, 2, 2)], (x) =>
      apply("roiScatter", [x, ROIS, ROI_MAPS], { size: [2, 2], samples: 2, shape: [2, 3, 4] }),
    ),
  ],
  randomUniform: [one("", [smooth(4), i64([], [5])], (x, seed) => t.mul(x, t.randomUniform(seed, [4], 1)))],
}

function shiftedBy(by: number, { shape, data }: Fed): Fed {
  return f32(
    shape,
    Array.from(data, Number).map((x) => x + by),
  )
}
