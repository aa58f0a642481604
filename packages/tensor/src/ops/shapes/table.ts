/** The shape rule of every op. The mapped type makes a missing rule a compile error. */

import type { OpAttrs } from "../attributes.ts"
import { conv3x3 } from "./conv3x3.ts"
import { convolution } from "./convolution.ts"
import { elementwise } from "./elementwise.ts"
import { indexing } from "./indexing.ts"
import { layout } from "./layout.ts"
import { linear } from "./linear.ts"
import { normalization } from "./normalization.ts"
import { random } from "./random.ts"
import { reduction } from "./reduction.ts"
import { regions } from "./regions.ts"
import type { ShapeRules } from "./rule.ts"

export const shapeRules: ShapeRules<OpAttrs> = {
  ...elementwise,
  ...reduction,
  ...linear,
  ...layout,
  ...indexing,
  ...normalization,
  ...convolution,
  ...conv3x3,
  ...regions,
  ...random,
}
