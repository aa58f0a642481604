/** The full network without processors (Table 7, group 1): the baseline that every report must show. */

import { buildHead } from "../head.ts"
import { defineMethod } from "./method.ts"

export const baselineMethod = defineMethod({
  name: "baseline",
  trainedBy: "finetune",
  aligned: false,
  build:
    ({ model }) =>
    ({ m }, size, classes, dropout) => {
      const { logits, first, trained } = buildHead(m, new Map(), size, classes, model, dropout)
      return { logits, first, trained, frozen: [] }
    },
})
