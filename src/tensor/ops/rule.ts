/**
 * What an op is: its attributes, and one rule with its shape inference, gradient and ONNX form. `OpAttrs` lists every op;
 * `table.ts` must hold a rule for each, or the project does not compile.
 */

import type { Data, DType } from "../dtype.ts"
import type { Shape } from "../shape.ts"
import type { Tensor, TensorType } from "../tensor.ts"

type None = Record<never, never>

export type UnaryName =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "reciprocal"
  | "abs"
  | "sign"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "relu"
  | "gelu"
  | "quickGelu"
  | "normalCdf"
  | "floor"
  | "not"
export type BinaryName = "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum"
export type CompareName = "equal" | "less" | "greater" | "and" | "or"
export type ReduceName = "sum" | "mean" | "max" | "min"

export interface ReduceAttrs {
  axes: readonly number[]
  keepDims: boolean
}

export interface ConvAttrs {
  strides: readonly number[]
  /** Per spatial axis: zeros before and after. */
  pads: readonly (readonly [number, number])[]
  dilations: readonly number[]
  groups: number
}

export interface PoolAttrs {
  kind: "max" | "average"
  kernel: readonly number[]
  strides: readonly number[]
  pads: readonly (readonly [number, number])[]
  /** Whether the zeros of the border count in an average. */
  countPad: boolean
}

export interface ResizeAttrs {
  /** New lengths of the last axes. */
  size: readonly number[]
  mode: "nearest" | "linear" | "cubic"
  /** How output positions map to input positions. `half-pixel` is PyTorch's `align_corners=False`. */
  coordinates: "half-pixel" | "align-corners" | "asymmetric"
}

type Attrs = {
  [K in UnaryName | BinaryName | CompareName]: None
} & { [K in ReduceName]: ReduceAttrs } & {
  input: { name: string; shape: Shape; dtype: DType }
  constant: { data: Data; name: string | undefined }
  cast: { to: DType }
  /** Limits values to [min, max]. */
  clip: { min: number; max: number }
  /** inputs: condition (bool), value where true, value where false */
  where: None
  argmax: { axis: number; keepDims: boolean }
  matmul: { transposeA: boolean; transposeB: boolean }
  /** softmax(scores)·v over the last axis: inputs scores [..,M,K], v [..,K,D]. */
  attend: None
  reshape: { shape: Shape }
  transpose: { permutation: readonly number[] }
  expand: { shape: Shape }
  slice: { starts: readonly number[]; ends: readonly number[]; steps: readonly number[] }
  pad: { pads: readonly (readonly [number, number])[]; value: number }
  concat: { axis: number }
  gather: { axis: number }
  /** Sums rows of `updates` into zeros: inputs updates [n.., rest], indices [n..]; output [size, rest]. */
  scatterAdd: { size: number }
  /** One element along `axis` per place of the indices (numpy's take_along_axis). */
  takeAlong: { axis: number }
  /** Transpose of takeAlong: sums updates into zeros of length `size` on `axis`. */
  scatterAlong: { axis: number; size: number }
  softmax: { axis: number }
  logSoftmax: { axis: number }
  /** Over the last axis; inputs x, scale, bias. `out` picks the value, the mean or 1/standard deviation. */
  layerNorm: { epsilon: number; out: "value" | "mean" | "invStd" }
  /** inputs x [B,C,..], scale, bias, mean, variance [C]; inference form. */
  batchNorm: { epsilon: number }
  conv: ConvAttrs
  pool: PoolAttrs
  resize: ResizeAttrs
  /** x [..,H,W,D] -> [..,H,W,9·D]: each place's 3×3 neighbours row by row, zeros outside. */
  neighbours: None
  /** The 3×3 convolution of x [..,H,W,Din] with weight [3,3,Din,Dout], zeros outside. */
  conv3x3: None
  /** Uniform numbers in [0,1) from a counter-based hash of (seed input i64 [], salt, position). */
  randomUniform: { shape: Shape; salt: number }
}

/** Every op and its attributes. */
export type OpAttrs = { [K in keyof Attrs]: Attrs[K] }
export type OpName = keyof OpAttrs

/** A value in the ONNX graph under construction: its name. */
export type OnnxName = string

export type OnnxAttr = number | string | { float: number } | readonly number[] | { floats: readonly number[] }

/** What a rule may use to write its ONNX form. Equal nodes are written once. */
export interface Emitter {
  /** Adds a node, returns its output's name. Whole numbers are int attributes; floats are `{float}`. */
  node(opType: string, inputs: readonly OnnxName[], attrs?: Record<string, OnnxAttr>): OnnxName
  /** A node with several outputs. */
  nodes(opType: string, inputs: readonly OnnxName[], outputs: number, attrs?: Record<string, OnnxAttr>): OnnxName[]
  /** A small constant. */
  ints(values: readonly number[], shape?: Shape): OnnxName
  floats(values: readonly number[], shape?: Shape): OnnxName
  doubles(values: readonly number[], shape?: Shape): OnnxName
}

export interface OpRule<K extends OpName> {
  /** The output's type; throws a FourtierError that names the op when the inputs do not fit. */
  infer(inputs: readonly Tensor[], attrs: OpAttrs[K]): TensorType
  /**
   * Gradients for the inputs given `dy`, the gradient of the output `y`: null where none flows. A text instead of a
   * function says why there is no gradient; asking for one is then an error that shows it.
   */
  grad: ((dy: Tensor, y: Tensor<K>) => (Tensor | null)[]) | string
  onnx(emit: Emitter, inputs: readonly OnnxName[], y: Tensor<K>): OnnxName
}

export type OpTable = { readonly [K in OpName]: OpRule<K> }
