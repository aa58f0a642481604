/** The functions that build graphs. Numbers stand for scalar constants; binary ops broadcast as numpy does. */

import type { DType } from "../dtype.ts"
import { broadcastAxes, normalizeAxes, normalizeAxis, type Shape, sameShape } from "../shape.ts"
import { apply, scalar, Tensor } from "../tensor.ts"
import type {
  BinaryName,
  CompareName,
  ConvAttrs,
  OpAttrs,
  OpName,
  PoolAttrs,
  ReduceName,
  ResizeAttrs,
  UnaryName,
} from "./rule.ts"

export type Operand = Tensor | number

/** One node of any op; for rules and importers. */
export function apply1<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor {
  return apply(op, inputs, attrs)
}

const unary = (op: UnaryName) => (x: Tensor) => apply(op, [x], {})

function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  const dtype = a instanceof Tensor ? a.dtype : b instanceof Tensor ? b.dtype : "f32"
  return [a instanceof Tensor ? a : scalar(a, dtype), b instanceof Tensor ? b : scalar(b, dtype)]
}

const binary = (op: BinaryName | CompareName) => (a: Operand, b: Operand) => apply(op, operands(a, b), {})

export const neg = unary("neg")
export const exp = unary("exp")
export const log = unary("log")
export const sqrt = unary("sqrt")
export const reciprocal = unary("reciprocal")
export const abs = unary("abs")
export const sign = unary("sign")
export const sin = unary("sin")
export const cos = unary("cos")
export const tanh = unary("tanh")
export const sigmoid = unary("sigmoid")
export const erf = unary("erf")
export const relu = unary("relu")
/** x·Φ(x), exact (Hendrycks & Gimpel 2016). */
export const gelu = unary("gelu")
/** x·σ(1.702x), CLIP's approximation. */
export const quickGelu = unary("quickGelu")
/** Φ(x), the standard normal distribution function. */
export const normalCdf = unary("normalCdf")
export const floor = unary("floor")
export const not = unary("not")

export const add = binary("add")
export const sub = binary("sub")
export const mul = binary("mul")
export const div = binary("div")
export const pow = binary("pow")
export const maximum = binary("maximum")
export const minimum = binary("minimum")
export const equal = binary("equal")
export const less = binary("less")
export const greater = binary("greater")
export const and = binary("and")
export const or = binary("or")

export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : apply("cast", [x], { to })
}

/** Values below `min` become `min`, those above `max` become `max`. */
export function clip(x: Tensor, min: number, max: number): Tensor {
  return apply("clip", [x], { min, max })
}

/** `a` where `condition` holds, else `b`. */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  return apply("where", [condition, a, b], {})
}

const reduce =
  (op: ReduceName) =>
  (x: Tensor, axes?: number | readonly number[], keepDims = false): Tensor => {
    const list = normalizeAxes(op, axes, x.rank)
    return list.length === 0 ? x : apply(op, [x], { axes: list, keepDims })
  }

/** Over `axes`, or over all of them. */
export const sum = reduce("sum")
export const mean = reduce("mean")
export const max = reduce("max")
export const min = reduce("min")

/** Position of the largest element, the first of equals: i64. */
export function argmax(x: Tensor, axis: number, keepDims = false): Tensor {
  return apply("argmax", [x], { axis: normalizeAxis("argmax", axis, x.rank), keepDims })
}

/** a [..,M,K] times b [..,K,N]; either may be given transposed on its last two axes. */
export function matmul(a: Tensor, b: Tensor, flags: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
  return apply("matmul", [a, b], { transposeA: flags.transposeA ?? false, transposeB: flags.transposeB ?? false })
}

/** softmax(scores)·v: scores [..,M,K], v [..,K,D]. Its gradient passes over the scores once less than that of the two. */
export function attend(scores: Tensor, v: Tensor): Tensor {
  return apply("attend", [scores, v], {})
}

/** One length may be -1: whatever is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, length) => (length === -1 ? product : product * length), 1)
  const full = shape.map((length) => (length === -1 ? x.size / known : length))
  return sameShape(full, x.shape) ? x : apply("reshape", [x], { shape: full })
}

/** Axis i of the result is axis permutation[i] of x. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return permutation.every((from, to) => from === to) && permutation.length === x.rank
    ? x
    : apply("transpose", [x], { permutation })
}

export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const axes = [...x.shape.keys()]
  const [axis] = axes.splice(normalizeAxis("moveAxis", from, x.rank), 1)
  axes.splice(normalizeAxis("moveAxis", to, x.rank), 0, axis)
  return transpose(x, axes)
}

export function expand(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply("expand", [x], { shape })
}

/** Elements from `starts` up to but without `ends`, on every axis. */
export function slice(
  x: Tensor,
  starts: readonly number[],
  ends: readonly number[],
  steps?: readonly number[],
): Tensor {
  const by = steps ?? starts.map(() => 1)
  const whole = starts.every((start, axis) => start === 0 && ends[axis] === x.shape[axis] && by[axis] === 1)
  return whole && starts.length === x.rank ? x : apply("slice", [x], { starts, ends, steps: by })
}

