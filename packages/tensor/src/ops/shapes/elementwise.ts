/** Shape rules of element-wise ops: inputs broadcast as in NumPy. */

import type { DType } from "../../dtype.ts"
import { broadcastShapes } from "../../shape.ts"
import type { BinaryName, CompareName, ElementwiseOps, UnaryName } from "../attributes.ts"
import { commonDtype, FLOAT, NUMBERS, type ShapeRule, type ShapeRules } from "./rule.ts"

/** One input, whose type the output has. */
function unary<K extends UnaryName | "clip">(op: K, allowed: readonly DType[] = FLOAT): ShapeRule<K> {
  return ([x]) => ({ shape: x.shape, dtype: commonDtype(op, [x], allowed) })
}

function binary<K extends BinaryName>(op: K): ShapeRule<K> {
  return ([a, b]) => ({ shape: broadcastShapes(op, a.shape, b.shape), dtype: commonDtype(op, [a, b], NUMBERS) })
}

function compare<K extends CompareName>(op: K, allowed: readonly DType[]): ShapeRule<K> {
  return ([a, b]) => {
    commonDtype(op, [a, b], allowed)
    return { shape: broadcastShapes(op, a.shape, b.shape), dtype: "bool" }
  }
}

export const elementwise: ShapeRules<ElementwiseOps> = {
  neg: unary("neg", NUMBERS),
  exp: unary("exp"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  reciprocal: unary("reciprocal"),
  abs: unary("abs", NUMBERS),
  sign: unary("sign", NUMBERS),
  sin: unary("sin"),
  cos: unary("cos"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  erf: unary("erf"),
  relu: unary("relu"),
  gelu: unary("gelu"),
  quickGelu: unary("quickGelu"),
  normalCdf: unary("normalCdf"),
  floor: unary("floor"),
  not: unary("not", ["bool"]),
  clip: unary("clip"),

  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  pow: binary("pow"),
  maximum: binary("maximum"),
  minimum: binary("minimum"),

  equal: compare("equal", [...NUMBERS, "bool"]),
  less: compare("less", NUMBERS),
  greater: compare("greater", NUMBERS),
  and: compare("and", ["bool"]),
  or: compare("or", ["bool"]),

  cast: ([x], { to }) => ({ shape: x.shape, dtype: to }),

  where: ([condition, a, b]) => {
    commonDtype("where", [condition], ["bool"])
    const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", a.shape, b.shape))
    return { shape, dtype: commonDtype("where", [a, b]) }
  },
}
