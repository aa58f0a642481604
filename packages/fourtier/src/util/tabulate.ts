/**
 * Tables of figures in the form that is wanted: for a terminal, as Markdown, CSV or LaTeX.
 *
 * ```
 * columns (what a figure is) × rows (text, or a figure with its interval) ─ tabulate ─► text
 * ```
 * For people, figures are rounded and their intervals stand in brackets. CSV has every figure as it is (shares from 0 to 1), with
 * its interval in two further columns.
 */

import { csvLine } from "@fourtier/core"
import {
  type FigureInterval,
  formatCount,
  formatDifference,
  formatInterval,
  formatP,
  formatPercent,
  signed,
} from "./figures.ts"
import { type Column, markdownTable, terminalTable, wrapText } from "./table.ts"

export const TABLE_FORMATS = ["terminal", "markdown", "csv", "latex"] as const
export type TableFormat = (typeof TABLE_FORMATS)[number]

/**
 * What a column's figures are. `share`: 0.875 as 87.5; `difference`: of shares, 0.033 as +3.3; `p`: 0.032; `count`: 48 200 000 as
 * 48.2 M; `number`: as it is, with `digits` decimals.
 */
export type FigureKind = "share" | "difference" | "p" | "count" | "number"

export interface FigureColumn {
  title: string
  /** Stands above the titles of neighbouring columns that share it. */
  group?: string
  /** None: the column holds text. */
  kind?: FigureKind
  /** Decimals of a `number`; 3 by default. */
  digits?: number
  /** Which of the column's figures is set in bold where the form has bold type. */
  best?: "highest" | "lowest"
}

/** A figure; without an interval `low` and `high` are missing. */
export interface Figure {
  value: number
  low?: number
  high?: number
}

/** Null: there is no such figure, shown as a dash. */
export type FigureCell = string | number | Figure | null

export interface FigureTable {
  title?: string
  columns: readonly FigureColumn[]
  rows: readonly (readonly FigureCell[])[]
  /** Lines below the table. CSV leaves them out. */
  notes?: readonly string[]
}

/**
 * Writes a table in one of the forms. The text ends with a line break.
 * @param width characters of a terminal's line; by default the terminal's own, 80 where there is none
 */
export function tabulate(table: FigureTable, format: TableFormat, width?: number): string {
  switch (format) {
    case "terminal":
      return lines(wrapped(table, width), terminalTable(plainColumns(table), plainRows(table), width), "")
    case "markdown":
      return lines(
        table,
        markdownTable(
          plainColumns(table),
          boldRows(table, (text) => `**${text}**`),
        ),
        "### ",
      )
    case "csv":
      return csvTable(table)
    case "latex":
      return latexTable(table)
  }
}

/** The table with title and notes in lines that fit. */
function wrapped(table: FigureTable, width?: number): FigureTable {
  const { title, notes = [] } = table
  return { ...table, title: title && wrapText(title, width), notes: notes.map((note) => wrapText(note, width)) }
}

function lines({ title, notes = [] }: FigureTable, body: string, heading: string): string {
  const gap = heading === "" ? "\n" : "\n\n"
  return `${[...(title === undefined ? [] : [`${heading}${title}`]), body, ...notes].join(gap)}\n`
}

function plainColumns({ columns }: FigureTable): Column[] {
  return columns.map(({ title, group, kind }) => ({
    title: group === undefined ? title : `${group}\n${title}`,
    align: kind === undefined ? "left" : "right",
  }))
}

const plainRows = ({ columns, rows }: FigureTable) =>
  rows.map((row) => columns.map((column, c) => shown(row[c], column)))

/** The cells as text, the best figures of a column as `bold` has them. */
function boldRows(table: FigureTable, bold: (text: string) => string, plain = (text: string) => text): string[][] {
  const best = table.columns.map((column, c) => bestText(table, column, c))
  return plainRows(table).map((row) => row.map((text, c) => (text === best[c] ? bold(plain(text)) : plain(text))))
}

/** How the best figure of a column is shown: equal figures are equally good, and among fewer than two there is no best. */
function bestText({ rows }: FigureTable, column: FigureColumn, c: number): string | null {
  const figures = rows.map((row) => row[c]).filter((cell) => cell !== null && typeof cell !== "string")
  if (column.best === undefined || figures.length < 2) return null
  const sign = column.best === "highest" ? 1 : -1
  return shown(
    figures.reduce((best, cell) => (sign * figureOf(cell) > sign * figureOf(best) ? cell : best)),
    column,
  )
}

