/** The method: processors aligned with text, their integration, blocks and classifier (paper Figure 2a). */

import { add, mul, type Tensor } from "@fourtier/tensor"
import type { Param } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../../schemas/model.ts"
import { buildHead } from "../head.ts"
import { languageScores } from "../language.ts"
import { buildProcessors } from "../processor.ts"
import { prototypeScores } from "../prototypes.ts"
import type { AlignmentSpace } from "../space.ts"
import { defineMethod } from "./method.ts"

export const fullMethod = defineMethod({
  name: "full",
  trainedBy: "finetune",
  aligned: true,
  build:
    ({ prompts, model, space }) =>
    ({ m, pooled }, size, classes, dropout) => {
      const { values, params } = buildProcessors(pooled, prompts, model, space?.textWidth ?? size.D)
      const { logits, first, trained } = buildHead(m, values, size, classes, model, dropout)
      const network = { logits, first, trained, frozen: params }
      const language = space && values.size > 0 ? scoresOf(values, classes, model, space) : null
      return language ? { ...network, language } : network
    },
})

/** What stage 1 has learned, read for the classes; null where the model does without. */
function scoresOf(
  values: ReadonlyMap<string, Tensor>,
  classes: number,
  model: ModelConfig,
  space: AlignmentSpace,
): { scores: Tensor; frozen: Param[] } | null {
  const parts: { scores: Tensor; frozen: Param[] }[] = []
  if (model.prototypeWeight > 0) {
    const { logProbabilities, frozen } = prototypeScores(values, classes, space, model.processors)
    parts.push({ scores: mul(logProbabilities, model.prototypeWeight), frozen })
  }
  if (model.languageWeight > 0) {
    const { scores, frozen } = languageScores(values, classes)
    parts.push({ scores: mul(scores, model.languageWeight), frozen })
  }
  if (parts.length === 0) return null
  return {
    scores: parts.map(({ scores }) => scores).reduce((sum, scores) => add(sum, scores)),
    frozen: parts.flatMap(({ frozen }) => frozen),
  }
}
