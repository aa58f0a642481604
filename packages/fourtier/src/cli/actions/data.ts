/** Writes a data set's table, and prints what of it is there. */

import { resolve } from "node:path"
import { plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import pc from "picocolors"
import type { Counts } from "../../datasets/collect.ts"
import type { Dataset } from "../../datasets/dataset.ts"
import { DATASETS, datasetNamed } from "../../datasets/list.ts"
import { type DatasetReport, writeDataset } from "../../datasets/write.ts"
import { terminalTable } from "../../util/table.ts"

export interface DataCommandOptions {
  list?: boolean
  out?: string
  annotations?: string[]
  classes?: string
  wholeVideos?: boolean
  background?: string | true
  windows?: number | true
  stride?: number
  frameRate?: number
  tier?: string
  missing?: string
  json?: boolean
}

/** Label of stretches between segments where none is given. */
const BACKGROUND = "none"

/** Classes up to which each has its line; of more, those that lack most are printed. */
const ALL_CLASSES = 30

/** Classes that are printed then. */
const WORST_CLASSES = 10

const right = (title: string) => ({ title, align: "right" as const })

/** Prints every data set's name and what it reads. */
export function listDatasets({ json = false }: DataCommandOptions): void {
  if (json) {
    const all = DATASETS.map(({ name, title, reads, published }) => ({
      name,
      title,
      reads,
      published: published ?? null,
    }))
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`)
    return
  }
  const widest = Math.max(...DATASETS.map(({ name }) => name.length)) + 2
  for (const { name, title, reads } of DATASETS) {
    process.stdout.write(`${pc.bold(name.padEnd(widest))}${title}\n${" ".repeat(widest)}${reads}\n`)
  }
}

/** @throws FourtierError where name or root are wanting, and what `writeDataset` throws */
export async function tableOfDataset(
  name: string | undefined,
  root: string | undefined,
  options: DataCommandOptions,
): Promise<void> {
  if (name === undefined) {
    const fix = "fourtier data --list prints the names"
    throw new FourtierError({ where: "<name>", what: "an argument is missing", fix })
  }
  if (root === undefined) {
    const fix = options.annotations === undefined ? "fourtier data --help" : "put <root> before --annotations"
    throw new FourtierError({ where: "<root>", what: "an argument is missing", fix })
  }
  const dataset = datasetNamed(name)
  const { annotations = [], classes = null, wholeVideos = false } = options
  const out = options.out ?? `${dataset.name}.csv`
  const background = options.background === true ? BACKGROUND : (options.background ?? null)
  const { frameRate = null, tier = null } = options
  const windows = windowsAsked(options)
  const request = { root, annotations, classes, wholeVideos, background, windows, frameRate, tier }
  const report = await writeDataset(dataset, request, out, terminalReporter())
  if (options.missing !== undefined) {
    await writeFileAtomic(resolve(options.missing), report.missing.map((one) => `${one}\n`).join(""))
  }
  process.stdout.write(options.json === true ? `${JSON.stringify(asJson(report), null, 2)}\n` : asText(report, options))
}

/** @throws FourtierError for a stride without windows */
function windowsAsked(options: DataCommandOptions) {
  const { windows, stride = null } = options
  if (windows !== undefined) return { length: windows === true ? null : windows, stride }
  if (stride === null) return null
  const fix = "add --windows, or leave --stride out"
  throw new FourtierError({ where: "--stride", what: "it is the distance of windows, and there are none", fix })
}

function asJson(report: DatasetReport) {
  const { dataset, out, written, parts, classes, repeated, notes, reasons, missing } = report
  return {
    dataset: dataset.name,
    out,
    written,
    published: dataset.published ?? null,
    parts: Object.fromEntries(parts),
    classes: Object.fromEntries(classes),
    repeated,
    notes,
    unusable: reasons,
    missing: missing.length,
  }
}

function asText(report: DatasetReport, { missing: listed }: DataCommandOptions): string {
  const { dataset, out, written, parts, classes, repeated, notes, reasons, missing } = report
  const labels = [...classes.keys()].filter((label) => label !== "").length
  const lines = [
    partTable(dataset, parts),
    ...classTable(classes),
    `${plural(written, "clip")} of ${plural(labels, "class", "classes")} of ${dataset.title} in ${out}`,
    ...(repeated > 0 ? [note(`${plural(repeated, "row")} left out, as earlier rows name the same clip`)] : []),
    ...notes.map(note),
    ...(reasons.length > 0 ? ["unusable files:", ...reasons.map((reason) => `  ${reason}`)] : []),
    ...(missing.length > 0 && listed === undefined ? ["the names of missing clips: --missing <file>"] : []),
    ...(missing.length > 0 && listed !== undefined ? [`names of ${missing.length} missing clips in ${listed}`] : []),
    `next: fourtier doctor ${out}`,
  ]
  return `${lines.join("\n")}\n`
}

const note = (text: string) => `${pc.yellow("note")} ${text}`

/** Columns for what has become of clips: those that any has become. */
function fates(all: readonly Counts[]): (keyof Counts)[] {
  const rare = ["unlabelled", "contradictory"] as const
  return ["found", "missing", "unusable", ...rare.filter((fate) => all.some((counts) => counts[fate] > 0))]
}

function partTable({ published }: Dataset, parts: ReadonlyMap<string, Counts>): string {
  const order = ["train", "val", "test"]
  const names = [...parts.keys()].sort((a, b) => ((order.indexOf(a) + 4) % 4) - ((order.indexOf(b) + 4) % 4))
  const columns = fates([...parts.values()])
  const rows = names.map((name) => [
    name || "none",
    ...columns.map((fate) => String(parts.get(name)?.[fate] ?? 0)),
    ...(published === undefined ? [] : [String(published.parts[name] ?? "")]),
  ])
  return terminalTable(
    [{ title: "part" }, ...columns.map(right), ...(published === undefined ? [] : [right("published")])],
    rows,
  )
}

/** Of few classes all, of many those that lack most; none where nothing is wanting. */
function classTable(classes: ReadonlyMap<string, Counts>): string[] {
  const lacking = ({ missing, unusable, contradictory }: Counts) => missing + unusable + contradictory
  const all = [...classes].filter(([label]) => label !== "")
  const few = all.length <= ALL_CLASSES
  const shown = few
    ? all.sort(([a], [b]) => (a < b ? -1 : 1))
    : all
        .filter(([, counts]) => lacking(counts) > 0)
        .sort(([, a], [, b]) => lacking(b) - lacking(a))
        .slice(0, WORST_CLASSES)
  if (shown.length === 0) return []
  const columns = fates(shown.map(([, counts]) => counts))
  const table = terminalTable(
    [{ title: few ? "class" : "classes that lack most" }, ...columns.map(right)],
    shown.map(([label, counts]) => [label, ...columns.map((fate) => String(counts[fate]))]),
  )
  return [table]
}