const figureOf = (cell: number | Figure) => (typeof cell === "number" ? cell : cell.value)

function intervalOf(cell: FigureCell): FigureInterval | null {
  if (cell === null || typeof cell !== "object" || cell.low === undefined || cell.high === undefined) return null
  return { value: cell.value, low: cell.low, high: cell.high }
}

/** A cell as text. */
function shown(cell: FigureCell, { kind, digits = 3 }: FigureColumn): string {
  if (cell === null) return "–"
  if (typeof cell === "string") return cell
  const interval = intervalOf(cell)
  const value = figureOf(cell)
  if (!Number.isFinite(value)) return "–"
  switch (kind) {
    case "share":
      return interval ? formatInterval(interval) : formatPercent(value)
    case "difference":
      return interval ? formatDifference(interval) : signed(100 * value)
    case "p":
      return formatP(value)
    case "count":
      return formatCount(value)
    default: {
      const own = (x: number) => x.toFixed(kind === undefined ? 0 : digits)
      return interval ? `${own(value)} [${own(interval.low)}, ${own(interval.high)}]` : own(value)
    }
  }
}

/** The unit that a title names, for people: CSV has shares. */
const UNIT = / %$|, points$/

/** A line of titles, then one a row. A column that has an interval anywhere is followed by its `low` and `high`. */
function csvTable({ columns, rows }: FigureTable): string {
  const wide = columns.map((_, c) => rows.some((row) => intervalOf(row[c]) !== null))
  const head = columns.flatMap(({ title, group }, c) => {
    const name = [group ?? "", title.replace(UNIT, "")].join(" ").replaceAll(/\s+/g, " ").trim()
    return wide[c] ? [name, `${name} low`, `${name} high`] : [name]
  })
  const body = rows.map((row) =>
    columns.flatMap((_, c): (string | number | null)[] => {
      const cell = row[c]
      const value =
        cell === null || typeof cell === "string" ? cell : Number.isFinite(figureOf(cell)) ? figureOf(cell) : null
      if (!wide[c]) return [value]
      const interval = intervalOf(cell)
      return [value, interval?.low ?? null, interval?.high ?? null]
    }),
  )
  return [head, ...body].map((fields) => csvLine(fields)).join("")
}

/** A `tabular` with the rules of the package booktabs, which the document has to load. */
function latexTable(table: FigureTable): string {
  const { columns, title, notes = [] } = table
  const comment = (text: string) => text.split("\n").map((line) => `% ${line}`)
  const head = columns.map(({ title }) => latexText(title.replaceAll(/\s+/g, " ")))
  const body = boldRows(table, (text) => `\\textbf{${text}}`, latexText)
  return `${[
    ...(title === undefined ? [] : comment(title)),
    `\\begin{tabular}{${columns.map(({ kind }) => (kind === undefined ? "l" : "r")).join("")}}`,
    "\\toprule",
    ...groupLine(columns),
    `${head.join(" & ")} \\\\`,
    "\\midrule",
    ...body.map((cells) => `${cells.join(" & ")} \\\\`),
    "\\bottomrule",
    "\\end{tabular}",
    ...notes.flatMap(comment),
  ].join("\n")}\n`
}

/** The line above the titles, where columns have groups. */
function groupLine(columns: readonly FigureColumn[]): string[] {
  if (columns.every(({ group }) => group === undefined)) return []
  const cells: string[] = []
  const rules: string[] = []
  for (let c = 0; c < columns.length; ) {
    const { group } = columns[c]
    let end = c + 1
    while (end < columns.length && columns[end].group === group) end++
    if (group === undefined) cells.push(...new Array<string>(end - c).fill(""))
    else {
      cells.push(`\\multicolumn{${end - c}}{c}{${latexText(group)}}`)
      rules.push(`\\cmidrule(lr){${c + 1}-${end}}`)
    }
    c = end
  }
  return [`${cells.join(" & ")} \\\\`, rules.join(" ")]
}

const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "$<$",
  ">": "$>$",
  "−": "$-$",
  "–": "--",
  "×": "$\\times$",
  "±": "$\\pm$",
  "·": "$\\cdot$",
}

/** Text as LaTeX sets it: signs with a meaning of their own are escaped, those that pdfLaTeX lacks are spelled. */
function latexText(text: string): string {
  return text.replaceAll(/[\\~^<>−–×±·]|[&%$#_{}]/g, (sign) => LATEX[sign] ?? `\\${sign}`).replaceAll("\n", " ")
}
