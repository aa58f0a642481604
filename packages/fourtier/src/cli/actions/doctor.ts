/** Measures a data set and prints what it holds and what is wrong with it. */

import { formatSeconds, plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import pc from "picocolors"
import { namesOf } from "../../classes.ts"
import type { Config } from "../../config.ts"
import { type Division, Job } from "../../shards/job.ts"
import { openCache } from "../../util/cache-folders.ts"
import { terminalTable } from "../../util/table.ts"
import { checkClasses, checkSource, checkSplits, findingOf } from "../../video/checks.ts"
import { type DoctorReport, doctor, type MeasureShare } from "../../video/doctor.ts"
import type { Finding } from "../../video/findings.ts"
import type { Clip, Manifest } from "../../video/manifest.ts"
import { checkMirroring, viewsFor } from "../../video/mirroring.ts"
import { type PlanOptions, planSplits } from "../../video/planned.ts"
import type { Source } from "../../video/source.ts"
import type { ShardOptions } from "../shard-options.ts"
import { divisionOf } from "./division.ts"
import { defaultManifest } from "./folders.ts"
import { printFolded } from "./print-folded.ts"
import { readConfig } from "./read-config.ts"

export interface DoctorCommandOptions extends ShardOptions {
  out?: string
  workers?: number
  json?: boolean
  config?: string
  preset?: string
  set?: string[]
  split?: string
  folds?: string
}

/** Problems of one kind that are listed before the rest is only counted. */
const SHOWN = 20

/** Writes the manifest and prints the report; the exit status is 1 where no clip can be used. */
export async function runDoctor(data: string, options: DoctorCommandOptions): Promise<void> {
  const { out, workers, json = false } = options
  const path = out ?? defaultManifest(data)
  const { value: config } = await readConfig(options)
  const before: Finding[] = []
  const check = (source: Source) => void before.push(...checkSource({ ...source, findings: [] }, config.split))
  const reporter = terminalReporter()
  const { measurements, tests, work } = await openCache(config.cache, reporter)
  const division = divisionOf(options, work, reporter)
  const share = division && shareOf(division)
  const report = await doctor(data, path, reporter, { workers, check, measurements, share })
  if (report === null) {
    reporter.say("  the manifest is written by `fourtier doctor` without --shard, when all parts are done")
    return
  }
  const plan = { folder: tests, write: false, reporter }
  const findings = [...report.findings, ...(await beforeARun(data, report.manifest, before, config, plan))]
  if (json) process.stdout.write(`${JSON.stringify(asJson({ ...report, findings }), null, 2)}\n`)
  else printFolded(asText({ ...report, findings }, path))
  if (report.manifest.clips.length === 0) process.exitCode = 1
}

/** How the measuring is shared. */
function shareOf(division: Division): MeasureShare {
  return {
    whole: division.steal,
    async *blocks(files) {
      const job = await Job.open({
        division,
        kind: "measures",
        title: "measures of videos",
        unit: "files",
        spec: "measures",
        items: files.map(({ relative, windows }) => JSON.stringify([relative, windows])),
        nameOf: (item) => files[item].relative,
        isThere: (item) => files[item].known,
      })
      let ended: "finished" | "stopped" = "stopped"
      try {
        yield* job.all()
        ended = "finished"
      } finally {
        await job.leave(ended)
      }
    },
  }
}

/** What `fourtier run` would say with these settings before it computes anything. */
async function beforeARun(
  data: string,
  manifest: Manifest,
  before: readonly Finding[],
  config: Config,
  plan: PlanOptions,
): Promise<Finding[]> {
  const classes = namesOf(manifest.classes, config)
  const findings = [
    ...before,
    ...checkMirroring(classes, viewsFor(config.views, manifest.clips)),
    ...checkClasses(classes),
  ]
  if (findings.some(({ level }) => level === "error")) return findings
  try {
    return [...findings, ...checkSplits(await planSplits(data, manifest, config.split, plan))]
  } catch (error) {
    return [...findings, findingOf(error)]
  }
}

function asJson({ manifest, duplicates, leaks, notes, findings, measured, reused }: DoctorReport) {
  return {
    root: manifest.root,
    clips: manifest.clips.length,
    classes: clipsByClass(manifest.clips).map(({ name, clips }) => ({ name, clips: clips.length })),
    quarantine: manifest.quarantine.map(({ relative, reason }) => ({ path: relative, reason })),
    duplicates: duplicates.map((same) => same.map(({ id }) => id)),
    leaks,
    notes,
    findings,
    measured,
    reused,
  }
}

function asText(report: DoctorReport, path: string): string {
  const { manifest, duplicates, leaks, notes, findings, measured, reused } = report
  const { clips, classes, quarantine } = manifest
  const right = (title: string) => ({ title, align: "right" as const })
  const columns = [{ title: "class" }, ...["clips", "seconds", "frames", "fps"].map(right)]
  const table = terminalTable(
    [...columns, { title: "size" }, { title: "codec" }],
    clipsByClass(clips).map((row) => [row.name, ...cells(row.clips)]),
  )
  const seconds = clips.reduce((sum, { duration }) => sum + duration, 0)
  const lines = [
    table,
    `${plural(clips.length, "clip")}, ${plural(classes.length, "class", "classes")}, ${formatSeconds(seconds)} of video`,
    `${plural(measured, "file")} measured, ${reused} unchanged since the last time`,
    `manifest: ${path}`,
    ...notes.map((note) => `${pc.yellow("note")} ${note}`),
    ...listed("unusable files", quarantine, ({ relative, reason }) => `${relative}: ${reason}`),
    ...listed("sets of identical clips", duplicates, (same) => same.map(({ relative }) => relative).join(" = ")),
    ...listed(
      "leaks between the sides of a split",
      leaks,
      ({ column, kind, name, sides }) => `${column}: ${kind} ${name} in ${sides.join(" and ")}`,
    ),
    ...findings.map((finding) => {
      const level = finding.level === "error" ? pc.red("error") : pc.yellow("warning")
      return `${level} ${new FourtierError(finding).message}`
    }),
  ]
  return `${lines.join("\n")}\n`
}

function clipsByClass(clips: readonly Clip[]): { name: string; clips: Clip[] }[] {
  const rows = new Map<string, Clip[]>()
  for (const clip of clips) {
    for (const label of clip.labels.length > 0 ? clip.labels : ["(no label)"]) {
      rows.set(label, [...(rows.get(label) ?? []), clip])
    }
  }
  return [...rows].map(([name, members]) => ({ name, clips: members })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Number of clips, seconds, frames, fps, size and codec. */
function cells(clips: readonly Clip[]): string[] {
  // what belongs together stays on a line
  const whole = (text: string) => text.replaceAll(" ", "\u00a0")
  const range = (measure: (clip: Clip) => number, digits = 0) => rangeOf(clips.map(measure), digits)
  return [
    `${clips.length}`,
    range(({ duration }) => duration, 1),
    range(({ frames }) => frames),
    range(({ fps }) => fps, 1),
    `${whole(`${range(({ width }) => width)} ×`)} ${whole(range(({ height }) => height))}`,
    [...new Set(clips.map(({ codec }) => codec))].sort().join(", "),
  ]
}

/** "3.1" or "2.5 to 4.1" */
function rangeOf(values: readonly number[], digits: number): string {
  const low = values.reduce((a, b) => Math.min(a, b)).toFixed(digits)
  const high = values.reduce((a, b) => Math.max(a, b)).toFixed(digits)
  return low === high ? low : `${low} to ${high}`
}

function listed<T>(title: string, items: readonly T[], line: (item: T) => string): string[] {
  if (items.length === 0) return []
  const shown = items.slice(0, SHOWN).map((item) => `  ${line(item)}`)
  const more = items.length > SHOWN ? [`  and ${items.length - SHOWN} more`] : []
  return [`${title}: ${pc.yellow(`${items.length}`)}`, ...shown, ...more]
}
