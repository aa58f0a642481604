/** Figures of pseudo-labels: how many there are, and how well they fit. */

/** How well the answers' classes fit, on clips whose label was held back. */
export interface PseudoLabelFigures {
  /** Clips that got one. */
  clips: number
  /** Labelled clips that were treated as if they had no label, and how many of them got their own. */
  check: { clips: number; right: number }
  /** Whether the check was good enough; never without a labelled clip that has answers. */
  used: boolean
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
 * import { formatFigures } from "fourtier/experiment"
 *
 * const check = { clips: 12, right: 11 }
 * formatFigures({ clips: 168, check, used: true, known: 0, right: 0, promptWeights: { A: 5.7 } })
 * // "168 clips; check: 11 of 12 labelled clips get their own label; prompt weights A 5.7"
 * ```
 */
export function formatFigures({ clips, check, used, known, right, promptWeights }: PseudoLabelFigures): string {
  const weights = Object.entries(promptWeights).map(([prompt, weight]) => `${prompt} ${weight.toFixed(1)}`)
  const share = ((100 * right) / known).toFixed(1)
  return [
    `${clips} clips${used ? "" : ", not used"}`,
    `check: ${check.right} of ${check.clips} labelled clips get their own label`,
    ...(known === 0 ? [] : [`right for ${share} % of ${known} whose label was held back`]),
    `prompt weights ${weights.join(", ")}`,
  ].join("; ")
}
