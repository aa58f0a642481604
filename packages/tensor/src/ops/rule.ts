/** What an op's rule is: its gradient and its ONNX form. Its shape rule is in `shapes/`. */

import type { Shape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import type { ComputedOp } from "./attributes.ts"

/** A value in the ONNX graph under construction: its name. */
export type OnnxName = string

export type OnnxAttr = number | string | { float: number } | readonly number[] | { floats: readonly number[] }

/** What a rule may use to write its ONNX form. Equal nodes are written once. */
export interface Emitter {
  /** Adds a node, returns its output's name. Numbers are int attributes; floats are `{float}`. */
  node(opType: string, inputs: readonly OnnxName[], attrs?: Record<string, OnnxAttr>): OnnxName
  /** A node with several outputs. */
  nodes(opType: string, inputs: readonly OnnxName[], outputs: number, attrs?: Record<string, OnnxAttr>): OnnxName[]
  /** A small constant. */
  ints(values: readonly number[], shape?: Shape): OnnxName
  floats(values: readonly number[], shape?: Shape): OnnxName
  doubles(values: readonly number[], shape?: Shape): OnnxName
}

export interface OpRule<K extends ComputedOp> {
  /**
   * Gradients for the inputs given `dy`, the gradient of the output `y`: null where none flows. A text instead of a
   * function says why there is no gradient; asking for one is then an error that shows it.
   */
  grad: ((dy: Tensor, y: Tensor<K>) => (Tensor | null)[]) | string
  onnx(emit: Emitter, inputs: readonly OnnxName[], y: Tensor<K>): OnnxName
}

/** A rule for each op of a group. */
export type OpRules<Ops> = { readonly [K in Extract<keyof Ops, ComputedOp>]: OpRule<K> }
