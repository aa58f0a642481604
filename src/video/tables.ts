/** Tables of text: CSV and TSV (RFC 4180: quoted fields may hold separators, quotes doubled, line breaks) and JSON lines. */

import { extname } from "node:path"
import { FourtierError, messageOf } from "../util/errors.ts"

/** A table's rows, every value as text, with the line each starts on. */
export interface Table {
  path: string
  columns: string[]
  rows: { line: number; values: Record<string, string> }[]
}

/** Parses by the path's ending: `.csv`, `.tsv`, `.jsonl` (or `.ndjson`). */
export function parseTable(path: string, text: string): Table {
  const ending = extname(path).toLowerCase()
  const body = text.replace(/^\uFEFF/, "")
  if (ending === ".jsonl" || ending === ".ndjson") return parseJsonLines(path, body)
  return parseSeparated(path, body, ending === ".tsv" ? "\t" : ",")
}

function parseSeparated(path: string, text: string, separator: string): Table {
  const records = splitRecords(path, text, separator).filter(({ fields }) => fields.length > 1 || fields[0] !== "")
  const header = records.shift()
  if (header === undefined) return { path, columns: [], rows: [] }
  const columns = header.fields.map((name) => name.trim())
  const twice = columns.find((name, i) => columns.indexOf(name) !== i)
  if (twice !== undefined) throw new FourtierError({ where: `${path}:1`, what: `two columns are called "${twice}"` })
  const rows = records.map(({ line, fields }) => {
    if (fields.length !== columns.length) {
      throw new FourtierError({
        where: `${path}:${line}`,
        what: "a row has another number of fields than the header",
        expected: `${columns.length} fields`,
        found: `${fields.length}`,
        fix: `put fields that hold a ${separator === "," ? "comma" : "tab"} between double quotes`,
      })
    }
    return { line, values: Object.fromEntries(columns.map((name, i) => [name, fields[i]])) }
  })
  return { path, columns, rows }
}

function splitRecords(path: string, text: string, separator: string): { line: number; fields: string[] }[] {
  const records: { line: number; fields: string[] }[] = []
  let fields: string[] = []
  let line = 1
  let startLine = 1
  let at = 0
  while (at < text.length) {
    let field = ""
    if (text[at] === '"') {
      const opened = line
      for (at++; ; at++) {
        if (at >= text.length)
          throw new FourtierError({ where: `${path}:${opened}`, what: "a quoted field has no end" })
        if (text[at] === '"' && text[at + 1] === '"') at++
        else if (text[at] === '"') break
        if (text[at] === "\n") line++
        field += text[at]
      }
      at++
    }
    const rest = at
    while (at < text.length && text[at] !== separator && text[at] !== "\n") at++
    fields.push(field + text.slice(rest, at).replace(/\r$/, ""))
    if (text[at] === separator) {
      at++
      if (at < text.length) continue
      fields.push("")
    }
    records.push({ line: startLine, fields })
    fields = []
    at++
    line++
    startLine = line
  }
  return records
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
