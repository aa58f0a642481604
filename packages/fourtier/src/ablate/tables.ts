/** The tables of an ablation: one in the paper's shape, and those of all figures with their intervals. */

import { titleOf } from "@fourtier/core/model"
import type { FigureCell, FigureColumn, FigureTable } from "../util/tabulate.ts"
import type { AblationResults } from "./results.ts"

type ResultColumn = AblationResults["columns"][number]
type ResultCell = AblationResults["cells"][number]

export interface AblationTables {
  /** A row for each cell, columns for each test part and number of labels, the best of each in bold. */
  shape: FigureTable
  /** For each test part and number of labels: top-1 with intervals and paired differences. */
  parts: FigureTable[]
  /** All figures of all parts. */
  all: FigureTable
}

/** From results to tables. */
export function ablationTables(results: AblationResults): AblationTables {
  return {
    shape: shapeTable(results),
    parts: results.columns.map((_, column) => partTable(results, column)),
    all: fullTable(results),
  }
}

function shapeTable(results: AblationResults): FigureTable {
  const { columns, cells } = results
  const wanted = rowsOf(results, (method) => method !== titleOf("full-shuffled"))
  const parts = columns.flatMap((column, index) => {
    const found = cells.flatMap((cell) => cell.results.filter((one) => one.column === index))
    const group = nameOf(column, results)
    const figures: ShapeColumn[] = [
      {
        title: "Top-1",
        group,
        kind: "share",
        best: "highest",
        of: (row) => figuresOf(row, index)?.figures.top1?.value,
      },
      {
        title: "Top-5",
        group,
        kind: "share",
        best: "highest",
        of: (row) => figuresOf(row, index)?.figures.top5?.value,
      },
      { title: "gain", group, kind: "difference", of: (row) => figuresOf(row, index)?.gain?.value },
    ]
    const known = (title: string) =>
      title === "Top-1" ||
      found.some(({ figures, gain }) => (title === "Top-5" ? figures.top5 !== undefined : gain !== null))
    return figures.filter(({ title }) => known(title))
  })
  const common = { title: results.title, notes: [...lackingNotes(cells), ...results.notes] }
  if (results.across) {
    // as the paper's Table C5: cells side by side
    const names = wanted.map((row) => headCells(results, row).join(" "))
    return {
      ...common,
      columns: [{ title: "" }, ...names.map((title): FigureColumn => ({ title, kind: "share" }))],
      rows: parts.map(({ title, group, of }) => [`${title}, ${group}`, ...wanted.map((row) => of(row) ?? null)]),
    }
  }
  return {
    ...common,
    columns: [
      ...headOf(results).map((title) => ({ title })),
      ...parts.map(({ of: _, ...column }): FigureColumn => column),
    ],
    rows: wanted.map((row) => [...headCells(results, row), ...parts.map(({ of }) => of(row) ?? null)]),
  }
}

interface ShapeColumn extends FigureColumn {
  of(row: Row): number | undefined
}

function partTable(results: AblationResults, column: number): FigureTable {
  const rows = rowsOf(results, () => true).filter((row) => figuresOf(row, column))
  const several = severalMethods(results)
  const found = rows.flatMap((row) => figuresOf(row, column) ?? [])
  const differences = differencesOf(results, found)
  return {
    title: `${nameOf(results.columns[column], results)}: ${sizeOf(results.columns[column])}`,
    columns: [
      { title: "cell" },
      ...(several ? [{ title: "method" }] : []),
      { title: "top-1", kind: "share", best: "highest" },
      ...differences.columns,
    ],
    rows: rows.map((row) => [
      row.cell.name,
      ...(several ? [row.method ?? ""] : []),
      figuresOf(row, column)?.figures.top1 ?? null,
      ...differences.cells(figuresOf(row, column)),
    ]),
  }
}

function fullTable(results: AblationResults): FigureTable {
  const { columns, cells } = results
  const differences = differencesOf(
    results,
    cells.flatMap((cell) => cell.results),
  )
  const rows = columns.flatMap((column, index) =>
    rowsOf(results, () => true).flatMap((row) => {
      const found = figuresOf(row, index)
      if (!found) return []
      const { top1, top5, meanClass, nll } = found.figures
      const labels = column.labelsPerClass === null ? "all" : String(column.labelsPerClass)
      const own = [column.split, column.excluded.join(" "), labels, row.cell.name, found.method]
      return [[...own, top1 ?? null, top5 ?? null, meanClass ?? null, nll ?? null, ...differences.cells(found)]]
    }),
  )
  const titles = ["test part", "without", "labels per class", "cell", "method"]
  const figures: FigureColumn[] = [
    ...["top-1", "top-5", "mean class"].map((title) => ({ title, kind: "share" }) as const),
    { title: "negative log-likelihood", kind: "number" },
  ]
  return { columns: [...titles.map((title) => ({ title })), ...figures, ...differences.columns], rows }
}

type Found = ResultCell["results"][number]

