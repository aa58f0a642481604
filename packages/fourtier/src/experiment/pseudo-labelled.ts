/** Training clips without a usable label, with the classes that the answers about them suggest, and how well those fit. */

import { join } from "node:path"
import { csvLine } from "@fourtier/core"
import type { PseudoLabelsConfig } from "@fourtier/core/schemas"
import { checkPseudoLabels, type Example, type FeatureSet, pseudoLabel, type Taught } from "@fourtier/core/train"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { type EmbeddedTexts, meanRow, trainingTargets } from "../text/targets.ts"
import { formatFigures, type PseudoLabelFigures } from "./pseudo-label-figures.ts"
import type { Trial } from "./trial.ts"

export interface TrainingClips {
  /** All training clips. */
  train: FeatureSet<Example>
  /** Those whose labels may be used. */
  labelled: FeatureSet
  /** Class numbers of those that have one, also where it may not be used: the figures come from them, nothing else does. */
  known: ReadonlyMap<string, number>
}

/**
 * The clips that stage 2 of an aligned method learns from: labelled ones and, with the classes that the answers suggest, those
 * without a label. Writes the suggestions down as `pseudo-labels.csv`. Null where there are none, or they are not to be trusted.
 *
 * @example
 * ```ts
 * import { addPseudoLabels, type Trial } from "fourtier/experiment"
 *
 * // Clips that stage 2 learns from.
 * const clipsOf = async (trial: Trial) => (await addPseudoLabels(trial)) ?? trial.data.labelled
 * ```
 */
export async function addPseudoLabels(trial: Trial): Promise<FeatureSet<Taught> | null> {
  const { text, pseudoLabels, classes, reporter } = trial.experiment.settings
  if (!text || !pseudoLabels) return null
  const found = addPseudoLabelled(trial.data, text, pseudoLabels)
  if (!found) return null
  trial.result.pseudoLabels = found.figures
  reporter.say(`pseudo-labels: ${formatFigures(found.figures)}`)
  await writeFileAtomic(join(trial.folder, "pseudo-labels.csv"), pseudoLabelTable(found.probabilities, classes))
  if (!found.figures.used) {
    reporter.warn(
      found.figures.check.clips === 0
        ? "pseudo-labels cannot be checked, since no labelled clip has answers: clips without a label are left out of stage 2; describe some labelled clips"
        : "the answers do not identify the classes: clips without a label are left out of stage 2 (pseudoLabels.minAccuracy)",
    )
    return null
  }
  return { source: trial.data.train.source, examples: found.examples }
}

/**
 * The labelled clips and, if the check is good enough, those that the answers give a class; null where there are no
 * such.
 *
 * @example
 * ```ts
 * import { pseudoLabelsSchema } from "@fourtier/core/schemas"
 * import { addPseudoLabelled, type ExperimentSettings, type TrainingClips } from "fourtier/experiment"
 *
 * function figures(clips: TrainingClips, { text }: ExperimentSettings) {
 *   return text && addPseudoLabelled(clips, text, pseudoLabelsSchema.parse({}))?.figures
 * }
 * ```
 */
export function addPseudoLabelled(
  { train, labelled, known }: TrainingClips,
  { table, names, width }: EmbeddedTexts,
  config: PseudoLabelsConfig,
): {
  examples: readonly Taught[]
  probabilities: ReadonlyMap<string, readonly number[]>
  figures: PseudoLabelFigures
} | null {
  if (labelled.examples.length === train.examples.length) return null
  const labels = new Map(labelled.examples.map(({ id, label }) => [id, label]))
  const pooled = new Map(
    [...table].map(([prompt, byClip]) => [
      prompt,
      new Map([...byClip].map(([id, vector]) => [id, meanRow(vector, width)] as const)),
    ]),
  )
  const texts = trainingTargets(pooled, new Set(train.examples.map(({ id }) => id)), { center: true })
  const { probabilities, promptWeights } = pseudoLabel({ texts, names, labels }, config)
  const check = checkPseudoLabels({ texts, names, labels }, config)
  const used = check.clips > 0 && check.right >= config.minAccuracy * check.clips
  const added = train.examples.flatMap((example): Taught[] => {
    const label = probabilities.get(example.id)
    return label ? [{ ...example, label }] : []
  })
  if (added.length === 0) return null
  const checked = [...probabilities].filter(([id]) => known.has(id))
  const right = checked.filter(([id, row]) => row.indexOf(Math.max(...row)) === known.get(id)).length
  const counts = { clips: added.length, check, used, known: checked.length, right }
  return {
    examples: used ? [...labelled.examples, ...added] : labelled.examples,
    probabilities,
    figures: { ...counts, promptWeights: Object.fromEntries(promptWeights) },
  }
}

/**
 * A table for people to check: clip, class, its probability; the least sure first.
 *
 * @example
 * ```ts
 * import { pseudoLabelTable } from "fourtier/experiment"
 *
 * const probabilities = new Map([["jump/b", [0.9, 0.1]]])
 * pseudoLabelTable(probabilities, ["jump", "wave"]) // "clip,label,probability\njump/b,jump,0.9000\n"
 * ```
 */
export function pseudoLabelTable(
  probabilities: ReadonlyMap<string, readonly number[]>,
  classes: readonly string[],
): string {
  const rows = [...probabilities].map(([clip, row]) => {
    const most = Math.max(...row)
    return { clip, label: classes[row.indexOf(most)], most }
  })
  rows.sort((a, b) => a.most - b.most)
  return (
    csvLine(["clip", "label", "probability"]) +
    rows.map(({ clip, label, most }) => csvLine([clip, label, most.toFixed(4)])).join("")
  )
}
