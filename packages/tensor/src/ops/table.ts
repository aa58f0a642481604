/** The gradient and the ONNX form of every op. The mapped type makes a missing rule a compile error. */

import type { ComputedOp, OpAttrs } from "./attributes.ts"
import type { OpRule, OpRules } from "./rule.ts"
import { conv3x3 } from "./rules/conv3x3.ts"
import { convolution } from "./rules/convolution.ts"
import { elementwise } from "./rules/elementwise.ts"
import { indexing } from "./rules/indexing.ts"
import { layout } from "./rules/layout.ts"
import { linear } from "./rules/linear.ts"
import { normalization } from "./rules/normalization.ts"
import { random } from "./rules/random.ts"
import { reduction } from "./rules/reduction.ts"
import { regions } from "./rules/regions.ts"

const table: OpRules<OpAttrs> = {
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

export function ruleOf<K extends ComputedOp>(op: K): OpRule<K> {
  return table[op]
}

/** The name of every op, for tests that go through the whole table. */
export function opNames(): ComputedOp[] {
  const isOpName = (name: string): name is ComputedOp => name in table
  return Object.keys(table).filter(isOpName)
}
