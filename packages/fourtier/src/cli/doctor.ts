/** `fourtier doctor <data>`: measures a data set and says what is wrong with it. */

import { basename, join, resolve } from "node:path"
import { formatSeconds, plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import Table from "cli-table3"
import { Command, InvalidArgumentError } from "commander"
import pc from "picocolors"
import { type Clip, type DoctorReport, doctor } from "../video/index.ts"

/** Lines of problems shown before the rest is only counted. */
const SHOWN = 20

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("measure every video of a data set, write its manifest, report what is wrong")
    .argument("<data>", "folder of class folders, folder with tables, or a CSV, TSV or JSONL file")
    .option("-o, --out <file>", "manifest to write (default: runs/<data>/manifest.jsonl)")
    .option("--workers <n>", "worker threads (default: all cores)", wholeNumber)
    .option("--json", "print the report as JSON")
    .action(async (data: string, options: { out?: string; workers?: number; json?: boolean }) => {
      const out = options.out ?? defaultManifest(data)
      const report = await doctor(data, out, terminalReporter(), { workers: options.workers })
      process.stdout.write(
        options.json === true ? `${JSON.stringify(summary(report), null, 2)}\n` : printed(report, out),
      )
      if (report.manifest.clips.length === 0) process.exitCode = 1
    })
}

/** Where the manifest of a data set is kept when nothing else is said. */
export function defaultManifest(data: string): string {
  return join("runs", basename(resolve(data)), "manifest.jsonl")
}

/** Parses a positive whole number of the command line. */
export function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number, 1 or more")
  return value
}

function summary(report: DoctorReport) {
  const { manifest, duplicates, leaks, notes, measured, reused } = report
  return {
    root: manifest.root,
    clips: manifest.clips.length,
    classes: classRows(manifest.clips).map(({ name, clips }) => ({ name, clips: clips.length })),
    quarantine: manifest.quarantine.map(({ relative, reason }) => ({ path: relative, reason })),
    duplicates: duplicates.map((same) => same.map(({ id }) => id)),
    leaks,
    notes,
    measured,
    reused,
  }
}

function printed(report: DoctorReport, out: string): string {
  const { manifest, duplicates, leaks, notes, measured, reused } = report
  const table = new Table({
    head: ["class", "clips", "seconds", "frames", "fps", "size", "codec"],
    style: { head: [], border: [] },
    colAligns: ["left", "right", "right", "right", "right", "left", "left"],
  })
  for (const { name, clips } of classRows(manifest.clips)) table.push(tableRow(name, clips))
  const total = manifest.clips.reduce((sum, { duration }) => sum + duration, 0)
  const lines = [
    table.toString(),
    `${plural(manifest.clips.length, "clip")}, ${plural(manifest.classes.length, "class", "classes")}, ${formatSeconds(total)} of video; ` +
      `${plural(measured, "file")} measured, ${reused} unchanged since the last time`,
    `manifest: ${out}`,
    ...notes.map((note) => `${pc.yellow("note")} ${note}`),
    ...listed("cannot be used", manifest.quarantine, ({ relative, reason }) => `${relative}: ${reason}`),
    ...listed("the same content", duplicates, (same) => same.map(({ relative }) => relative).join(" = ")),
    ...listed(
      "on both sides of a split",
      leaks,
      ({ column, kind, name, sides }) => `${column}: ${kind} ${name} in ${sides.join(" and ")}`,
    ),
  ]
  return `${lines.join("\n")}\n`
}

function classRows(clips: readonly Clip[]): { name: string; clips: Clip[] }[] {
  const rows = new Map<string, Clip[]>()
  for (const clip of clips) {
    for (const label of clip.labels.length > 0 ? clip.labels : ["(no label)"]) {
      rows.set(label, [...(rows.get(label) ?? []), clip])
    }
  }
  return [...rows].map(([name, members]) => ({ name, clips: members })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function tableRow(name: string, clips: readonly Clip[]): string[] {
  const codecs = [...new Set(clips.map(({ codec }) => codec))].sort()
  return [
    name,
    `${clips.length}`,
    range(
      clips.map(({ duration }) => duration),
      1,
    ),
    range(
      clips.map(({ frames }) => frames),
      0,
    ),
    range(
      clips.map(({ fps }) => fps),
      1,
    ),
    `${range(
      clips.map(({ width }) => width),
      0,
    )} × ${range(
      clips.map(({ height }) => height),
      0,
    )}`,
    codecs.join(", "),
  ]
}

/** "3.1" or "2.5 to 4.1" */
function range(values: readonly number[], digits: number): string {
  const low = values.reduce((a, b) => Math.min(a, b)).toFixed(digits)
  const high = values.reduce((a, b) => Math.max(a, b)).toFixed(digits)
  return low === high ? low : `${low} to ${high}`
}

function listed<T>(title: string, items: readonly T[], line: (item: T) => string): string[] {
  if (items.length === 0) return []
  const shown = items.slice(0, SHOWN).map((item) => `  ${line(item)}`)
  const more = items.length > SHOWN ? [`  and ${items.length - SHOWN} more`] : []
  return [`${pc.yellow(`${items.length}`)} ${title}:`, ...shown, ...more]
}
