/** The values that pass between imported TensorFlow nodes: tensors that know how their axes are laid out. */

import { FourtierError, isOp, type Shape, type Tensor, transpose } from "@fourtier/tensor"
import type { TfjsNode } from "./tfjs.ts"

/** A TensorFlow value: rank-4 maps may be held channels-first. */
export interface Value {
  readonly tensor: Tensor
  readonly layout: "tensorflow" | "channels-first"
}

/** A value in TensorFlow's own axes. */
export function plain(tensor: Tensor): Value {
  return { tensor, layout: "tensorflow" }
}

/** The tensor of a value, axes as in TensorFlow: [B,C,H,W] -> [B,H,W,C] where it is held the other way. */
export function tensorOf({ tensor, layout }: Value): Tensor {
  return layout === "tensorflow" ? tensor : transpose(tensor, [0, 2, 3, 1])
}

/** The tensor of a rank-4 value as [B,C,H,W]. */
export function channelsFirst({ tensor, layout }: Value): Tensor {
  return layout === "channels-first" ? tensor : transpose(tensor, [0, 3, 1, 2])
}

/** A value's shape, axes as in TensorFlow. */
export function shapeOf({ tensor, layout }: Value): Shape {
  if (layout === "tensorflow") return tensor.shape
  const [b, c, h, w] = tensor.shape
  return [b, h, w, c]
}

/** The whole numbers of a value that is known while importing, or undefined. */
export function knownInts({ tensor }: Value): number[] | undefined {
  return isOp(tensor, "constant") && tensor.dtype === "i32" ? Array.from(tensor.attrs.data, Number) : undefined
}

/** Makes the values of a node's outputs from those of its inputs. */
export type OpImporter = (node: TfjsNode, inputs: readonly Value[]) => readonly Value[]

/** Whole numbers that must be known while importing. */
export function ints(value: Value | undefined, what: string): number[] {
  const known = value && knownInts(value)
  if (!known) throw unsupported(`${what} must be known while importing`, "a computed value")
  return known
}

/** An attribute that is true or false; false where it is missing. */
export function flag(node: TfjsNode, name: string): boolean {
  return node.attributes[name]?.b ?? false
}

/** What of the graph cannot be imported. */
export function unsupported(what: string, found: string): FourtierError {
  return new FourtierError({ what, found })
}
