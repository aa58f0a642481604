/**
 * The TensorFlow ops that can be imported, one function each: (node, input values) -> output values. Only what the graphs
 * that we use need (MobileNetV2 with a feature pyramid, a small transformer); `tfjs-graph.ts` names any other op.
 */

import {
  add,
  cast,
  clip,
  concat as concatenate,
  constant,
  cos,
  type DType,
  div,
  gather,
  greater,
  less,
  matmul,
  max,
  maximum,
  mean,
  minimum,
  mul,
  narrow,
  not,
  reciprocal,
  relu,
  reshape,
  type Shape,
  scatterAdd,
  sigmoid,
  sin,
  sizeOf,
  slice,
  softmax,
  sqrt,
  stack,
  sub,
  sum,
  type Tensor,
  tanh,
  transpose,
} from "@fourtier/tensor"
import type { TfjsNode } from "./tfjs.ts"
import { foldInts, isFoldable } from "./tfjs-shapes.ts"
import { spatial } from "./tfjs-spatial.ts"
import {
  channelsFirst,
  flag,
  ints,
  knownInts,
  type OpImporter,
  plain,
  shapeOf,
  tensorOf,
  unsupported,
  type Value,
} from "./tfjs-value.ts"

/** Whether an op can be imported. */
export function isImportable(op: string): boolean {
  return Object.hasOwn(importers, op) || isFoldable(op)
}

/** The importer of an op: arithmetic on known whole numbers is done at once, the rest becomes nodes. */
export function opImporter(op: string): OpImporter {
  return (node, inputs) => {
    const folded = foldInts(node, inputs)
    if (folded) return [plain(folded)]
    if (!Object.hasOwn(importers, op)) throw unsupported("imported only for shapes that are known", "computed values")
    return importers[op](node, inputs)
  }
}

function int(node: TfjsNode, name: string, otherwise: number): number {
  return node.attributes[name]?.i ?? otherwise
}

/** An op on each element: the layout stays. */
const unary =
  (apply: (x: Tensor) => Tensor): OpImporter =>
  (_, [x]) => [{ tensor: apply(x.tensor), layout: x.layout }]

/** An op on two broadcast values; channels-first if one of them is and the other can follow without work at run time. */
const binary =
  (apply: (a: Tensor, b: Tensor) => Tensor): OpImporter =>
  (_, [a, b]) => {
    if (a.layout === "tensorflow" && b.layout === "tensorflow") return [plain(apply(a.tensor, b.tensor))]
    const [left, right] = [broadcastable(a), broadcastable(b)]
    return left && right
      ? [{ tensor: apply(left, right), layout: "channels-first" }]
      : [plain(apply(tensorOf(a), tensorOf(b)))]
  }

/** A value that broadcasts with [B,C,H,W] maps as it did with [B,H,W,C] ones, if that takes no more than one transpose. */
function broadcastable(value: Value): Tensor | undefined {
  if (value.layout === "channels-first") return value.tensor
  const { rank, shape } = value.tensor
  if (rank === 0) return value.tensor
  if (rank === 1) return reshape(value.tensor, [shape[0], 1, 1])
  return rank === 4 ? channelsFirst(value) : undefined
}

/** A reduction over axes given as second input. */
const reduction =
  (apply: (x: Tensor, axes: number[], keepDims: boolean) => Tensor): OpImporter =>
  (node, [x, axes]) => [
    plain(apply(tensorOf(x), ints(axes, "axes"), flag(node, "keep_dims") || flag(node, "keepDims"))),
  ]

/** TensorFlow's DataType numbers and names for the types that occur; int64 is int32 in TensorFlow.js. */
const DTYPES: Record<string, DType> = {
  1: "f32",
  3: "i32",
  9: "i32",
  10: "bool",
  DT_FLOAT: "f32",
  DT_INT32: "i32",
  DT_INT64: "i32",
  DT_BOOL: "bool",
}

