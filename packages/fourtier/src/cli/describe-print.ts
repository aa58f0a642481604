/** What `fourtier describe` prints. */

import { readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { formatSeconds } from "@fourtier/core"
import Table from "cli-table3"
import pc from "picocolors"
import {
  answersOf,
  type DescriptionCache,
  type Estimate,
  type PromptStats,
  type Provider,
  stripFolder,
} from "../describe/index.ts"

export function printEstimate(estimate: Estimate, provider: Provider): string {
  const number = (value: number | null) => (value === null ? "not known" : Math.round(value).toLocaleString("en"))
  const rows: [string, string][] = [
    ["images go to", provider.destination ?? "nowhere (this process)"],
    ["clips", number(estimate.clips)],
    ["answers wanted", number(estimate.answers)],
    ["requests", number(estimate.requests)],
    ["image tokens", number(estimate.imageTokens)],
    ["text tokens", number(estimate.textTokens)],
    ["answer tokens", number(estimate.outputTokens)],
    [
      "cost",
      estimate.cost === null
        ? "not known: the model has no entry in the price file"
        : `about ${estimate.cost.toFixed(2)} USD`,
    ],
    [
      "time",
      estimate.seconds === null ? "not known before the first answers" : `about ${formatSeconds(estimate.seconds)}`,
    ],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("")
}

/** A clip's strips and answers, replaced ones below the one that holds. */
export function printShown(cache: DescriptionCache, clip: string, json: boolean): string {
  const answers = answersOf(cache, clip)
  const strips = findStrips(stripFolder(cache.path), answers[0].clip)
  if (json) return `${JSON.stringify({ clip: answers[0].clip, strips, answers }, null, 2)}\n`
  const lines = [pc.bold(answers[0].clip), ...strips.map((strip) => `strip: ${strip}`)]
  for (const answer of answers) {
    const question = cache.spec(answer.spec)?.prompt
    lines.push(
      "",
      `${pc.bold(answer.prompt)} ${pc.dim(typeof question === "string" ? question : "")} ${pc.dim(`[${answer.model}, ${answer.by}]`)}`,
    )
    if (answer.flags) lines.push(pc.yellow(`  flagged: ${answer.flags.join(", ")}`))
    lines.push(`  ${answer.answer}`)
    const history = [...cache.history(answer.key)].slice(0, -1)
    for (const old of history) lines.push(pc.dim(`  before (${old.by}, ${old.time}): ${old.answer}`))
  }
  return `${lines.join("\n")}\n`
}

function findStrips(folder: string, clip: string): string[] {
  const inside = join(folder, dirname(clip))
  try {
    const names = readdirSync(inside).filter((name) => name.startsWith(`${basename(clip)}.`) && name.endsWith(".jpg"))
    return names.sort().map((name) => join(inside, name))
  } catch {
    return []
  }
}

export function printStats(stats: readonly PromptStats[]): string {
  if (stats.length === 0) return "no answers yet\n"
  const percent = (share: number | null) => (share === null ? "" : `${(100 * share).toFixed(0)} %`)
  const table = new Table({
    head: ["prompt", "model", "answers", "flagged", "words", "longest", "distinct", "names the class"],
    style: { head: [], border: [] },
    colAligns: ["left", "left", "right", "right", "right", "right", "right", "right"],
  })
  for (const { prompt, model, answers, flagged, meanWords, mostWords, distinct, agreement } of stats) {
    table.push([
      prompt,
      model,
      answers,
      flagged,
      meanWords.toFixed(1),
      mostWords,
      percent(distinct),
      percent(agreement),
    ])
  }
  const lines = [table.toString()]
  for (const { prompt, model, text, flags, phrases, classes } of stats) {
    lines.push("", `${pc.bold(prompt)} ${pc.dim(`[${model}]`)} ${text ?? ""}`)
    const raised = Object.entries(flags)
    if (raised.length > 0) lines.push(`  flags: ${raised.map(([flag, times]) => `${flag} ${times}`).join(", ")}`)
    if (phrases.length > 0)
      lines.push(`  phrases: ${phrases.map((phrase) => `"${phrase.text}" ${percent(phrase.share)}`).join(", ")}`)
    if (classes.length > 0) {
      lines.push(
        `  names the class: ${classes.map(({ label, agreement }) => `${label} ${percent(agreement)}`).join(", ")}`,
      )
    }
  }
  return `${lines.join("\n")}\n`
}
