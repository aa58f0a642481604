/** Comma-separated values as RFC 4180 has them: quotes around fields with commas, quotes or line breaks; "" for a quote. */

import { FourtierError } from "../util/errors.ts"

/** @returns rows of equally many fields, the header first. @throws FourtierError for an open quote or a ragged row */
export function parseCsv(text: string, where: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let field = ""
  let quoted = false
  let line = 1
  let at = text.startsWith("\uFEFF") ? 1 : 0
  const endRow = () => {
    row.push(field)
    field = ""
    if (row.length > 1 || row[0] !== "") {
      if (rows.length > 0 && row.length !== rows[0].length) {
        throw new FourtierError({
          where: `${where}, line ${line}`,
          what: "wrong number of fields",
          expected: String(rows[0].length),
          found: String(row.length),
          fix: 'put fields with commas in "quotes"',
        })
      }
      rows.push(row)
    }
    row = []
  }
  for (; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char === '"' && text[at + 1] === '"') field += text[++at]
      else if (char === '"') quoted = false
      else field += char
      if (char === "\n") line++
    } else if (char === '"' && field === "") quoted = true
    else if (char === ",") {
      row.push(field)
      field = ""
    } else if (char === "\n") {
      endRow()
      line++
    } else if (char !== "\r" || text[at + 1] !== "\n") field += char
  }
  if (quoted) throw new FourtierError({ where, what: "a quoted field never ends", found: field.slice(0, 80) })
  if (field !== "" || row.length > 0) endRow()
  return rows
}

export function csvLine(fields: readonly (string | number | null)[]): string {
  return `${fields.map((field) => csvField(field === null ? "" : String(field))).join(",")}\n`
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
