/** What is wrong with a data set, in the form of an error: where, what, and what to do about it. */

import type { Reporter } from "@fourtier/core"
import { type Complaint, FourtierError } from "@fourtier/tensor"

export interface Finding extends Complaint {
  /** "error": a run ends with it. "warning": a run goes on, and its figures may not mean what they seem to. */
  level: "error" | "warning"
  fix: string
}

/** A few of many, for an error's text. */
export function examples(items: readonly string[], shown = 3): string {
  const more = items.length - shown
  return more > 0 ? `${items.slice(0, shown).join(", ")} and ${more} more` : items.join(", ")
}

/** Warns of what is doubtful. @throws FourtierError for what a run would end with */
export function tell(findings: readonly Finding[], reporter: Reporter): void {
  const messages = (level: Finding["level"]) =>
    findings.filter((finding) => finding.level === level).map((finding) => new FourtierError(finding))
  for (const { message } of messages("warning")) reporter.warn(message)
  const [first, ...others] = messages("error")
  if (first === undefined) return
  if (others.length === 0) throw first
  const all = [first, ...others].map(({ message }) => message.replaceAll("\n", "\n  "))
  throw new FourtierError({ what: `the data has ${all.length} problems\n  ${all.join("\n  ")}` })
}