/** Columns of paired differences, those that somebody has. */
function differencesOf({ reference }: AblationResults, all: readonly Found[]) {
  const kinds = [
    { title: `less that of\n${reference}`, kind: "difference", of: (found?: Found) => found?.fromReference },
    { title: "p", kind: "p", of: (found?: Found) => found?.fromReference?.p },
    { title: "what the\nwords add", kind: "difference", of: (found?: Found) => found?.words },
    { title: "less that of\nits baseline", kind: "difference", of: (found?: Found) => found?.gain },
  ] as const
  const own = kinds.filter(({ of }) =>
    all.some((found) => (typeof of(found) === "object" ? of(found) !== null : of(found) !== undefined)),
  )
  return {
    columns: own.map(({ title, kind }): FigureColumn => ({ title, kind })),
    cells: (found: Found | undefined): FigureCell[] => own.map(({ of }) => of(found) ?? null),
  }
}

interface Row {
  cell: ResultCell
  /** A title; null for a cell that was not run. */
  method: string | null
  /** From 1. */
  number: number
}

/** A row for each method of each cell. */
function rowsOf({ cells }: AblationResults, wanted: (method: string) => boolean): Row[] {
  return cells.flatMap((cell, i): Row[] => {
    const methods = [...new Set(cell.results.map(({ method }) => method))].filter(wanted)
    const number = numberOf(i, cells.length)
    return methods.length > 0 ? methods.map((method) => ({ cell, method, number })) : [{ cell, method: null, number }]
  })
}

const figuresOf = ({ cell, method }: Row, column: number): Found | undefined =>
  cell.results.find((one) => one.column === column && one.method === method)

/** The paper's Table 7 numbers its 16 groups from 1 to 17 and leaves out 12. */
function numberOf(place: number, cells: number): number {
  return cells === 16 && place > 10 ? place + 2 : place + 1
}

/** Whether cells are called by their names alone: they have no level on some axis. */
const byName = ({ cells, axes }: AblationResults) =>
  cells.some(({ levels }) => Object.keys(levels).length < axes.length)

const hasTicks = ({ ticks, axes }: AblationResults) => axes.some((axis) => ticks[axis] !== undefined)

/** Titles of the columns that say what a row is. */
function headOf(results: AblationResults): string[] {
  const { axes, ticks } = results
  return [
    ...(hasTicks(results) ? ["Group"] : []),
    ...(byName(results) ? ["cell"] : axes.flatMap((axis) => ticks[axis] ?? [axis])),
    ...(severalMethods(results) ? ["method"] : []),
  ]
}

function headCells(results: AblationResults, { cell, method, number }: Row): string[] {
  const { axes, ticks } = results
  const levels = axes.flatMap((axis) => {
    const level = cell.levels[axis] ?? ""
    return ticks[axis]?.map((name) => (level.split("+").includes(name) ? "✓" : "")) ?? [level]
  })
  return [
    ...(hasTicks(results) ? [String(number)] : []),
    ...(byName(results) ? [cell.name] : levels),
    ...(severalMethods(results) ? [method ?? "not run"] : []),
  ]
}

/** Whether some cell has more than one method; a single one goes without saying. */
function severalMethods({ cells }: AblationResults): boolean {
  return cells.some(({ results }) => new Set(results.map(({ method }) => method)).size > 1)
}

/** "test, 1 label a class" */
function nameOf({ split, excluded, labelsPerClass: labels }: ResultColumn, { columns }: AblationResults): string {
  const without = excluded.length > 0 ? ` without ${excluded.join(", ")}` : ""
  const several = new Set(columns.map(({ labelsPerClass }) => labelsPerClass)).size > 1
  if (!several && labels === null) return `${split}${without}`
  const many = labels === null ? "all labels" : labels === 1 ? "1 label a class" : `${labels || "no"} labels a class`
  return `${split}${without}, ${many}`
}

const sizeOf = ({ clips, groups }: ResultColumn) =>
  groups === null ? `${clips} clips` : `${clips} clips in ${groups} groups`

function lackingNotes(cells: readonly ResultCell[]): string[] {
  return cells.flatMap(({ name, lacking }) =>
    lacking ? [`${name}: not run: ${lacking.reason}${lacking.fix ? `. To supply it: ${lacking.fix}` : ""}`] : [],
  )
}

/** How the figures are to be read, in one paragraph. */
export function explainAblation({ columns, resamples, seeds, reference, level, training }: AblationResults): string {
  const drawn = columns.some(({ groups }) => groups !== null) ? "groups of clips" : "clips"
  const intervals = `${Number((100 * level).toFixed(2))} % intervals: bootstrap over ${drawn}${seeds.length > 1 ? " and seeds" : ""}, ${resamples} resamples`
  const cost = `${training.trials} trials took ${Math.round(training.cpuSeconds)} s of the processor`
  return `Top-1 in per cent with ${intervals}. Differences are paired, with ${reference} on the same clips; p by sign flips over ${drawn}. Seeds: ${seeds.join(", ")}. ${cost}.`
}
