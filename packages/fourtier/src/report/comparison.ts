/** A comparison of runs as tables, and the gains of the classes as a picture (Figures B1 to B3 of the paper). */

import { groupBy } from "@fourtier/core"
import type { FigureName } from "@fourtier/core/metrics"
import type { ComparedPair, Comparison } from "../evaluate/compare.ts"
import { formatLevel } from "../util/figures.ts"
import { wrapText } from "../util/table.ts"
import { type FigureCell, type FigureTable, type TableFormat, tabulate } from "../util/tabulate.ts"
import { barChart } from "./plot.ts"

/** The parts of a comparison that can be had one by one. */
export const COMPARISON_TABLES = ["figures", "differences", "classes"] as const
export type ComparisonTable = (typeof COMPARISON_TABLES)[number]

/** Classes shown of those that gain most, and of those that lose most, where all would be too many. */
const MOST = 10

/**
 * Writes tables of a comparison. CSV has one table for all splits and pairs, and all classes; for people, each has tables of its own,
 * and classes are the ten that gain most and the ten that lose most.
 *
 * @example
 * ```ts
 * import { compareRuns, readRun } from "fourtier/evaluate"
 * import { writeComparison } from "fourtier/report"
 *
 * const runs = [await readRun("runs/a"), await readRun("runs/b")]
 * console.log(writeComparison(compareRuns(runs), "markdown", ["figures", "differences"]))
 * ```
 */
export function writeComparison(
  comparison: Comparison,
  format: TableFormat,
  tables: readonly ComparisonTable[] = COMPARISON_TABLES,
): string {
  const { runs, pairs } = comparison
  const parts = tables.flatMap((table) => {
    if (format === "csv") return [WHOLE[table](comparison)]
    if (table === "figures") {
      return [...groupBy(runs, ({ split }) => split).values()].map((own) =>
        figuresTable({ ...comparison, runs: own }, false),
      )
    }
    if (table === "differences") return pairs.map((pair) => differencesTable({ ...comparison, pairs: [pair] }, false))
    return pairs.map((pair) => classesTable(comparison, [pair], MOST))
  })
  const texts = parts.map((part) => tabulate(part, format))
  const { notes } = comparison
  if (format === "csv" || notes.length === 0) return texts.join("\n")
  const lines = notes.map((note) => {
    return format === "latex" ? `% ${note}` : format === "terminal" ? wrapText(`- ${note}`) : `- ${note}`
  })
  return [...texts, `${lines.join("\n")}\n`].join("\n")
}

const TITLES: Readonly<Record<FigureName, string>> = {
  top1: "top-1 %",
  top5: "top-5 %",
  meanClass: "mean class %",
  macroF1: "macro F1 %",
  nll: "nll (nats)",
}

/** One table for all splits and pairs. */
const WHOLE: Readonly<Record<ComparisonTable, (comparison: Comparison) => FigureTable>> = {
  figures: (comparison) => figuresTable(comparison, true),
  differences: (comparison) => differencesTable(comparison, true),
  classes: (comparison) => classesTable(comparison, comparison.pairs),
}

/** @param whole runs on several splits, rather than on one */
function figuresTable({ runs, level }: Comparison, whole: boolean): FigureTable {
  const has = (name: FigureName) => runs.some(({ figures }) => figures[name] !== undefined)
  const shares = (["top1", "top5", "meanClass", "macroF1"] as const).filter(has)
  return {
    title: `Figures${whole ? "" : ` on ${runs[0].split}`}, as each run reports them`,
    columns: [
      { title: "run" },
      { title: "method" },
      ...(whole ? [{ title: "split" }] : []),
      { title: "clips", kind: "number", digits: 0 },
      { title: "seeds", kind: "number", digits: 0 },
      ...shares.map((name) => ({ title: TITLES[name], kind: "share", best: "highest" }) as const),
      { title: TITLES.nll, kind: "number", best: "lowest" },
      { title: "calibration error %", kind: "share", best: "lowest" },
      { title: "weights trained", kind: "count" },
    ],
    rows: runs.map(({ run, method, split, clips, seeds, figures, calibrationError, trainedWeights }) => [
      ...[run, method, ...(whole ? [split] : []), clips, seeds],
      ...shares.map((name) => figures[name] ?? null),
      ...[figures.nll?.value ?? null, calibrationError, trainedWeights],
    ]),
    notes: [`Brackets: ${formatLevel(level)} % intervals.`],
  }
}

