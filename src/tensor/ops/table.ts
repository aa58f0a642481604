/** The op table: every op with its rule. The mapped type makes a missing or extra rule a compile error. */

import { convolution } from "./convolution.ts"
import { elementwise } from "./elementwise.ts"
import { indexing } from "./indexing.ts"
import { layout } from "./layout.ts"
import { leaves } from "./leaves.ts"
import { linear } from "./linear.ts"
import { normalization } from "./normalization.ts"
import { random } from "./random.ts"
import { reduction } from "./reduction.ts"
import type { OpName, OpRule, OpTable } from "./rule.ts"
import { stencil } from "./stencil.ts"

let table: OpTable | undefined

function opTable(): OpTable {
  table ??= {
    ...leaves,
    ...elementwise,
    ...reduction,
    ...linear,
    ...layout,
    ...indexing,
    ...normalization,
    ...convolution,
    ...stencil,
    ...random,
  }
  return table
}

export function ruleOf<K extends OpName>(op: K): OpRule<K> {
  return opTable()[op]
}

/** Every op's name, for tests that go through the whole table. */
export function opNames(): OpName[] {
  const names: OpName[] = []
  for (const name in opTable()) if (isOpName(name)) names.push(name)
  return names
}

function isOpName(name: string): name is OpName {
  return name in opTable()
}
