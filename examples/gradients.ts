/**
 * Gradients of a small function, as graphs of the same ops: f(x, y) = Σ x·sin(y), its gradients sin(y) and x·cos(y), and one
 * second derivative, −x·sin(y).
 */

import { cos, grad, input, mul, Session, sin, sum, type Values } from "@fourtier/tensor"

/** @returns value and derivatives at `x` and `y`, arrays of equal length n: f [], dx, dy and ddy [n], formula [n] */
export async function main(x = Float32Array.of(1, 2, 3), y = Float32Array.of(0, 0.5, 1)): Promise<Values> {
  const n = x.length
  const [u, v] = [input("x", [n]), input("y", [n])]
  const f = sum(mul(u, sin(v)))
  const [dx, dy] = grad(f, [u, v])
  // each element of dy depends on its own element of y alone, so the gradient of the sum is the diagonal of the Hessian
  const [ddy] = grad(sum(dy), [v])
  const session = await Session.compile({ outputs: { f, dx, dy, ddy, formula: mul(u, cos(v)) } })
  try {
    return await session.run({ x, y })
  } finally {
    await session.release()
  }
}

if (process.argv[1] === import.meta.filename) console.log(await main())
