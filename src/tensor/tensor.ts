/**
 * Symbolic tensors: nodes of a static graph, each an op with its inputs, attributes, shape and dtype. Nothing is computed
 * here; `onnx/write.ts` turns a graph into ONNX and `runtime/session.ts` runs it.
 */

import { FourtierError } from "../util/errors.ts"
import { checkHolds, type Data, type DType } from "./dtype.ts"
import type { OpAttrs, OpName } from "./ops/rule.ts"
import { ruleOf } from "./ops/table.ts"
import { type Shape, sizeOf } from "./shape.ts"

export interface TensorType {
  readonly shape: Shape
  readonly dtype: DType
}

let nextId = 0

export class Tensor<K extends OpName = OpName> implements TensorType {
  readonly id = nextId++
  readonly op: K
  readonly inputs: readonly Tensor[]
  readonly attrs: OpAttrs[K]
  readonly shape: Shape
  readonly dtype: DType

  constructor(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K], type: TensorType) {
    this.op = op
    this.inputs = inputs
    this.attrs = attrs
    this.shape = type.shape
    this.dtype = type.dtype
  }

  get rank(): number {
    return this.shape.length
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }
}

/** Whether `tensor` is a node of op `op`; narrows its attributes. */
export function isOp<K extends OpName>(tensor: Tensor, op: K): tensor is Tensor<K> {
  return tensor.op === op
}

/** A node of op `op`, its type inferred by the op's shape rule. */
export function apply<K extends OpName>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor {
  return new Tensor(op, inputs, attrs, ruleOf(op).infer(inputs, attrs))
}

/** A named value fed at run time: data, or a weight. */
export function input(name: string, shape: Shape, dtype: DType = "f32"): Tensor<"input"> {
  return new Tensor("input", [], { name, shape: [...shape], dtype }, { shape: [...shape], dtype })
}

/** A value known when the graph is built. `name` is kept in the ONNX file. */
export function constant(data: Data, shape: Shape, dtype: DType = "f32", name?: string): Tensor<"constant"> {
  checkHolds(`constant ${name ?? ""}`, dtype, data, sizeOf(shape))
  return new Tensor("constant", [], { data, name }, { shape: [...shape], dtype })
}

/** A constant scalar. */
export function scalar(value: number, dtype: DType = "f32"): Tensor {
  return fill([], value, dtype)
}

/** A constant of one value. */
export function fill(shape: Shape, value: number, dtype: DType = "f32"): Tensor {
  const size = sizeOf(shape)
  switch (dtype) {
    case "f32":
      return constant(new Float32Array(size).fill(value), shape, dtype)
    case "i32":
      return constant(new Int32Array(size).fill(value), shape, dtype)
    case "i64":
      return constant(new BigInt64Array(size).fill(BigInt(value)), shape, dtype)
    case "bool":
      return constant(new Uint8Array(size).fill(value), shape, dtype)
    case "f16":
      throw new FourtierError({ where: "fill", what: "no f16 constants", fix: "fill f32 and cast" })
  }
}

/** Every node that `outputs` depend on, inputs before users. */
export function topologicalOrder(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = []
  const done = new Set<Tensor>()
  const stack: { node: Tensor; next: number }[] = []
  for (const output of outputs) {
    if (done.has(output)) continue
    stack.push({ node: output, next: 0 })
    while (stack.length > 0) {
      const top = stack[stack.length - 1]
      const child = top.node.inputs[top.next++]
      if (child === undefined) {
        stack.pop()
        if (!done.has(top.node)) {
          done.add(top.node)
          order.push(top.node)
        }
      } else if (!done.has(child)) {
        stack.push({ node: child, next: 0 })
      }
    }
  }
  return order
}
