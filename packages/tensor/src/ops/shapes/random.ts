/** Shape rule of random numbers. */

import { FourtierError } from "../../errors.ts"
import { showShape } from "../../shape.ts"
import type { RandomOps } from "../attributes.ts"
import type { ShapeRules } from "./rule.ts"

export const random: ShapeRules<RandomOps> = {
  randomUniform: (inputs, { shape }) => {
    for (const [i, { dtype, shape: own }] of inputs.entries()) {
      if (dtype === "i64" && own.length === 0) continue
      throw new FourtierError({
        where: "tensor op randomUniform",
        what: `the ${i === 0 ? "seed" : "first position"} is not a scalar integer`,
        expected: "i64 []",
        found: `${dtype} ${showShape(own)}`,
      })
    }
    return { shape, dtype: "f32" }
  },
}
