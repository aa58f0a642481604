/** Settings of both stages that contradict each other, told before anything is computed. */

import type { ContrastiveConfig, ModelConfig } from "@fourtier/core/schemas"
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
export function checkStages({ model, align }: { model: ModelConfig; align: ContrastiveConfig }): void {
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
  if (model.languageWeight > 0 && align.start !== "ridge") {
    const what = "the language classifier needs the retrieval that ridge regression measures"
    throw contradiction(
      "model.languageWeight",
      what,
      "align.start=ridge model.processors=text, or model.languageWeight=0",
    )
  }
}

function contradiction(where: string, what: string, set: string): FourtierError {
  return new FourtierError({ where, what, fix: `set ${set}` })
}
