/**
 * Gradients and ONNX forms of RoIAlign and its transpose. RoIAlign is linear in the map and separable: a box's cells are
 * Y·x·Xᵀ, where Y [rows,H] and X [columns,W] hold how much each place counts in each cell. ONNX has the op itself; its
 * transpose is written with the matrices.
 */

import { apply } from "../../tensor.ts"
import type { RegionOps } from "../attributes.ts"
import type { Emitter, OnnxName, OpRules } from "../rule.ts"

/** Corners stay within as many lengths of the map on either side: what a box costs grows with its area. */
const REACH = 8

export const regions: OpRules<RegionOps> = {
  roiAlign: {
    grad: (dy, y) => {
      const [x, boxes, maps] = y.inputs
      const [B, , H, W] = x.shape
      return [apply("roiScatter", [dy, boxes, maps], { ...y.attrs, shape: [B, H, W] }), null, null]
    },
    onnx: (emit, [x, boxes, maps], y) => {
      const [rows, columns] = y.attrs.size
      const [, , H, W] = y.inputs[0].shape
      return emit.node("RoiAlign", [x, withinReach(emit, boxes, H, W), maps], {
        mode: "avg",
        coordinate_transformation_mode: "half_pixel",
        output_height: rows,
        output_width: columns,
        sampling_ratio: y.attrs.samples,
        spatial_scale: { float: 1 },
      })
    },
  },

  roiScatter: {
    grad: (dy, y) => {
      const [, boxes, maps] = y.inputs
      const { size, samples } = y.attrs
      return [apply("roiAlign", [dy, boxes, maps], { size, samples }), null, null]
    },
    onnx: (emit, [updates, boxes, maps], y) => {
      const { size, samples, shape } = y.attrs
      const [rows, columns] = size
      const [R, C] = y.inputs[0].shape
      const [B, H, W] = shape
      const [x1, y1, x2, y2] = emit.nodes("Split", [withinReach(emit, boxes, H, W)], 4, { axis: 1, num_outputs: 4 })
      const Y = cellWeights(emit, y1, y2, rows, H, samples) // [R,rows,H]
      const X = cellWeights(emit, x1, x2, columns, W, samples) // [R,columns,W]
      const outer = emit.node("Mul", [
        emit.node("Unsqueeze", [Y, emit.ints([2, 4])]), // [R,rows,1,H,1]
        emit.node("Unsqueeze", [X, emit.ints([1, 3])]), // [R,1,columns,1,W]
      ])
      const weights = emit.node("Reshape", [outer, emit.ints([R, rows * columns, H * W])], { allowzero: 1 })
      const cells = emit.node("Reshape", [updates, emit.ints([R, C, rows * columns])], { allowzero: 1 })
      const places = emit.node("MatMul", [cells, weights]) // [R,C,H·W]
      const zeros = emit.node("Expand", [emit.floats([0], []), emit.ints([B, C, H * W])])
      const indices = emit.node("Unsqueeze", [maps, emit.ints([1])])
      const summed = emit.node("ScatterND", [zeros, indices, places], { reduction: "add" })
      return emit.node("Reshape", [summed, emit.ints([B, C, H, W])])
    },
  },
}

/** NaN becomes 0, and corners stay within reach of the map: boxes [R,4] that the op can be asked for. */
function withinReach(emit: Emitter, boxes: OnnxName, H: number, W: number): OnnxName {
  const numbers = emit.node("Where", [emit.node("IsNaN", [boxes]), emit.floats([0], []), boxes])
  const low = emit.floats([-REACH * W, -REACH * H, -REACH * W, -REACH * H])
  const high = emit.floats([(1 + REACH) * W, (1 + REACH) * H, (1 + REACH) * W, (1 + REACH) * H])
  return emit.node("Min", [emit.node("Max", [numbers, low]), high])
}

/**
 * How much each of `length` places counts in each of `cells` cells along one axis: [R,cells,length].
 * @param from the boxes' lower ends [R,1]; to: their upper ends
 */
function cellWeights(
  emit: Emitter,
  from: OnnxName,
  to: OnnxName,
  cells: number,
  length: number,
  samples: number,
): OnnxName {
  const column = (x: OnnxName) => emit.node("Unsqueeze", [x, emit.ints([2, 3])]) // [R,1] -> [R,1,1,1]
  const half = emit.floats([0.5], [])
  const start = emit.node("Sub", [from, half])
  const cell = emit.node("Div", [emit.node("Sub", [emit.node("Sub", [to, half]), start]), emit.floats([cells], [])])
  const count = samples > 0 ? emit.floats([samples], [1, 1]) : emit.node("Ceil", [cell]) // samples of a cell [R,1]
  const divisor = emit.node("Max", [count, emit.floats([1], [])])
  // the largest count; 1 where there is no box
  const counts = emit.node("Concat", [divisor, emit.floats([1], [1, 1])], { axis: 0 })
  const most = emit.node("ReduceMax", [counts], { keepdims: 0 })
  const sample = emit.node("Reshape", [
    emit.node("Range", [emit.floats([0], []), most, emit.floats([1], [])]),
    emit.ints([1, 1, -1, 1]),
  ])
  // place of every sample [R,cells,S,1]: start + cell·(number of the cell + (sample + 1/2)/count)
  const within = emit.node("Div", [emit.node("Add", [sample, half]), column(divisor)])
  const numbers = emit.floats(
    Array.from({ length: cells }, (_, i) => i),
    [1, cells, 1, 1],
  )
  const place = emit.node("Add", [column(start), emit.node("Mul", [emit.node("Add", [within, numbers]), column(cell)])])
  const counted = emit.node("Less", [sample, column(count)])
  const inside = emit.node("And", [
    emit.node("GreaterOrEqual", [place, emit.floats([-1], [])]),
    emit.node("LessOrEqual", [place, emit.floats([length], [])]),
  ])
  const weight = emit.node("Where", [
    emit.node("And", [counted, inside]),
    emit.node("Reciprocal", [column(divisor)]),
    emit.floats([0], []),
  ])
  // bilinear: 1 − distance to a place, 0 from distance 1 on
  const held = emit.node("Clip", [place, emit.floats([0], []), emit.floats([length - 1], [])])
  const axis = emit.floats(
    Array.from({ length }, (_, i) => i),
    [1, 1, 1, length],
  )
  const distance = emit.node("Abs", [emit.node("Sub", [held, axis])])
  const near = emit.node("Relu", [emit.node("Sub", [emit.floats([1], []), distance])])
  return emit.node("ReduceSum", [emit.node("Mul", [near, weight]), emit.ints([2])], { keepdims: 0 })
}
