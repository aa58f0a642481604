/** What a run of `describe` has achieved. */

import { plural, type Reporter } from "@fourtier/core"
import type { Provider } from "./provider.ts"

export interface FlaggedAnswer {
  clip: string
  prompt: string
  answer: string
  /** Why it is not to be trusted. */
  flags: string[]
}

export interface FailedQuestion {
  clip: string
  prompt: string
  /** Why there is no answer. */
  reason: string
}

export interface DescribeReport {
  /** Sound answers: clip id → prompt id → text. */
  answers: Map<string, Record<string, string>>
  /** Answers that failed a check. They are not among `answers`. */
  flagged: FlaggedAnswer[]
  /** Questions without an answer. A later run asks them again. */
  failed: FailedQuestion[]
  /** Number of clips that may not be described. */
  withheld: number
  /** Number of sound answers in all, from this run and from the cache. */
  good: number
  /** Number of answers that the cache had already, flagged ones included. */
  cached: number
  /** Number of requests that were answered in this run. */
  requests: number
  /** Number of requests that were sent in this run, those that failed included. */
  sent: number
  /** US dollars spent in this run; null where no price is known. */
  spent: number | null
  /** The limit at which the run ended early, if it did. */
  ended: "budget" | "limit" | null
}

/** Reports it in a few lines. @param wanted number of answers that a complete run has */
export function summarise(
  report: DescribeReport,
  wanted: number,
  { kind, model, settings }: Pick<Provider, "kind" | "model" | "settings">,
  reporter: Reporter,
): void {
  const { flagged, failed, good, cached, requests, sent, spent, ended } = report
  const asked =
    kind === "replay"
      ? `${requests} recorded (${model})`
      : sent === requests
        ? `${plural(requests, "request")} to ${model}`
        : `${plural(sent, "request")} to ${model}, ${requests} answered`
  const cost = spent === null ? "" : `, ${spent.toFixed(4)} USD`
  reporter.say(`  descriptions: ${good} of ${wanted} answers, ${cached} from the cache, ${asked}${cost}`)
  if (ended)
    reporter.warn(`the ${ended === "limit" ? "limit on requests" : "budget"} is used up; run again to continue`)
  list(
    reporter,
    flagged.map(({ clip, prompt, flags }) => `${clip} ${prompt}: ${flags.join(", ")}`),
    plural(flagged.length, "answer is flagged and will not be used", "answers are flagged and will not be used"),
  )
  if (flagged.some(({ flags }) => flags.includes("cut off")) && settings.maxTokens !== undefined) {
    reporter.warn(`answers were cut off at maxTokens ${settings.maxTokens}: raise it in the provider's settings`)
  }
  list(
    reporter,
    failed.map(({ clip, prompt, reason }) => `${clip} ${prompt}: ${reason}`),
    plural(failed.length, "question has no answer", "questions have no answer"),
  )
}

/** The first few lines of a list under a headline. */
function list(reporter: Reporter, lines: string[], headline: string): void {
  if (lines.length === 0) return
  reporter.warn(`${headline}:`)
  for (const line of lines.slice(0, 10)) reporter.say(`    ${line}`)
  if (lines.length > 10) reporter.say(`    and ${lines.length - 10} more`)
}
