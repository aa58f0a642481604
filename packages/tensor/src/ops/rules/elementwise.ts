/** Gradients and ONNX forms of element-wise ops. Gradients read as maths; `unbroadcast` alone undoes broadcasting. */

import { scalar, type Tensor } from "../../tensor.ts"
import type { BinaryName, CompareName, ElementwiseOps, UnaryName } from "../attributes.ts"
import {
  add,
  and,
  cast,
  cos,
  div,
  equal,
  exp,
  greater,
  less,
  log,
  mul,
  neg,
  normalCdf,
  pow,
  sigmoid,
  sign,
  sin,
  sub,
  where,
} from "../functions.ts"
import type { OpRule, OpRules } from "../rule.ts"
import { unbroadcast } from "./adjoint.ts"

/** QuickGELU's slope (Hendrycks & Gimpel 2016, the sigmoid form that CLIP uses). */
const QUICK = 1.702

function unary<K extends UnaryName>(
  onnx: string | OpRule<K>["onnx"],
  grad: ((dy: Tensor, x: Tensor, y: Tensor) => Tensor) | null,
): OpRule<K> {
  return {
    grad: (dy, y) => [grad ? grad(dy, y.inputs[0], y) : null],
    onnx: typeof onnx === "string" ? (emit, inputs) => emit.node(onnx, inputs) : onnx,
  }
}

function binary<K extends BinaryName>(
  onnx: string,
  grad: (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor, Tensor],
): OpRule<K> {
  return {
    grad: (dy, y) => {
      const [a, b] = y.inputs
      const [da, db] = grad(dy, a, b, y)
      return [unbroadcast(da, a.shape), unbroadcast(db, b.shape)]
    },
    onnx: (emit, inputs) => emit.node(onnx, inputs),
  }
}

function compare<K extends CompareName>(onnx: string): OpRule<K> {
  return {
    grad: () => [null, null],
    onnx: (emit, inputs) => emit.node(onnx, inputs),
  }
}

/** dy where the condition is true, else 0. */
const masked = (condition: Tensor, dy: Tensor) => where(condition, dy, scalar(0))

/** φ(x) = exp(−x²/2)/√(2π) */
const normalDensity = (x: Tensor) => mul(exp(mul(x, mul(x, -0.5))), 1 / Math.sqrt(2 * Math.PI))

/** dy where a > b, half of it where they are equal. */
function share(dy: Tensor, a: Tensor, b: Tensor): Tensor {
  return add(masked(greater(a, b), dy), mul(masked(equal(a, b), dy), 0.5))
}

const ONNX_DTYPE = { f32: 1, i32: 6, i64: 7, bool: 9, f16: 10 }

export const elementwise: OpRules<ElementwiseOps> = {
  neg: unary("Neg", (dy) => neg(dy)),
  exp: unary("Exp", (dy, _, y) => mul(dy, y)),
  log: unary("Log", (dy, x) => div(dy, x)),
  sqrt: unary("Sqrt", (dy, _, y) => div(mul(dy, 0.5), y)),
  reciprocal: unary("Reciprocal", (dy, _, y) => neg(mul(dy, mul(y, y)))),
  abs: unary("Abs", (dy, x) => mul(dy, sign(x))),
  sign: unary("Sign", null),
  sin: unary("Sin", (dy, x) => mul(dy, cos(x))),
  cos: unary("Cos", (dy, x) => neg(mul(dy, sin(x)))),
  tanh: unary("Tanh", (dy, _, y) => mul(dy, sub(1, mul(y, y)))),
  sigmoid: unary("Sigmoid", (dy, _, y) => mul(dy, mul(y, sub(1, y)))),
  erf: unary("Erf", (dy, x) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  relu: unary("Relu", (dy, x) => masked(greater(x, 0), dy)),
  // x·Φ(x), so d = Φ(x) + x·φ(x)
  gelu: unary("Gelu", (dy, x) => mul(dy, add(normalCdf(x), mul(x, normalDensity(x))))),
  // (1 + erf(x/√2))/2; HardSigmoid is x/2 + 1/2 in one pass, and its bounds are not reached from inside [-1,1]
  normalCdf: unary(
    (emit, [x]) => {
      const error = emit.node("Erf", [emit.node("Mul", [x, emit.floats([Math.SQRT1_2], [])])])
      return emit.node("HardSigmoid", [error], { alpha: { float: 0.5 }, beta: { float: 0.5 } })
    },
    (dy, x) => mul(dy, normalDensity(x)),
  ),
  // x·σ(1.702x), so d = σ + 1.702·y·(1 − σ)
  quickGelu: unary(
    (emit, [x]) => emit.node("Mul", [x, emit.node("Sigmoid", [emit.node("Mul", [x, emit.floats([QUICK], [])])])]),
    (dy, x, y) => {
      const s = sigmoid(mul(x, QUICK))
      return mul(dy, add(s, mul(mul(y, QUICK), sub(1, s))))
    },
  ),
  floor: unary("Floor", null),
  not: unary("Not", null),

  add: binary("Add", (dy) => [dy, dy]),
  sub: binary("Sub", (dy) => [dy, neg(dy)]),
  mul: binary("Mul", (dy, a, b) => [mul(dy, b), mul(dy, a)]),
  div: binary("Div", (dy, _, b, y) => [div(dy, b), neg(div(mul(dy, y), b))]),
  pow: binary("Pow", (dy, a, b, y) => [
    mul(dy, mul(b, pow(a, sub(b, 1)))),
    // a^b·ln a; 0 where a = 0, as the limit for b > 0
    mul(dy, mul(y, log(where(greater(a, 0), a, scalar(1))))),
  ]),
  // ties share the gradient
  maximum: binary("Max", (dy, a, b) => [share(dy, a, b), share(dy, b, a)]),
  minimum: binary("Min", (dy, a, b) => [share(dy, b, a), share(dy, a, b)]),

  equal: compare("Equal"),
  less: compare("Less"),
  greater: compare("Greater"),
  and: compare("And"),
  or: compare("Or"),

  cast: {
    grad: (dy, y) => [y.inputs[0].dtype === "f32" || y.inputs[0].dtype === "f16" ? cast(dy, y.inputs[0].dtype) : null],
    onnx: (emit, inputs, y) => emit.node("Cast", inputs, { to: ONNX_DTYPE[y.attrs.to] }),
  },
  clip: {
    grad: (dy, y) => {
      const [x] = y.inputs
      return [masked(and(greater(x, y.attrs.min), less(x, y.attrs.max)), dy)]
    },
    onnx: (emit, [x], y) => emit.node("Clip", [x, emit.floats([y.attrs.min], []), emit.floats([y.attrs.max], [])]),
  },
  where: {
    grad: (dy, y) => {
      const [condition, a, b] = y.inputs
      const zero = scalar(0)
      return [null, unbroadcast(where(condition, dy, zero), a.shape), unbroadcast(where(condition, zero, dy), b.shape)]
    },
    onnx: (emit, inputs) => emit.node("Where", inputs),
  },
}
