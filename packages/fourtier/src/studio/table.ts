/**
 * The table of a data folder, as the studio reads and rewrites it: other verbs read the result as they read any table.
 *
 * A folder of class folders has none until a label or a removal needs one; then `labels.csv` lists every clip. A table that was
 * there keeps its form, its columns and its order, and is copied before it is first changed.
 */

import { copyFile, mkdir } from "node:fs/promises"
import { basename, extname, join } from "node:path"
import { csvLine } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { readForeignText } from "../util/text.ts"
import type { SourceClip } from "../video/rows.ts"
import { parseTable } from "../video/tables.ts"

/** Name of the table that is made where there is none. */
export const OWN_TABLE = "labels.csv"

const OWN_LINE = "# Clips and labels of fourtier studio"

export type Row = Record<string, string>

export interface ClipTable {
  path: string
  columns: string[]
  rows: Row[]
  /** Whether the studio has made it: then it names every video of the folder. */
  own: boolean
}

/** What tells a row from others: its file and window, as they are written there. */
export const rowKey = ({ path = "", start = "", end = "" }: Row) => JSON.stringify([path, start, end])

/** @throws FourtierError where it cannot be read, or has no column `path` by that name */
export async function readClipTable(path: string): Promise<ClipTable> {
  const text = await readForeignText(path)
  const { columns, rows } = parseTable(path, text)
  if (!columns.includes("path")) {
    throw new FourtierError({
      where: path,
      what: "the studio cannot write this table: no column is called `path`",
      found: `columns ${columns.join(", ")}`,
      fix: "rename the column of the files to path",
    })
  }
  return { path, columns, rows: rows.map(({ values }) => values), own: text.startsWith(OWN_LINE) }
}

/** The table of a folder that has none. */
export function newTable(root: string, clips: readonly SourceClip[]): ClipTable {
  const parts = clips.some(({ split }) => split !== null)
  return {
    path: join(root, OWN_TABLE),
    columns: ["path", "label", ...(parts ? ["split"] : [])],
    rows: clips.map((clip) => newRow(clip.relative, clip.labels, parts ? (clip.split ?? "") : null)),
    own: true,
  }
}

export function newRow(path: string, labels: readonly string[], split: string | null = null): Row {
  return { path, label: labels[0] ?? "", ...(split === null ? {} : { split }) }
}

/**
 * The table with other labels.
 * @param labels by `rowKey`; null takes the label away
 * @param known the labels that clips have now, by `rowKey`: what folders say is written down where a column is added
 * @throws FourtierError for a label that cannot stand in the table
 */
export function withLabels(
  table: ClipTable,
  labels: ReadonlyMap<string, string | null>,
  known: ReadonlyMap<string, readonly string[]>,
): ClipTable {
  const several = table.columns.includes("labels")
  const column = several ? "labels" : "label"
  const bad = several ? [...labels.values()].find((label) => /[|;]/.test(label ?? "")) : null
  if (bad) {
    throw new FourtierError({
      where: `${table.path}: labels`,
      what: "a label with | or ; reads as several in this table",
      found: bad,
      fix: "choose a name without them",
    })
  }
  const added = !table.columns.includes(column)
  const rows = table.rows.map((row) => {
    const key = rowKey(row)
    const label = labels.get(key)
    if (label !== undefined) return { ...row, [column]: label ?? "" }
    return added ? { ...row, [column]: known.get(key)?.[0] ?? "" } : row
  })
  return { ...table, columns: added ? [...table.columns, column] : table.columns, rows }
}

/**
 * Writes the table, whole or not at all.
 * @param before folder in which a table of others is kept as it was before the first change
 */
export async function writeClipTable(table: ClipTable, before: string): Promise<void> {
  if (!table.own) {
    await mkdir(before, { recursive: true })
    // of a later change the first copy stays
    await copyFile(table.path, join(before, basename(table.path)), 1).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error
    })
  }
  await writeFileAtomic(table.path, textOf(table))
}

function textOf({ path, columns, rows, own }: ClipTable): string {
  const ending = extname(path).toLowerCase()
  if (ending === ".json") return `${JSON.stringify(rows, null, 1)}\n`
  if (ending === ".jsonl" || ending === ".ndjson") return rows.map((row) => `${JSON.stringify(row)}\n`).join("")
  const fields = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))]
  const lines = fields.map(ending === ".tsv" ? tabbed : csvLine).join("")
  return own ? `${OWN_LINE}\n${lines}` : lines
}

function tabbed(fields: readonly string[]): string {
  const quoted = fields.map((field) => (/["\t\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
  return `${quoted.join("\t")}\n`
}