/** Elements from `start` up to but without `end` on one axis. */
export function narrow(x: Tensor, axis: number, start: number, end: number): Tensor {
  const at = normalizeAxis("narrow", axis, x.rank)
  return slice(
    x,
    x.shape.map((_, a) => (a === at ? start : 0)),
    x.shape.map((length, a) => (a === at ? end : length)),
  )
}

/** `n` equal parts along an axis. */
export function split(x: Tensor, axis: number, n: number): Tensor[] {
  const at = normalizeAxis("split", axis, x.rank)
  const length = x.shape[at] / n
  return Array.from({ length: n }, (_, i) => narrow(x, at, i * length, (i + 1) * length))
}

/** Adds `value` before and after every axis. */
export function pad(x: Tensor, pads: readonly (readonly [number, number])[], value = 0): Tensor {
  return pads.every(([before, after]) => before === 0 && after === 0) && pads.length === x.rank
    ? x
    : apply("pad", [x], { pads, value })
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  return parts.length === 1 ? parts[0] : apply("concat", parts, { axis: normalizeAxis("concat", axis, parts[0].rank) })
}

/** Joins equal shapes along a new axis. */
export function stack(parts: readonly Tensor[], axis: number): Tensor {
  const at = normalizeAxis("stack", axis, parts[0].rank + 1)
  return concat(
    parts.map((part) => reshape(part, [...part.shape.slice(0, at), 1, ...part.shape.slice(at)])),
    at,
  )
}

/** Slices of x at whole-number `indices` on `axis`. */
export function gather(x: Tensor, indices: Tensor, axis: number): Tensor {
  return apply("gather", [x, indices], { axis: normalizeAxis("gather", axis, x.rank) })
}

/** Sums updates [n..,rest] into rows `indices` [n..] of zeros [size,rest]. */
export function scatterAdd(updates: Tensor, indices: Tensor, size: number): Tensor {
  return apply("scatterAdd", [updates, indices], { size })
}

/** numpy's take_along_axis. */
export function takeAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  return apply("takeAlong", [x, indices], { axis: normalizeAxis("takeAlong", axis, x.rank) })
}

/** Sums updates into zeros of length `size` on `axis`, each at the place its index names. */
export function scatterAlong(updates: Tensor, indices: Tensor, axis: number, size: number): Tensor {
  return apply("scatterAlong", [updates, indices], { axis: normalizeAxis("scatterAlong", axis, updates.rank), size })
}

export function softmax(x: Tensor, axis = -1): Tensor {
  return apply("softmax", [x], { axis: normalizeAxis("softmax", axis, x.rank) })
}

export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return apply("logSoftmax", [x], { axis: normalizeAxis("logSoftmax", axis, x.rank) })
}

/** Over the last axis: (x − mean)/sqrt(variance + ε)·scale + bias (Ba et al. 2016). */
export function layerNorm(x: Tensor, scale: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  return apply("layerNorm", [x, scale, bias], { epsilon, out: "value" })
}

/** Inference form, x [B,C,..]. */
export function batchNorm(
  x: Tensor,
  scale: Tensor,
  bias: Tensor,
  mu: Tensor,
  variance: Tensor,
  epsilon = 1e-5,
): Tensor {
  return apply("batchNorm", [x, scale, bias, mu, variance], { epsilon })
}

/** x [B,C,space..], weight [O,C/groups,kernel..]. Frozen: has no gradient. */
export function conv(x: Tensor, weight: Tensor, bias: Tensor | null, options: Partial<ConvAttrs> = {}): Tensor {
  const spatial = Math.max(0, x.rank - 2)
  return apply("conv", bias ? [x, weight, bias] : [x, weight], {
    strides: options.strides ?? new Array<number>(spatial).fill(1),
    pads: options.pads ?? new Array<[number, number]>(spatial).fill([0, 0]),
    dilations: options.dilations ?? new Array<number>(spatial).fill(1),
    groups: options.groups ?? 1,
  })
}

/** x [B,C,space..]. Frozen: has no gradient. */
export function pool(
  x: Tensor,
  kind: PoolAttrs["kind"],
  kernel: readonly number[],
  options: Partial<PoolAttrs> = {},
): Tensor {
  return apply("pool", [x], {
    kind,
    kernel,
    strides: options.strides ?? kernel,
    pads: options.pads ?? new Array<[number, number]>(kernel.length).fill([0, 0]),
    countPad: options.countPad ?? false,
  })
}

/** The last axes to new lengths, without low-pass filter. */
export function resize(x: Tensor, size: readonly number[], options: Partial<ResizeAttrs> = {}): Tensor {
  return apply("resize", [x], {
    size,
    mode: options.mode ?? "linear",
    coordinates: options.coordinates ?? "half-pixel",
  })
}

/** Uniform in [0,1): the same for equal seed (i64 []), salt and position. */
export function randomUniform(seed: Tensor, shape: Shape, salt: number): Tensor {
  return apply("randomUniform", [seed], { shape, salt })
}

/** Sums a gradient over the axes along which a tensor of shape `to` was repeated. */
export function unbroadcast(x: Tensor, to: Shape): Tensor {
  if (sameShape(x.shape, to)) return x
  const { added, repeated } = broadcastAxes(to, x.shape)
  const axes = [...Array(added).keys(), ...repeated]
  return reshape(axes.length === 0 ? x : sum(x, axes, true), to)
}
