/**
 * Tables of separated values as RFC 4180 has them: a field in quotes may hold separators, line breaks, and "" for a quote.
 * Quotes inside a field that does not begin with one stand for themselves.
 */

import { FourtierError } from "@fourtier/tensor"
import { CsvError, parse } from "csv-parse/sync"

/** A row and the line that it starts on. */
export interface CsvRow {
  line: number
  fields: string[]
}

/**
 * @param path names the text in errors
 * @returns rows of equally many fields, the header first; without empty lines
 * @throws FourtierError for an open quote or a ragged row
 */
export function parseCsv(text: string, path: string, separator: "," | "\t" = ","): CsvRow[] {
  const rows: CsvRow[] = []
  // The parser's own count of lines is wrong where "\r\n" stands in quotes, and tells where a row ends.
  let line = 1
  const collect = (fields: string[]) => {
    rows.push({ line, fields })
    line += fields.reduce((breaks, field) => breaks + field.split("\n").length - 1, 1)
    return null
  }
  try {
    parse(text, {
      bom: true,
      delimiter: separator,
      record_delimiter: ["\n", "\r\n"],
      relax_quotes: true,
      relax_column_count: true,
      on_record: collect,
    })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const about = { where: `${path}:${line}`, what: "a quoted field has no end", found: error.message }
    throw new FourtierError(
      { ...about, fix: 'close the field with ", and write "" for a quote inside it' },
      { cause: error },
    )
  }
  const filled = rows.filter(({ fields }) => fields.length > 1 || fields[0] !== "")
  for (const { line, fields } of filled) {
    const columns = filled[0].fields.length
    if (fields.length === columns) continue
    throw new FourtierError({
      where: `${path}:${line}`,
      what: "a row has another number of fields than the header",
      expected: `${columns} fields`,
      found: `${fields.length}`,
      fix: `put fields that hold a ${separator === "," ? "comma" : "tab"} between double quotes`,
    })
  }
  return filled
}
