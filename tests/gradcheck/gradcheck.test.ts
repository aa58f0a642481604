/** Every op's gradient, and the gradient of its gradient, against finite differences. */

import { grad, input, mul, sum, topologicalOrder } from "@fourtier/tensor"
import { describe, expect, test } from "vitest"
import { opNames } from "../../packages/tensor/src/ops/table.ts"
import { cases } from "./cases.ts"
import { gradientError } from "./check.ts"

/** Relative to the largest derivative of the input: see check.ts. */
const BOUND = { 1: 1e-4, 2: 2e-4 } as const

const WITHOUT_CASE = new Set(["conv", "pool"])

test("every op of the table has a case", () => {
  const covered = new Set([...Object.keys(cases), ...WITHOUT_CASE])
  expect(opNames().filter((op) => !covered.has(op))).toEqual([])
})

for (const [op, variants] of Object.entries(cases)) {
  describe(op, () => {
    for (const { title, feds, build } of variants) {
      const inputs = feds.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
      test(`${title} uses the op`, () => {
        expect(topologicalOrder([build(...inputs)]).map((node) => node.op)).toContain(op)
      })
      for (const order of [1, 2] as const) {
        test(`${title} order ${order}`, async () => {
          expect(await gradientError(build, feds, order)).toBeLessThan(BOUND[order])
        })
      }
    }
  })
}

test("a target that the loss does not depend on gets zeros", () => {
  const [x, y] = [input("x", [2]), input("y", [3])]
  const [dy] = grad(sum(mul(x, x)), [y])
  expect(dy.shape).toEqual([3])
  expect(dy.op).toBe("constant")
})

test("only scalars are differentiated", () => {
  const x = input("x", [2])
  expect(() => grad(mul(x, x), [x])).toThrow(/only a scalar/)
})
