/** The method: processors aligned with text, their integration, blocks and classifier (paper Figure 2a). */

import { mul } from "@fourtier/tensor"
import { buildHead } from "../head.ts"
import { prototypeScores } from "../prototypes.ts"
import { defineMethod } from "./method.ts"

export const fullMethod = defineMethod({
  name: "full",
  trainedBy: "finetune",
  aligned: true,
  build:
    ({ prompts, model, space }) =>
    (input, size, classes, dropout) => {
      const { logits, values, trained, processors } = buildHead(input, size, classes, prompts, model, dropout)
      const network = { logits, trained, frozen: processors }
      if (!space || values.size === 0 || model.prototypeWeight === 0) return network
      const { logProbabilities, frozen } = prototypeScores(values, classes, space)
      return { ...network, prototypes: { scores: mul(logProbabilities, model.prototypeWeight), frozen } }
    },
})
