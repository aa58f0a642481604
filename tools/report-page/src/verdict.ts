/** What a difference with its interval and p-value comes to, in words: the same everywhere. */

import type { page } from "./data.ts"
import { chance } from "./format.ts"

/** Below this, sign flips speak against chance as well. */
const LEVEL = 0.05

export interface Verdict {
  kind: "more" | "less" | "leaning" | "open"
  /** Goes on after "+5.0 points against …, ". */
  clause: string
}

export function verdictOf({ low, high, p }: page.PairedDifference): Verdict {
  const shown = p < 0.001 ? `p ${chance(p)}` : `p = ${chance(p)}`
  const away = low > 0 || high < 0
  if (away && p < LEVEL) return { kind: low > 0 ? "more" : "less", clause: `which is more than chance (${shown})` }
  if (away)
    return { kind: "leaning", clause: `which so few groups do not settle (the interval leaves out zero, but ${shown})` }
  return { kind: "open", clause: `which may be chance (${shown})` }
}
