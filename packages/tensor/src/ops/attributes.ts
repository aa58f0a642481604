/**
 * Every op and its attributes, in groups. Two tables are total over these names, so an op without an entry is a compile
 * error: `shapes/table.ts` holds its shape rule, `table.ts` its gradient and its ONNX form.
 */

import type { Data, DType } from "../dtype.ts"
import type { Shape } from "../shape.ts"

type None = Record<never, never>

/** Zeros, or another value, before and after each axis. */
export type Pads = readonly (readonly [before: number, after: number])[]

/** Values that a graph starts from. They state their own type, and have no inputs. */
export interface SourceOps {
  input: { name: string; shape: Shape; dtype: DType }
  constant: { data: Data; name: string | undefined }
}

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

export interface ElementwiseOps extends Record<UnaryName | BinaryName | CompareName, None> {
  cast: { to: DType }
  /** Limits values to [min, max]. */
  clip: { min: number; max: number }
  /** Inputs: condition (bool), value where true, value where false. */
  where: None
}

export type ReduceName = "sum" | "mean" | "max" | "min"

export interface ReduceAttrs {
  axes: readonly number[]
  keepDims: boolean
}

export interface ReductionOps extends Record<ReduceName, ReduceAttrs> {
  argmax: { axis: number; keepDims: boolean }
}

export interface LinearOps {
  matmul: { transposeA: boolean; transposeB: boolean }
  /** softmax(scores)·v over the last axis: inputs scores [..,M,K], v [..,K,D]. */
  attend: None
}

/** Ops that move elements without changing them. */
export interface LayoutOps {
  reshape: { shape: Shape }
  transpose: { permutation: readonly number[] }
  expand: { shape: Shape }
  slice: { starts: readonly number[]; ends: readonly number[]; steps: readonly number[] }
  pad: { pads: Pads; value: number }
  concat: { axis: number }
}

export interface IndexingOps {
  gather: { axis: number }
  /** Sums rows of `updates` into zeros: inputs updates [n.., rest], indices [n..]; output [size, rest]. */
  scatterAdd: { size: number }
  /** One element along `axis` for each index (NumPy's take_along_axis). */
  takeAlong: { axis: number }
  /** Transpose of takeAlong: sums updates into zeros of length `size` on `axis`. */
  scatterAlong: { axis: number; size: number }
}

export interface NormalizationOps {
  softmax: { axis: number }
  logSoftmax: { axis: number }
  /** Over the last axis; inputs x, scale, bias. `out` picks the value, the mean or 1/standard deviation. */
  layerNorm: { epsilon: number; out: "value" | "mean" | "invStd" }
  /** Inputs x [B,C,..], scale, bias, mean, variance [C]; inference form. */
  batchNorm: { epsilon: number }
}

export interface ConvAttrs {
  strides: readonly number[]
  /** Per spatial axis. */
  pads: Pads
  dilations: readonly number[]
  groups: number
}

export interface PoolAttrs {
  kind: "max" | "average"
  kernel: readonly number[]
  strides: readonly number[]
  /** Per spatial axis. */
  pads: Pads
  /** Whether padding counts in an average. */
  countPad: boolean
}

export interface ResizeAttrs {
  /** New lengths of the last axes. */
  size: readonly number[]
  mode: "nearest" | "linear" | "cubic"
  /** How output positions map to input positions. `half-pixel` is PyTorch's `align_corners=False`. */
  coordinates: "half-pixel" | "align-corners" | "asymmetric"
}

/** Ops on channel-first maps [B,C,space..]. */
export interface ConvolutionOps {
  conv: ConvAttrs
  pool: PoolAttrs
  resize: ResizeAttrs
}

/** Trainable 3×3 convolution on token-major maps [..,H,W,D]. */
export interface Conv3x3Ops {
  /** x [..,H,W,D] -> [..,H,W,9·D]: the 3×3 neighbours of each place, row by row, zeros outside the map. */
  im2col3x3: None
  /** Inputs x [..,H,W,Din], weight [3,3,Din,Dout]; zeros outside the map. */
  conv3x3: None
}

export interface RoiAttrs {
  /** Cells of a box: rows, columns. */
  size: readonly [rows: number, columns: number]
  /** Samples of a cell along each axis; 0: one for every place of the map that the cell spans. */
  samples: number
}

/** Regions of channel-first maps [B,C,H,W]: boxes [R,4] x1, y1, x2, y2 in places, the map of each box [R]. */
export interface RegionOps {
  /** Inputs x [B,C,H,W], boxes, maps; output [R,C,rows,columns]. */
  roiAlign: RoiAttrs
  /** Transpose of roiAlign: inputs updates [R,C,rows,columns], boxes, maps; output [B,C,H,W], `shape` being [B,H,W]. */
  roiScatter: RoiAttrs & { shape: readonly [maps: number, height: number, width: number] }
}

export interface RandomOps {
  /** Uniform numbers in [0,1) from a counter-based hash of (seed input i64 [], salt, position); a second input i64 [] is the first position. */
  randomUniform: { shape: Shape; salt: number }
}

/** The attributes of every op. */
export interface OpAttrs
  extends SourceOps,
    ElementwiseOps,
    ReductionOps,
    LinearOps,
    LayoutOps,
    IndexingOps,
    NormalizationOps,
    ConvolutionOps,
    Conv3x3Ops,
    RegionOps,
    RandomOps {}

export type OpName = keyof OpAttrs

/** Ops that compute their output from inputs: all but the sources. */
export type ComputedOp = Exclude<OpName, keyof SourceOps>
