/** Settings of both stages that contradict each other, told before anything is computed. */

import type { ContrastiveConfig, ModelConfig, ScheduleConfig } from "@fourtier/core/schemas"
import { FourtierError } from "@fourtier/tensor"

/**
 * @throws FourtierError that names the setting and its mend
 *
 * @example
 * ```ts
 * import { loadConfig } from "fourtier"
 * import { checkStages } from "fourtier/experiment"
 *
 * const { value } = await loadConfig({ set: ["align.start=ridge"] })
 * checkStages(value) // throws: ridge needs processors of the text space
 * ```
 */
export function checkStages({ model, align }: { model: ModelConfig; align: ContrastiveConfig & ScheduleConfig }): void {
  const text = model.processors === "text"
  if (align.start === "ridge" && !text) {
    throw contradiction("align.start", "ridge needs processors of the text space", "model.processors=text")
  }
  if (align.similarity === "flat" && text) {
    const what = "flat is for processors of the map's space; positional processors keep frame and place by themselves"
    throw contradiction("align.similarity", what, "align.similarity=pooled model.processorWeights=positional")
  }
  if (model.languageWeight > 0 && align.similarity !== "pooled") {
    throw contradiction(
      "model.languageWeight",
      "the language classifier reads pooled embeddings",
      "align.similarity=pooled",
    )
  }
  if (model.languageWeight > 0 && align.start !== "ridge" && align.holdOut === 0) {
    const what = "the language classifier needs the retrieval that ridge regression or held-out clips measure"
    throw contradiction(
      "model.languageWeight",
      what,
      "align.start=ridge model.processors=text, or align.holdOut=0.2, or model.languageWeight=0",
    )
  }
  if (model.processorHidden !== null && (!text || align.start === "ridge")) {
    const what = "a hidden layer is for processors of the text space that InfoNCE trains"
    throw contradiction(
      "model.processorHidden",
      what,
      "model.processors=text align.start=random align.epochs=150 align.holdOut=0.2, or model.processorHidden=null",
    )
  }
  if (align.refine && align.start !== "ridge") {
    throw contradiction("align.refine", "ridge regression is what refines an alignment", "align.start=ridge")
  }
  if (align.holdOut > 0 && align.epochs === 0) {
    const what =
      "without epochs, ridge regression is all of stage 1: it measures retrieval by folds, and learns from all clips"
    throw contradiction("align.holdOut", what, "align.holdOut=0, or align.epochs above 0")
  }
}

function contradiction(where: string, what: string, set: string): FourtierError {
  return new FourtierError({ where, what, fix: `set ${set}` })
}
