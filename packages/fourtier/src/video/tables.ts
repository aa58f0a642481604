/** Tables of text: CSV, TSV and JSON lines. */

import { extname } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { parseCsv } from "../util/csv.ts"

/** A table's rows, every value as text, with the line each starts on. */
export interface Table {
  path: string
  columns: string[]
  rows: { line: number; values: Record<string, string> }[]
}

/** Parses by the path's ending: `.csv`, `.tsv`, `.jsonl` (or `.ndjson`). */
export function parseTable(path: string, text: string): Table {
  const ending = extname(path).toLowerCase()
  if (ending === ".jsonl" || ending === ".ndjson") return parseJsonLines(path, text.replace(/^\uFEFF/, ""))
  return parseSeparated(path, text, ending === ".tsv" ? "\t" : ",")
}

function parseSeparated(path: string, text: string, separator: "," | "\t"): Table {
  const [header, ...rows] = parseCsv(text, path, separator)
  const columns = (header?.fields ?? []).map((name) => name.trim())
  const twice = columns.find((name, i) => columns.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new FourtierError({ where: `${path}:${header.line}`, what: `two columns are called "${twice}"` })
  }
  return {
    path,
    columns,
    rows: rows.map(({ line, fields }) => ({
      line,
      values: Object.fromEntries(columns.map((name, i) => [name, fields[i]])),
    })),
  }
}

function parseJsonLines(path: string, text: string): Table {
  const columns = new Set<string>()
  const rows: Table["rows"] = []
  for (const [index, source] of text.split("\n").entries()) {
    if (source.trim() === "") continue
    const where = `${path}:${index + 1}`
    let value: unknown
    try {
      value = JSON.parse(source)
    } catch (error) {
      throw new FourtierError({ where, what: "not valid JSON", found: messageOf(error) }, { cause: error })
    }
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
    rows.push({ line: index + 1, values })
  }
  return { path, columns: [...columns], rows }
}
