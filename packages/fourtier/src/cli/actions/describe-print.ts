/** What `fourtier describe` prints. */

import { readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { formatBytes, formatSeconds } from "@fourtier/core"
import pc from "picocolors"
import type { DescriptionCache } from "../../describe/cache.ts"
import type { Estimate } from "../../describe/estimate.ts"
import { stripFolder } from "../../describe/folder-strips.ts"
import { answersOf, type KnownClip } from "../../describe/manage.ts"
import type { Provider } from "../../describe/provider.ts"
import type { PromptStats } from "../../describe/stats.ts"
import { shownPath } from "../../util/shown-path.ts"
import { type Column, terminalTable } from "../../util/table.ts"

export function formatEstimate(estimate: Estimate, provider: Provider): string {
  const { cost, seconds } = estimate
  const number = (value: number | null) => (value === null ? "unknown" : Math.round(value).toLocaleString("en"))
  const rows: [string, string][] = [
    ["images are sent to", provider.destination ?? "nowhere (the model runs in this process)"],
    ["clips", number(estimate.clips)],
    ...testRows(estimate),
    ["missing answers", number(estimate.answers)],
    ["requests", number(estimate.requests)],
    ...stripRows(estimate),
    ["image tokens", number(estimate.imageTokens)],
    ["text tokens", number(estimate.textTokens)],
    ["answer tokens", number(estimate.outputTokens)],
    [
      "cost",
      cost === null ? "unknown: no price for this model" : cost === 0 ? "nothing" : `about ${cost.toFixed(2)} USD`,
    ],
    ["time", seconds === null ? "unknown until there are answers" : `about ${formatSeconds(seconds)}`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("")
}

function testRows({ testClips }: Estimate): [string, string][] {
  return testClips === 0 ? [] : [["of them test clips", `${testClips}, now or before`]]
}

function stripRows({ strip, uploadBytes, requests, clips }: Estimate): [string, string][] {
  if (!strip) return []
  const times = requests > clips ? `; each strip ${(requests / clips).toFixed(0)} times, once with --ask together` : ""
  return [
    ["strip", `${strip.width} × ${strip.height} pixels, ${formatBytes(strip.bytes)}`],
    ["upload", `${formatBytes(uploadBytes)}${times}`],
  ]
}

/** The strips of a clip and its answers; below each answer, those that it replaced. */
export function formatClip(cache: DescriptionCache, known: KnownClip, json: boolean): string {
  const answers = answersOf(cache, known)
  const clip = known.id
  const strips = findStrips(stripFolder(cache.path), known)
  if (json) return `${JSON.stringify({ clip, strips, answers }, null, 2)}\n`
  const lines = [pc.bold(clip), ...strips.map((strip) => `strip: ${shownPath(strip)}`)]
  for (const { key, prompt, spec, model, by, flags, answer } of answers) {
    const question = cache.spec(spec)?.prompt
    const text = typeof question === "string" ? question : ""
    lines.push("", `${pc.bold(prompt)} ${pc.dim(text)} ${pc.dim(`[${model}, ${by}]`)}`)
    if (flags) lines.push(pc.yellow(`  flagged: ${flags.join(", ")}`))
    lines.push(`  ${answer}`)
    const replaced = [...cache.history(key)].slice(0, -1)
    for (const old of replaced) lines.push(pc.dim(`  before (${old.by}, ${old.time}): ${old.answer}`))
  }
  return `${lines.join("\n")}\n`
}

function findStrips(folder: string, { id, hash }: KnownClip): string[] {
  const inside = join(folder, dirname(id))
  const start = `${basename(id)}.${hash.slice(0, 8)}-`
  try {
    const names = readdirSync(inside).filter((name) => name.startsWith(start) && name.endsWith(".jpg"))
    return names.sort().map((name) => join(inside, name))
  } catch {
    return []
  }
}

const COLUMNS: readonly Column[] = [
  { title: "prompt" },
  { title: "model" },
  ...["answers", "flagged", "words", "longest", "distinct", "names the class"].map((title) => {
    return { title, align: "right" as const }
  }),
]

export function formatStats(stats: readonly PromptStats[]): string {
  const percent = (share: number | null) => (share === null ? "" : `${(100 * share).toFixed(0)} %`)
  const rows = stats.map((row) => [
    row.prompt,
    row.model,
    String(row.answers),
    String(row.flagged),
    row.meanWords.toFixed(1),
    String(row.mostWords),
    percent(row.distinct),
    percent(row.agreement),
  ])
  const lines = [terminalTable(COLUMNS, rows)]
  for (const { prompt, model, text, flags, phrases, classes } of stats) {
    lines.push("", `${pc.bold(prompt)} ${pc.dim(`[${model}]`)} ${text ?? ""}`)
    const list = (title: string, items: string[]) => {
      if (items.length > 0) lines.push(`  ${title}: ${items.join(", ")}`)
    }
    list(
      "flags",
      Object.entries(flags).map(([flag, times]) => `${flag} ${times}`),
    )
    list(
      "phrases",
      phrases.map((phrase) => `"${phrase.text}" ${percent(phrase.share)}`),
    )
    list(
      "names the class",
      classes.map(({ label, agreement }) => `${label} ${percent(agreement)}`),
    )
  }
  return `${lines.join("\n")}\n`
}
