/**
 * Tables of text: CSV, TSV and JSON lines, with the names of their columns brought to those that are known.
 *
 * The column of the clips is `path`; else one that is called so in other words, or the only one that holds names of video
 * files. The label's is `label` or `labels`, else one that is called so in other words. A table without a header is
 * understood where its columns tell themselves: files, parts of a split, and one more.
 */

import { basename, extname } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { parseCsv } from "../util/csv.ts"
import { isVideoName } from "./endings.ts"
import { isSplitName } from "./split-names.ts"

/** A table's rows, every value as text, with the file and line that each starts on. */
export interface Table {
  path: string
  columns: string[]
  rows: { where: string; values: Record<string, string> }[]
  /** What was understood that the user may want to check. */
  notes: string[]
}

/** Columns that mean something; every other one is kept. */
const KNOWN: readonly string[] = ["path", "label", "labels", "split", "group", "fold", "start", "end"]

/** Other words for columns, without spaces, hyphens and underlines. */
const SYNONYMS: Readonly<Record<"path" | "label", readonly string[]>> = {
  path: "file filename filepath video videofile videofilename videoname videopath videourl clipfile clippath".split(
    " ",
  ),
  label: "class classname classlabel labelname category action actionname actionlabel activity".split(" "),
}

/**
 * Parses by the path's ending: `.jsonl` (or `.ndjson`, `.json`), else separated values, `.tsv` by tabs.
 * @throws FourtierError that names the line
 */
export function parseTable(path: string, text: string): Table {
  const ending = extname(path).toLowerCase()
  const lines = [".jsonl", ".ndjson", ".json"].includes(ending)
  return withKnownNames(
    lines ? parseJsonLines(path, text.replace(/^\uFEFF/, "")) : parseSeparated(path, text, ending === ".tsv"),
  )
}

function parseSeparated(path: string, text: string, tabs: boolean): Table {
  const words = [...KNOWN, ...SYNONYMS.path, ...SYNONYMS.label, "file_name"]
  const rows = parseCsv(text, path, { separator: tabs ? "\t" : ",", columns: words })
  const named = rows.length > 0 && rows[0].fields.some(isVideoName) ? columnsOfRows(path, rows) : null
  const columns = named ?? (rows[0]?.fields ?? []).map((name) => name.trim())
  const twice = columns.find((name, i) => name !== "" && columns.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new FourtierError({
      where: `${path}:${rows[0].line}`,
      what: `two columns are called "${twice}"`,
      fix: "give each column a name of its own",
    })
  }
  const notes = named === null ? [] : [`${basename(path)} has no header: its columns are taken as ${named.join(", ")}`]
  return {
    path,
    columns,
    rows: rows.slice(named === null ? 1 : 0).map(({ line, fields }) => ({
      where: `${path}:${line}`,
      values: Object.fromEntries(columns.map((name, i) => [name, fields[i]])),
    })),
    notes,
  }
}

/** Names for the columns of a table without a header. @throws FourtierError where they cannot be told */
function columnsOfRows(path: string, rows: readonly { line: number; fields: readonly string[] }[]): string[] {
  const every = (column: number, is: (value: string) => boolean) => rows.every(({ fields }) => is(fields[column]))
  const kinds = rows[0].fields.map((_, column) =>
    every(column, isVideoName) ? "path" : every(column, isSplitName) ? "split" : "label",
  )
  if (new Set(kinds).size === kinds.length) return kinds
  throw new FourtierError({
    where: `${path}:${rows[0].line}`,
    what: "no header, and its columns cannot be told",
    expected: "a first line such as path,label,start,end",
    found: rows[0].fields.join(", "),
    fix: "add a header line",
  })
}

function* jsonValues(path: string, text: string): Generator<{ where: string; source: string; value: unknown }> {
  if (text.trimStart().startsWith("[")) {
    const array = parsedJson(path, text)
    if (Array.isArray(array)) {
      for (const [i, value] of array.entries())
        yield { where: `${path}, item ${i + 1}`, source: JSON.stringify(value), value }
      return
    }
  }
  for (const [index, source] of text.split(/\r\n|\r|\n/).entries()) {
    if (source.trim() === "") continue
    const where = `${path}:${index + 1}`
    yield { where, source, value: parsedJson(where, source) }
  }
}