/** @param whole several pairs, rather than one */
function differencesTable({ pairs, level, resamples }: Comparison, whole: boolean): FigureTable {
  const rows = pairs.flatMap(({ first, other, split, common, figures }) =>
    (["top1", "top5", "meanClass", "macroF1"] as const).flatMap((name): FigureCell[][] => {
      const found = figures[name]
      if (!found) return []
      const { difference } = found
      const about = [...(whole ? [`${other} − ${first}`, split] : []), TITLES[name].replace(" %", ""), common.clips]
      return [[...about, found.first, found.other, difference, difference.p, difference.pBootstrap]]
    }),
  )
  const groups = pairs.some(({ common }) => common.groups !== null)
  const [{ first, other, split }] = pairs
  return {
    title: `Paired differences on the clips in common${whole ? "" : ` of ${split}: ${other} − ${first}`}`,
    columns: [
      ...[...(whole ? ["runs", "split"] : []), "figure"].map((title) => ({ title })),
      { title: "clips", kind: "number", digits: 0 },
      { title: "first %", kind: "share" },
      { title: "other %", kind: "share" },
      { title: "difference, points", kind: "difference" },
      { title: "p", kind: "p" },
      { title: "bootstrap p", kind: "p" },
    ],
    rows,
    notes: [
      `Other minus first, on the same clips. Brackets: ${formatLevel(level)} % bootstrap intervals, ${resamples} resamples of ${groups ? "groups of clips" : "clips"} and training seeds; p: two-sided, from sign flips with the models held fixed (macro F1: from exchanges).`,
    ],
  }
}

/** @param most classes from either end; default: all */
function classesTable({ level }: Comparison, pairs: readonly ComparedPair[], most?: number): FigureTable {
  const rows = pairs.flatMap(({ first, other, split, classes }) =>
    outermost(classes, most).map((one): FigureCell[] => [
      ...(most === undefined ? [`${other} − ${first}`, split] : []),
      ...[one.name, one.clips, one.first, one.other, one.difference, one.p],
    ]),
  )
  const [{ first, other, split, classes }] = pairs
  const gained = classes.filter(({ difference }) => difference.value > 0).length
  const lost = classes.filter(({ difference }) => difference.value < 0).length
  const shown = most !== undefined && classes.length > 2 * most ? `, the ${most} highest and ${most} lowest` : ""
  return {
    title: most === undefined ? "Classes" : `Classes on ${split}: ${other} − ${first}${shown}`,
    columns: [
      ...(most === undefined ? [{ title: "runs" }, { title: "split" }] : []),
      { title: "class" },
      { title: "clips", kind: "number", digits: 0 },
      { title: "first %", kind: "share" },
      { title: "other %", kind: "share" },
      { title: "difference, points", kind: "difference" },
      { title: "p", kind: "p" },
    ],
    rows,
    notes: [
      `${gained} of ${classes.length} classes gain, ${lost} lose. Brackets: ${formatLevel(level)} %; p is not adjusted for their number.`,
    ],
  }
}

function outermost<T>(sorted: readonly T[], most = sorted.length): T[] {
  return sorted.length <= 2 * most ? [...sorted] : [...sorted.slice(0, most), ...sorted.slice(-most)]
}

/**
 * The gains of all classes in falling order (Figure B1), or with `most` those of the outermost classes (Figures B2 and B3).
 *
 * @example
 * ```ts
 * import { compareRuns, readRun } from "fourtier/evaluate"
 * import { classGainChart } from "fourtier/report"
 *
 * const [pair] = compareRuns([await readRun("runs/a"), await readRun("runs/b")]).pairs
 * classGainChart(pair).startsWith("<svg") // true
 * ```
 */
export function classGainChart({ first, other, split, classes }: ComparedPair, most?: number): string {
  const shown = outermost(classes, most)
  const points = (share: number) => 100 * share
  const ends = shown.flatMap(({ difference }) => [difference.value, difference.low, difference.high].map(points))
  return barChart({
    title: `Classes on ${split}: ${other} − ${first}`,
    categories: shown.map(({ name }) => name),
    series: [
      {
        name: "difference",
        values: shown.map(({ difference }) => points(difference.value)),
        low: shown.map(({ difference }) => points(difference.low)),
        high: shown.map(({ difference }) => points(difference.high)),
      },
    ],
    valueTitle: "accuracy, points",
    range: [Math.min(0, ...ends), Math.max(0, ...ends) || 1],
  })
}
