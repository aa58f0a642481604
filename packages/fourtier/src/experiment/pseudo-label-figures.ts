/** Figures of pseudo-labels: how many there are, what speaks for them, and how well they fit. */

import type { Evidence } from "@fourtier/core/train"

export interface PseudoLabelFigures {
  /** Whose answers: "" the clips' own, ", shuffled answers" for the control. */
  answers: string
  /** Clips that got one. */
  clips: number
  /** Clips whose answers resemble no class: they are left out. */
  none: number
  /** What speaks for them, and whether it was enough to use them. */
  evidence: Evidence
  /** Those whose label is known, and how many of them got it. */
  known: number
  right: number
  /** How much each prompt counts. */
  promptWeights: Record<string, number>
}

/**
 * The figures in one line; where labels of the clips are known, also for how many the pseudo-label is right.
 *
 * @example
 * ```ts
 * import { formatFigures, type PseudoLabelFigures } from "fourtier/experiment"
 *
 * // "168 clips; evidence 75 to 1 from clips, 310 to 1 from 12 labels (11 right); right for 96.4 % of …"
 * const show = (figures: PseudoLabelFigures) => formatFigures(figures)
 * ```
 */
export function formatFigures({ clips, none, evidence, known, right, promptWeights }: PseudoLabelFigures): string {
  const weights = Object.entries(promptWeights).map(([prompt, weight]) => `${prompt} ${weight.toFixed(2)}`)
  const share = ((100 * right) / known).toFixed(1)
  return [
    `${clips} clips${evidence.accepted ? "" : ", not used"}`,
    ...(none === 0 ? [] : [`${none} resemble no class`]),
    `evidence ${odds(evidence.clips)} from clips, ${odds(evidence.labels)} from ${evidence.checked} labels (${evidence.right} right)`,
    ...(known === 0 ? [] : [`right for ${share} % of ${known} whose label was held back`]),
    `prompt weights ${weights.join(", ")}`,
  ].join("; ")
}

/** "75 to 1", "1 to 4", "over 1000 to 1" */
function odds(evidence: number): string {
  if (evidence > 1000) return "over 1000 to 1"
  if (evidence < 1 / 1000) return "1 to over 1000"
  return evidence >= 1 ? `${Number(evidence.toPrecision(2))} to 1` : `1 to ${Number((1 / evidence).toPrecision(2))}`
}