/** indices [M,k] -> positions [M] in the first k axes of `shape`, flattened. */
function flatPositions(indices: Tensor, shape: Shape): Tensor {
  const k = indices.shape[indices.rank - 1]
  const steps = Int32Array.from({ length: k }, (_, axis) => sizeOf(shape.slice(axis + 1, k)))
  return sum(mul(indices, constant(steps, [k], "i32")), -1)
}

/** Whether known indices [M,k] name every place of the first k axes of `shape` in order: then reading them is a reshape. */
function isWholeGrid(indices: Value, shape: Shape): boolean {
  const k = indices.tensor.shape[indices.tensor.rank - 1]
  const places = sizeOf(shape.slice(0, k))
  const known = knownInts(indices)
  if (!known || known.length !== places * k) return false
  return known.every((at, i) => {
    const axis = i % k
    return at === Math.floor(Math.floor(i / k) / sizeOf(shape.slice(axis + 1, k))) % shape[axis]
  })
}

const importers: Record<string, OpImporter> = {
  Identity: (_, [x]) => [x],
  Cast: (node, [x]) => {
    const type = String(node.attributes.DstT?.type)
    const to = DTYPES[type]
    if (!to) throw unsupported("cast to a type that is not imported", type)
    return [{ tensor: cast(x.tensor, to), layout: x.layout }]
  },

  Relu: unary(relu),
  LeakyRelu: (node, [x]) => {
    // with a slope of at most 1, the larger of the two is the right one on either side of 0
    const slope = node.attributes.alpha?.f ?? 0.2
    if (slope > 1) throw unsupported("a slope above 1 is not imported", String(slope))
    return [{ tensor: maximum(x.tensor, mul(x.tensor, slope)), layout: x.layout }]
  },
  Relu6: unary((x) => clip(x, 0, 6)),
  Sigmoid: unary(sigmoid),
  Tanh: unary(tanh),
  Sin: unary(sin),
  Cos: unary(cos),
  Square: unary((x) => mul(x, x)),
  Sqrt: unary(sqrt),
  Rsqrt: unary((x) => reciprocal(sqrt(x))),
  LogicalNot: unary(not),
  Add: binary(add),
  AddV2: binary(add),
  BiasAdd: binary(add),
  Sub: binary(sub),
  Mul: binary(mul),
  RealDiv: binary(div),
  Maximum: binary(maximum),
  Minimum: binary(minimum),
  Greater: binary(greater),
  Less: binary(less),

  ...spatial,

  MatMul: (node, [a, b]) => [
    plain(
      matmul(tensorOf(a), tensorOf(b), {
        transposeA: flag(node, "transpose_a"),
        transposeB: flag(node, "transpose_b"),
      }),
    ),
  ],
  BatchMatMul: (node, [a, b]) => [
    plain(matmul(tensorOf(a), tensorOf(b), { transposeA: flag(node, "adj_x"), transposeB: flag(node, "adj_y") })),
  ],
  Softmax: (_, [x]) => [plain(softmax(tensorOf(x)))],
  Mean: reduction(mean),
  Sum: reduction(sum),
  Max: reduction(max),

  Shape: (_, [x]) => [plain(constant(Int32Array.from(shapeOf(x)), [shapeOf(x).length], "i32"))],
  Range: (_, [start, end, step]) => {
    const [[from], [to], [by]] = [ints(start, "a range"), ints(end, "a range"), ints(step, "a range")]
    const length = Math.max(0, Math.ceil((to - from) / by))
    return [
      plain(
        constant(
          Int32Array.from({ length }, (_, i) => from + i * by),
          [length],
          "i32",
        ),
      ),
    ]
  },
  Reshape: (_, [x, shape]) => [plain(reshape(tensorOf(x), ints(shape, "a shape")))],
  ExpandDims: (_, [x, at]) => {
    const tensor = tensorOf(x)
    const [given] = ints(at, "an axis")
    const axis = given < 0 ? given + tensor.rank + 1 : given
    return [plain(reshape(tensor, [...tensor.shape.slice(0, axis), 1, ...tensor.shape.slice(axis)]))]
  },
  Squeeze: (node, [x]) => {
    const tensor = tensorOf(x)
    const axes = (node.attributes.squeeze_dims?.list?.i ?? []).map((axis) => (axis < 0 ? axis + tensor.rank : axis))
    const shape = tensor.shape.filter((length, axis) => (axes.length > 0 ? !axes.includes(axis) : length !== 1))
    return [plain(reshape(tensor, shape))]
  },
  Transpose: (_, [x, permutation]) => {
    const order = ints(permutation, "a permutation")
    // maps that change between both orders only change how they are held
    if (order.join() === "0,2,3,1" && x.layout === "tensorflow") return [{ tensor: x.tensor, layout: "channels-first" }]
    if (order.join() === "0,3,1,2" && x.layout === "channels-first") return [plain(x.tensor)]
    return [plain(transpose(tensorOf(x), order))]
  },
  Pack: (node, inputs) => [plain(stack(inputs.map(tensorOf), int(node, "axis", 0)))],
  ConcatV2: (_, inputs) => [
    plain(concatenate(inputs.slice(0, -1).map(tensorOf), ints(inputs[inputs.length - 1], "an axis")[0])),
  ],
  SplitV: (_, [x, sizes, at]) => {
    const tensor = tensorOf(x)
    let start = 0
    return ints(sizes, "part sizes").map((length) => {
      start += length
      return plain(narrow(tensor, ints(at, "an axis")[0], start - length, start))
    })
  },
  StridedSlice: (node, [x, begin, end, strides]) => {
    const tensor = tensorOf(x)
    const masks = ["begin_mask", "end_mask", "shrink_axis_mask", "ellipsis_mask", "new_axis_mask"]
    const [beginMask, endMask, shrink, ellipsis, added] = masks.map((name) => int(node, name, 0))
    const [from, to, by] = [begin, end, strides].map((value) => ints(value, "slice bounds"))
    if (ellipsis !== 0 || added !== 0) throw unsupported("slices with new axes or `...` are not imported", node.name)
    if (by.some((step) => step < 1)) throw unsupported("slices backwards are not imported", by.join())
    const starts = tensor.shape.map(() => 0)
    const ends = [...tensor.shape]
    const steps = tensor.shape.map((_, axis) => by[axis] ?? 1)
    const inside = (at: number, length: number) => Math.max(0, Math.min(length, at < 0 ? at + length : at))
    for (const [axis, length] of tensor.shape.entries()) {
      const bit = 1 << axis
      if (axis < from.length && !(beginMask & bit)) starts[axis] = inside(from[axis], length)
      if (shrink & bit) ends[axis] = starts[axis] + 1
      else if (axis < to.length && !(endMask & bit)) ends[axis] = inside(to[axis], length)
    }
    const part = slice(tensor, starts, ends, steps)
    return [
      plain(
        reshape(
          part,
          part.shape.filter((_, axis) => !(shrink & (1 << axis))),
        ),
      ),
    ]
  },

  GatherV2: (_, [x, indices, axis]) => [plain(gather(tensorOf(x), tensorOf(indices), ints(axis, "an axis")[0]))],
  GatherNd: (_, [x, indices]) => {
    const tensor = tensorOf(x)
    const k = indices.tensor.shape[indices.tensor.rank - 1]
    const rows = reshape(tensor, [sizeOf(tensor.shape.slice(0, k)), ...tensor.shape.slice(k)])
    if (isWholeGrid(indices, tensor.shape) && indices.tensor.rank === 2) return [plain(rows)]
    return [plain(gather(rows, flatPositions(tensorOf(indices), tensor.shape), 0))]
  },
  ScatterNd: (_, [indices, updates, shape]) => {
    const full = ints(shape, "a shape")
    const k = indices.tensor.shape[indices.tensor.rank - 1]
    if (isWholeGrid(indices, full)) return [plain(reshape(tensorOf(updates), full))]
    const rows = scatterAdd(tensorOf(updates), flatPositions(tensorOf(indices), full), sizeOf(full.slice(0, k)))
    return [plain(reshape(rows, full))]
  },
}
