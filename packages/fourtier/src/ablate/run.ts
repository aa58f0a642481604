/**
 * Runs an ablation: the cells that are missing, one after another, and the tables of all.
 *
 * ```
 * definition ─ cells ─┬─ clips, features, texts: once for all cells that share them
 *                     ├─ stage 1: once for each prompt, from the cache of alignments
 *                     └─ stage 2 of each cell ─► cells/<name>/cell.json ─► ablation.json, .md, .csv, .tex
 * ```
 * A cell that is done is not run again; one that was interrupted goes on where it was. Cells are not run side by side: the engine
 * uses all cores already, and with fewer threads a cell's last bits need not be those of the same training in `fourtier run`.
 */

import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { hashJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { type Config, type ConfigOptions, loadConfig } from "../config.ts"
import { type Division, Job } from "../shards/job.ts"
import { type TableFormat, tabulate } from "../util/tabulate.ts"
import { Bench } from "./bench.ts"
import { type CellOptions, type CellRecord, cellFile, labelText, runCell } from "./cell.ts"
import { type Cell, cellsOf, type Lacking, lackingOf, referenceOf } from "./cells.ts"
import type { Ablation } from "./definition.ts"
import { type AblationResults, type CellRuns, summariseAblation } from "./results.ts"
import { ablationTables, explainAblation } from "./tables.ts"

export interface AblationOptions {
  /** The configuration that the cells are laid over. */
  config: ConfigOptions
  /** Where the ablation comes from, for errors: a file, or the name of a built-in one. */
  source: string
  /** Numbers of labels per class, each a group of columns; null: all labels. Default: as configured. */
  labelsPerClass?: readonly (number | null)[]
  /** Whether cells with prompts are also run with shuffled answers. */
  control?: boolean
  reporter: Reporter
  signal?: AbortSignal
  /** Which cells are this process's, where several share the work; absent: all. */
  division?: Division
}

export interface AblationReport {
  results: AblationResults
  /** Tables for a terminal. */
  text: string
  /** Paths of the files written. */
  files: string[]
}

/**
 * Runs the cells that are missing, and writes all tables into `out`.
 * @param data folder or table of clips
 * @returns null where the work is divided, and other parts of it are not done yet
 * @throws FourtierError where the reference cell cannot be run, or the cells cannot be compared
 *
 * @example
 * ```ts
 * import { loadConfig, terminalReporter } from "fourtier"
 * import { builtIn, runAblation } from "fourtier/ablate"
 *
 * const options = { config: { file: "config.yaml" }, source: "prompts", reporter: terminalReporter() }
 * const { value: config } = await loadConfig(options.config)
 * const report = await runAblation("clips", "runs/clips-prompts", builtIn("prompts", config, "clips"), options)
 * console.log(report?.text)
 * ```
 */
export async function runAblation(
  data: string,
  out: string,
  ablation: Ablation,
  { config: configured, source, labelsPerClass, control = false, reporter, signal, division }: AblationOptions,
): Promise<AblationReport | null> {
  const { value: base, print } = await loadConfig(configured)
  const cells = await cellsOf(ablation, configured, source, control)
  const reference = referenceOf(cells, ablation)
  const labels = labelsPerClass ?? [base.labelsPerClass]
  const lacking = new Map(cells.flatMap((cell) => (cell.lacking ? [[cell.name, cell.lacking] as const] : [])))
  const configs = cells.flatMap(({ config }) => (config ? [config] : []))
  await writeFileAtomic(join(out, "config.yaml"), print())
  const bench = new Bench({ data, out, base, configs, reporter, signal })
  const run: Running = { bench, out, reporter, signal, lacking, journal: join(out, "journal.jsonl") }
  const done: CellRuns[] = []
  const training = { trials: 0, seconds: 0, cpuSeconds: 0 }
  let classes: readonly string[] = []
  try {
    // the reference first: prompts that are trained together serve the cells with fewer of them
    const order = [...cells].sort((a, b) => Number(b.name === reference) - Number(a.name === reference))
    if (division && !(await runDivided(order, labels, hashJson([base, ablation]), run, division))) return null
    for (const count of labels) {
      for (const cell of order) {
        const record = await runnable(cell, count, run)
        if (!record) {
          if (cell.name === reference) throw withoutReference(cell, lacking.get(cell.name), source)
          continue
        }
        if (cell.name === reference) classes = record.classes
        else checkClasses(cell, record.classes, classes, reference)
        done.push({ cell, labelsPerClass: count, runs: record.runs })
        training.trials += record.trials.length
        for (const { seconds, cpuSeconds } of record.trials) {
          training.seconds += seconds
          training.cpuSeconds += cpuSeconds
        }
      }
    }
  } finally {
    await bench.close()
  }
  const configHash = hashJson(base)
  const { exclude } = base
  const common = { ablation, data, cells, lacking, reference, classes, exclude, done, training, configHash }
  return writeAblation(out, summariseAblation(common))
}

interface Running extends CellOptions {
  /** Cells that cannot be run, and why. */
  lacking: Map<string, Lacking>
}

/**
 * Runs this process's share of the cells, each done by one of those that share the work.
 * @returns whether all cells are done, by whomever
 */
async function runDivided(
  cells: readonly Cell[],
  labels: readonly (number | null)[],
  spec: string,
  run: Running,
  division: Division,
): Promise<boolean> {
  const { out, reporter, signal } = run
  const items = labels.flatMap((count) =>
    cells.map((cell) => ({ cell, count, name: `${cell.name}, ${labelText(count)}` })),
  )
  const isThere = (item: number) => existsSync(cellFile(out, items[item].cell.name, items[item].count))
  const job = await Job.open({
    division: { ...division, blockSize: 1 },
    kind: "cells",
    title: `cells of ${basename(out)}`,
    unit: "cells",
    spec,
    items: items.map(({ name }) => name),
    nameOf: (item) => items[item].name,
    isThere,
  })
  await job.during(async () => {
    for await (const block of job.all(signal)) {
      for (const item of block.items) {
        const { cell, count } = items[item]
        const record = await runnable(cell, count, { ...run, journal: join(out, "journals", `${job.worker}.jsonl`) })
        await block.tick(item, record ? undefined : (run.lacking.get(cell.name)?.reason ?? "it cannot be run"))
      }
      await block.finish()
    }
  }, signal)
  const left = items.filter(({ cell }, item) => !isThere(item) && !run.lacking.has(cell.name))
  if (division.steal || left.length === 0) return true
  reporter.say(`${plural(left.length, "cell is", "cells are")} other parts': whoever is last writes the tables`)
  return false
}

/** Runs a cell; null where it lacks something, which is noted. */
async function runnable(
  cell: Cell,
  labelsPerClass: number | null,
  { lacking, ...options }: Running,
): Promise<CellRecord | null> {
  const { bench, reporter } = options
  if (!cell.config || lacking.has(cell.name)) return null
  const config: Config = { ...cell.config, labelsPerClass }
  try {
    const lacks = await bench.lacking(config)
    if (lacks) lacking.set(cell.name, lacks)
    else return await runCell(cell.name, config, options)
  } catch (error) {
    // what a cell lacks is told when it is opened: a checkpoint, a package, answers
    if (!(error instanceof FourtierError)) throw error
    lacking.set(cell.name, lackingOf(error))
  }
  const { reason } = lacking.get(cell.name) ?? { reason: "" }
  reporter.warn(`${cell.name}: not run: ${reason}`)
  return null
}

function withoutReference({ name, lacking: own }: Cell, lacks: Lacking | undefined, source: string): FourtierError {
  const { reason, fix } = lacks ?? own ?? { reason: "", fix: null }
  return new FourtierError({
    where: source,
    what: `${name}, which the other cells are compared with, cannot be run: ${reason}`,
    ...(fix === null ? {} : { fix }),
  })
}

function checkClasses({ name }: Cell, own: readonly string[], classes: readonly string[], reference: string): void {
  if (String(own) === String(classes)) return
  throw new FourtierError({
    where: name,
    what: `has other classes than ${reference}, so the two cannot be compared`,
    expected: classes.join(", "),
    found: own.join(", "),
    fix: "leave `classes` and `split` to the configuration",
  })
}

/** Writes `ablation.json` and its tables as Markdown, CSV and LaTeX. */
async function writeAblation(out: string, results: AblationResults): Promise<AblationReport> {
  const { shape, parts, all } = ablationTables(results)
  const shown = (format: TableFormat) =>
    [...[shape, ...parts].map((table) => tabulate(table, format)), `${explainAblation(results)}\n`].join("\n")
  const files = ["ablation.json", "ablation.md", "ablation.csv", "ablation.tex"].map((name) => join(out, name))
  const [json, markdown, csv, latex] = files
  await writeJson(json, results)
  await writeFileAtomic(markdown, shown("markdown"))
  await writeFileAtomic(csv, tabulate(all, "csv"))
  await writeFileAtomic(latex, [shape, ...parts].map((table) => tabulate(table, "latex")).join("\n"))
  return { results, text: shown("terminal"), files }
}
