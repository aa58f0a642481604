/** What a describing run came to. */

import { plural, type Reporter } from "@fourtier/core"

export interface FlaggedAnswer {
  clip: string
  prompt: string
  answer: string
  flags: string[]
}

export interface DescribeReport {
  /** Sound answers: clip id → prompt id → text. */
  answers: Map<string, Record<string, string>>
  /** Kept apart: not in `answers`. */
  flagged: FlaggedAnswer[]
  /** Without an answer, and why. A later run asks again. */
  failed: { clip: string; prompt: string; reason: string }[]
  /** Clips that the guard held back. */
  withheld: number
  /** Sound answers there are now, this run's and the cache's. */
  good: number
  /** Answers taken from the cache. */
  cached: number
  /** Requests answered in this run. */
  requests: number
  /** US dollars of this run; null where no price is known. */
  spent: number | null
  /** Why the run ended early, if it did. */
  ended: "budget" | "limit" | null
}

/** Says it in a few lines. @param wanted answers that the run should have */
export function summarise(report: DescribeReport, wanted: number, model: string, reporter: Reporter): void {
  const { flagged, failed, good, cached, requests, spent } = report
  const cost = spent === null ? "" : `, ${spent.toFixed(4)} USD`
  reporter.say(
    `  descriptions: ${good} of ${wanted} answers, ${cached} from the cache, ${plural(requests, "request")} to ${model}${cost}`,
  )
  if (report.ended) reporter.warn(`the ${report.ended} was reached; run again to go on`)
  list(
    reporter,
    flagged.map(({ clip, prompt, flags }) => `${clip} ${prompt}: ${flags.join(", ")}`),
    "flagged answers are kept apart",
  )
  list(
    reporter,
    failed.map(({ clip, prompt, reason }) => `${clip} ${prompt}: ${reason}`),
    "prompts have no answer",
  )
}

/** The first few lines of a list, under a headline with its length. */
function list(reporter: Reporter, lines: string[], headline: string): void {
  if (lines.length === 0) return
  reporter.warn(`${lines.length} ${headline}:`)
  for (const line of lines.slice(0, 10)) reporter.say(`    ${line}`)
  if (lines.length > 10) reporter.say(`    and ${lines.length - 10} more`)
}
