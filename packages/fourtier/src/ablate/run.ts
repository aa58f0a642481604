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

import { join } from "node:path"
import type { Reporter } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { hashJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { type Config, type ConfigOptions, loadConfig } from "../config.ts"
import { type TableFormat, tabulate } from "../util/tabulate.ts"
import { Bench } from "./bench.ts"
import { type CellRecord, runCell } from "./cell.ts"
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
 * @throws FourtierError where the reference cell cannot be run, or the cells cannot be compared
 *
 * @example
 * ```ts
 * import { loadConfig, terminalReporter } from "fourtier"
 * import { builtIn, runAblation } from "fourtier/ablate"
 *
 * const options = { config: { file: "config.yaml" }, source: "prompts", reporter: terminalReporter() }
 * const { value: config } = await loadConfig(options.config)
 * const { text } = await runAblation("clips", "runs/clips-prompts", builtIn("prompts", config, "clips"), options)
 * console.log(text)
 * ```
 */
export async function runAblation(
  data: string,
  out: string,
  ablation: Ablation,
  { config: configured, source, labelsPerClass, control = false, reporter, signal }: AblationOptions,
): Promise<AblationReport> {
  const { value: base, print } = await loadConfig(configured)
  const cells = await cellsOf(ablation, configured, source, control)
  const reference = referenceOf(cells, ablation)
  const labels = labelsPerClass ?? [base.labelsPerClass]
  const lacking = new Map(cells.flatMap((cell) => (cell.lacking ? [[cell.name, cell.lacking] as const] : [])))
  const configs = cells.flatMap(({ config }) => (config ? [config] : []))
  await writeFileAtomic(join(out, "config.yaml"), print())
  const bench = new Bench({ data, out, base, configs, reporter, signal })
  const done: CellRuns[] = []
  const training = { trials: 0, seconds: 0, cpuSeconds: 0 }
  let classes: readonly string[] = []
  try {
    // the reference first: prompts that are trained together serve the cells with fewer of them
    const order = [...cells].sort((a, b) => Number(b.name === reference) - Number(a.name === reference))
    for (const count of labels) {
      for (const cell of order) {
        const record = await runnable(cell, count, lacking, { bench, out, reporter, signal })
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

/** Runs a cell; null where it lacks something, which is noted. */
async function runnable(
  cell: Cell,
  labelsPerClass: number | null,
  lacking: Map<string, Lacking>,
  { bench, out, reporter, signal }: { bench: Bench; out: string; reporter: Reporter; signal?: AbortSignal },
): Promise<CellRecord | null> {
  if (!cell.config || lacking.has(cell.name)) return null
  const config: Config = { ...cell.config, labelsPerClass }
  try {
    const lacks = await bench.lacking(config)
    if (lacks) lacking.set(cell.name, lacks)
    else return await runCell(cell.name, config, { bench, out, reporter, signal })
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
