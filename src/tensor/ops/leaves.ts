/** Inputs and constants: the writer gives them their ONNX form. */

import type { OpRule } from "./rule.ts"

export const leaves: { input: OpRule<"input">; constant: OpRule<"constant"> } = {
  input: {
    infer: (_, attrs) => attrs,
    grad: () => [],
    onnx: (_, __, y) => y.attrs.name,
  },
  constant: {
    infer: () => {
      throw new Error("internal error: constants carry their own type")
    },
    grad: () => [],
    onnx: (_, inputs) => inputs[0],
  },
}