function parsedJson(where: string, source: string): unknown {
  try {
    return JSON.parse(source)
  } catch (error) {
    const comma = /\}\s*,\s*$/.test(source) ? { fix: "write one object a line, without commas between the lines" } : {}
    throw new FourtierError({ where, what: "not valid JSON", found: messageOf(error), ...comma }, { cause: error })
  }
}

/** JSON lines, or one array of objects. */
function parseJsonLines(path: string, text: string): Table {
  const columns = new Set<string>()
  const rows: Table["rows"] = []
  for (const { where, source, value } of jsonValues(path, text)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FourtierError({ where, what: "not a JSON object", found: source.slice(0, 80) })
    }
    const values: Record<string, string> = {}
    for (const [name, field] of Object.entries(value)) {
      if (field === null || field === undefined) continue
      columns.add(name)
      values[name] = Array.isArray(field)
        ? field.map(String).join("|")
        : typeof field === "object"
          ? JSON.stringify(field)
          : String(field)
    }
    rows.push({ where, values })
  }
  return { path, columns: [...columns], rows, notes: [] }
}

/** What is said of a column that is called otherwise. */
export function takenAs({ path }: Table, column: string, name: string): string {
  return `column "${column}" of ${basename(path)} is taken as ${name}`
}

/** The table with `path`, `label` and the other known names where its columns mean them. */
export function withKnownNames(table: Table): Table {
  const names = new Map<string, string>()
  for (const column of table.columns) {
    const known = KNOWN.find((name) => name === column.toLowerCase())
    if (known !== undefined && known !== column && !table.columns.includes(known)) names.set(column, known)
  }
  const notes = [...table.notes]
  const has = (name: string) => table.columns.includes(name) || [...names.values()].includes(name)
  const takeFor = (name: string, column: string | undefined) => {
    if (column === undefined) return
    names.set(column, name)
    notes.push(takenAs(table, column, name))
  }
  if (!has("path")) takeFor("path", clipColumn(table))
  if (has("path") && !has("label") && !has("labels")) {
    takeFor("label", table.columns.find(isWordFor("label")) ?? onlyOther(table, names))
  }
  if (names.size === 0) return table
  return {
    ...table,
    columns: table.columns.map((column) => names.get(column) ?? column),
    rows: table.rows.map(({ where, values }) => ({
      where,
      values: Object.fromEntries(Object.entries(values).map(([column, value]) => [names.get(column) ?? column, value])),
    })),
    notes,
  }
}

const isWordFor = (name: "path" | "label") => (column: string) =>
  SYNONYMS[name].includes(column.toLowerCase().replaceAll(/[-_ ]/g, ""))

/** The one column beside the known ones, in a table whose paths have no folders that could be labels. */
function onlyOther({ columns, rows }: Table, names: ReadonlyMap<string, string>): string | undefined {
  const path = columns.find((column) => (names.get(column) ?? column) === "path") ?? ""
  if (rows.some(({ values }) => /[/\\]/.test(values[path] ?? ""))) return undefined
  const others = columns.filter((column) => !KNOWN.includes(names.get(column) ?? column))
  return others.length === 1 ? others[0] : undefined
}

/** The column that holds names of video files: one that is called so, or the only one that does. */
function clipColumn({ columns, rows }: Table): string | undefined {
  const videos = (column: string) => rows.filter(({ values }) => isVideoName(values[column]?.trim() ?? "")).length
  const called = columns.filter(isWordFor("path")).find((column) => 2 * videos(column) >= rows.length)
  if (called !== undefined || rows.length === 0) return called
  const full = columns.filter((column) => videos(column) === rows.length)
  return full.length === 1 ? full[0] : columns.find((column) => /^(file|video)[-_ ]?(name|path)?$/i.test(column))
}
