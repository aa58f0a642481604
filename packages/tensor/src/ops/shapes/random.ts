/** Shape rule of random numbers. */

import { FourtierError } from "../../errors.ts"
import { showShape } from "../../shape.ts"
import type { RandomOps } from "../attributes.ts"
import type { ShapeRules } from "./rule.ts"

export const random: ShapeRules<RandomOps> = {
  randomUniform: ([seed], { shape }) => {
    if (seed.dtype !== "i64" || seed.shape.length !== 0) {
      throw new FourtierError({
        where: "tensor op randomUniform",
        what: "the seed is not a scalar integer",
        expected: "i64 []",
        found: `${seed.dtype} ${showShape(seed.shape)}`,
      })
    }
    return { shape, dtype: "f32" }
  },
}
