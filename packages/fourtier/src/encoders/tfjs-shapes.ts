/**
 * Arithmetic on shapes, done while importing: TensorFlow graphs take shapes apart and put them together with ordinary ops
 * on short vectors of whole numbers. As our shapes are static, all of it is known.
 */

import { constant, type Tensor } from "@fourtier/tensor"
import type { TfjsNode } from "./tfjs.ts"
import { knownInts, type Value } from "./tfjs-value.ts"

/** A known scalar or vector. */
interface Known {
  values: number[]
  rank: number
}

type Fold = (node: TfjsNode, inputs: readonly Known[]) => Known | undefined

const vector = (values: number[]): Known => ({ values, rank: 1 })

const folds: Record<string, Fold> = {
  Pack: (_, inputs) =>
    inputs.every(({ rank }) => rank === 0) ? vector(inputs.map(({ values }) => values[0])) : undefined,
  ConcatV2: (_, inputs) => vector(inputs.slice(0, -1).flatMap(({ values }) => values)),
  GatherV2: (_, [x, indices]) => ({ values: indices.values.map((at) => x.values[at]), rank: indices.rank }),
  Prod: (_, [x]) => ({ values: [x.values.reduce((product, value) => product * value, 1)], rank: 0 }),
  Slice: (_, [x, begin, size]) => {
    const [from, length] = [begin.values[0], size.values[0]]
    return vector(x.values.slice(from, length === -1 ? undefined : from + length))
  },
  StridedSlice: (node, [x, begin, end, strides]) => {
    const mask = (name: string) => (node.attributes[name]?.i ?? 0) !== 0
    if (x.rank !== 1 || strides.values[0] !== 1 || mask("ellipsis_mask") || mask("new_axis_mask")) return undefined
    const from = mask("begin_mask") ? 0 : begin.values[0]
    if (mask("shrink_axis_mask")) return { values: x.values.slice(from).slice(0, 1), rank: 0 }
    return vector(x.values.slice(from, mask("end_mask") ? undefined : end.values[0]))
  },
}

/** Whether an op occurs in the arithmetic on shapes. */
export function isFoldable(op: string): boolean {
  return Object.hasOwn(folds, op)
}

/** The result of a node whose inputs are all known scalars or vectors of whole numbers, if it is one that shapes need. */
export function foldInts(node: TfjsNode, inputs: readonly Value[]): Tensor | undefined {
  if (!isFoldable(node.op)) return undefined
  const known: Known[] = []
  for (const value of inputs) {
    const values = value.tensor.rank <= 1 ? knownInts(value) : undefined
    if (!values) return undefined
    known.push({ values, rank: value.tensor.rank })
  }
  const result = folds[node.op](node, known)
  return result && constant(Int32Array.from(result.values), result.rank === 0 ? [] : [result.values.length], "i32")
}
