/**
 * Symbolic tensors: nodes of a static graph, each an op with its inputs, attributes, shape and dtype. Nothing is computed
 * here; `onnx/write.ts` turns a graph into ONNX and `runtime/session.ts` runs it.
 */

import { checkHolds, type Data, type DType } from "./dtype.ts"
import { FourtierError } from "./errors.ts"
import type { ComputedOp, OpAttrs, OpName } from "./ops/attributes.ts"
import { shapeRules } from "./ops/shapes/table.ts"
import { type Shape, sizeOf, type TensorType } from "./shape.ts"

/**
 * A node of a graph. The functions of this package make them; shapes are checked as they do.
 *
 * @example
 * ```ts
 * import { input, matmul, type Tensor } from "@fourtier/tensor"
 *
 * const y: Tensor = matmul(input("x", [8, 3]), input("w", [3, 2]))
 * y.op // "matmul"
 * y.shape // [8, 2]
 * y.inputs.length // 2
 * ```
 */
export class Tensor<K extends OpName = OpName> implements TensorType {
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

  /** Number of axes. */
  get rank(): number {
    return this.shape.length
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }
}

/**
 * Whether `tensor` is a node of op `op`; narrows its attributes.
 *
 * @example
 * ```ts
 * import { add, input, isOp } from "@fourtier/tensor"
 *
 * const [x] = add(input("x", [2]), 1).inputs
 * if (isOp(x, "input")) console.log(x.attrs.name) // "x"
 * ```
 */
export function isOp<K extends OpName>(tensor: Tensor, op: K): tensor is Tensor<K> {
  return tensor.op === op
}

/** Whether `tensor` is computed from inputs: neither an input of the graph nor a constant. */
export function isComputed(tensor: Tensor): tensor is Tensor<ComputedOp> {
  return tensor.op !== "input" && tensor.op !== "constant"
}

/** A node of op `op`, its type inferred by the op's shape rule. */
export function apply<K extends ComputedOp>(op: K, inputs: readonly Tensor[], attrs: OpAttrs[K]): Tensor {
  return new Tensor(op, inputs, attrs, shapeRules[op](inputs, attrs))
}

/**
 * A named value fed at run time: data, or a weight.
 *
 * @example
 * ```ts
 * import { evaluate, input, mul } from "@fourtier/tensor"
 *
 * const x = input("x", [3])
 * const { y } = await evaluate({ outputs: { y: mul(x, 2) } }, { x: Float32Array.of(1, 2, 3) }) // 2, 4, 6
 * ```
 */
export function input(name: string, shape: Shape, dtype: DType = "f32"): Tensor<"input"> {
  return new Tensor("input", [], { name, shape: [...shape], dtype }, { shape: [...shape], dtype })
}

/**
 * A value known when the graph is built.
 *
 * @param data elements in row-major order, in the array type of `dtype`
 * @param name kept in the ONNX file
 * @throws FourtierError when `data` does not fit the shape or the dtype
 *
 * @example
 * ```ts
 * import { constant } from "@fourtier/tensor"
 *
 * const weight = constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])
 * const labels = constant(BigInt64Array.of(2n, 0n), [2], "i64")
 * ```
 */
export function constant(data: Data, shape: Shape, dtype: DType = "f32", name?: string): Tensor<"constant"> {
  checkHolds(`constant ${name ?? ""}`, dtype, data, sizeOf(shape))
  return new Tensor("constant", [], { data, name }, { shape: [...shape], dtype })
}

/**
 * A constant scalar. Where a function takes a number beside a tensor, the number will do.
 *
 * @example
 * ```ts
 * import { input, scalar, where } from "@fourtier/tensor"
 *
 * where(input("mask", [4], "bool"), input("x", [4]), scalar(0)).shape // [4]
 * ```
 */
export function scalar(value: number, dtype: DType = "f32"): Tensor {
  return fill([], value, dtype)
}

/**
 * A constant whose elements are all `value`. Throws a FourtierError for f16.
 *
 * @example
 * ```ts
 * import { fill } from "@fourtier/tensor"
 *
 * fill([2, 3], 0.5) // [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
 * ```
 */
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
      throw new FourtierError({ where: "fill", what: "f16 constants cannot be filled", fix: "fill f32 and cast" })
  }
}

/**
 * Every node that `outputs` depend on, each after its inputs.
 *
 * @example
 * ```ts
 * import { add, exp, input, topologicalOrder } from "@fourtier/tensor"
 *
 * const x = input("x", [2])
 * topologicalOrder([add(exp(x), x)]).map(({ op }) => op) // ["input", "exp", "add"]
 * ```
 */
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
