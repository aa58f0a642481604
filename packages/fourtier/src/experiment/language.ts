/** The words that a method learns from: the answers about the clips themselves or, as its control, about other clips. */

import { hashJson } from "@fourtier/tensor/node"
import { type EmbeddedTexts, shuffledTable } from "../text/targets.ts"
import { isDescribed } from "./examples.ts"
import type { Trial } from "./trial.ts"

export interface Language {
  /** Ends the names of what is trained on it: "" or ", shuffled answers". */
  suffix: string
  text: EmbeddedTexts
}

/**
 * Answers for a method; null where there are none.
 * @param shuffled every training clip has the answers about another one, all prompts together, drawn by the seed
 *
 * @example
 * ```ts
 * import { languageOf, type Trial } from "fourtier/experiment"
 *
 * const control = (trial: Trial) => languageOf(trial, true)?.text.table
 * ```
 */
export function languageOf(trial: Trial, shuffled: boolean): Language | null {
  const { text, prompts } = trial.experiment.settings
  if (!text || prompts.length === 0) return null
  if (!shuffled) return { suffix: "", text }
  const clips = trial.data.train.examples.map(({ id }) => id).filter((id) => isDescribed(id, prompts, text.table))
  const { table, circle } = shuffledTable(text.table, clips, trial.seed)
  return { suffix: ", shuffled answers", text: { ...text, table, id: hashJson([text.id, "shuffled", circle]) } }
}
