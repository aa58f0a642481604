/**
 * Tables of separated values as RFC 4180 has them: a field in quotes may hold separators, line breaks, and "" for a quote.
 * Quotes inside a field that does not begin with one stand for themselves.
 *
 * What spreadsheets and people make of it is understood as well: semicolons, tabs or bars instead of commas, a first line
 * `sep=;`, any line end, spaces around fields, and comments on lines of their own that begin with "#".
 */

import { createReadStream } from "node:fs"
import { FourtierError } from "@fourtier/tensor"
import { parse as parseStream } from "csv-parse"
import { CsvError, parse } from "csv-parse/sync"

/** A row and the line that it starts on. */
export interface CsvRow {
  line: number
  fields: string[]
}

export type Separator = "," | ";" | "\t" | "|"

const SEPARATORS: readonly Separator[] = [",", ";", "\t", "|"]

export interface CsvOptions {
  /** The separator where the first row does not tell another; a comma by default. */
  separator?: Separator
  /** Names of columns, in small letters: a first line such as `#path,label` that holds one is the header and no comment. */
  columns?: readonly string[]
}

/**
 * @param path names the text in errors
 * @returns rows of equally many fields, the header first; without empty lines, lines of separators alone, and comments
 * @throws FourtierError for an open quote or a ragged row
 */
export function parseCsv(text: string, path: string, options: CsvOptions = {}): CsvRow[] {
  return [...csvRows(text, path, options)]
}

/** The rows one after the other, as `parseCsv` has them: for tables of which the rows need not be there at once. */
export function* csvRows(text: string, path: string, options: CsvOptions = {}): Generator<CsvRow> {
  const { source, declared } = withoutSeparatorLine(text)
  const lines = source.split(/\r\n|\r|\n/)
  const separator = declared ?? separatorOf(lines, options.separator ?? ",")
  const rows = records({ source, lines, path, separator })
  yield* evenRows(withoutComments(rows, lines, options.columns ?? []), path, separator)
}

/** Most lines that are parsed at once; more where a quoted field goes on. */
const PARSED_LINES = 1000

interface Sheet {
  source: string
  /** The source's lines without their ends. */
  lines: readonly string[]
  path: string
  separator: Separator
}

/** Lines without a quote are records as they stand, which is many times faster than parsing them; the others are parsed. */
function* records(sheet: Sheet): Generator<CsvRow> {
  const { lines, separator } = sheet
  const trim = separator !== "\t"
  let starts: Uint32Array | null = null
  for (let at = 0; at < lines.length; ) {
    const text = at === 0 ? lines[0].replace(/^\uFEFF/, "") : lines[at]
    if (!text.includes('"')) {
      if (text !== "" || at < lines.length - 1) {
        const fields = text.split(separator)
        yield { line: at + 1, fields: trim ? fields.map((field) => field.trim()) : fields }
      }
      at++
      continue
    }
    let end = at + 1
    while (end < lines.length && end < at + PARSED_LINES && lines[end].includes('"')) end++
    starts ??= startsOf(sheet)
    at = yield* quotedRecords(sheet, starts, at, end)
  }
}

/** Where each line starts in the source, and at last where it ends. */
function startsOf({ source, lines }: Sheet): Uint32Array {
  const starts = new Uint32Array(lines.length + 1)
  let line = 1
  for (const { index, 0: end } of source.matchAll(/\r\n|\r|\n/g)) starts[line++] = index + end.length
  starts[lines.length] = source.length
  return starts
}

/** Parses the lines from `at` to `end`, and as many more as an open quote needs. @returns the line to go on with */
function* quotedRecords(
  { source, lines, path, separator }: Sheet,
  starts: Uint32Array,
  at: number,
  end: number,
): Generator<CsvRow, number> {
  for (let last = end; ; last = Math.min(lines.length, at + 2 * (last - at))) {
    const rows: CsvRow[] = []
    // The parser's own count of lines is wrong where a line break stands in quotes, and tells where a row ends.
    let line = at + 1
    const collect = (fields: string[]) => {
      rows.push({ line, fields })
      line += fields.reduce((breaks, field) => breaks + field.split(/\r\n|\r|\n/).length - 1, 1)
      return null
    }
    try {
      parse(source.slice(starts[at], starts[last]), {
        bom: true,
        delimiter: separator,
        record_delimiter: ["\r\n", "\n", "\r"],
        relax_quotes: true,
        relax_column_count: true,
        trim: separator !== "\t",
        on_record: collect,
      })
      yield* rows
      return last
    } catch (error) {
      if (!(error instanceof CsvError)) throw error
      if (last < lines.length) continue
      const about = { where: `${path}:${line}`, what: "a quoted field has no end", found: error.message }
      throw new FourtierError(
        { ...about, fix: 'close the field with ", and write "" for a quote inside it' },
        { cause: error },
      )
    }
  }
}

/**
 * Rows of a table that fourtier has written itself, one after another, the header first: files of any size.
 * @throws the error of csv-parse where the file is cut off within quotes
 */
export async function* ownCsvRows(path: string): AsyncGenerator<string[]> {
  const rows = createReadStream(path).pipe(parseStream({ relax_column_count: true }))
  for await (const row of rows) yield row
}

/** Excel's first line, `sep=;`, names the separator. An empty line stands for it, so that lines keep their numbers. */
function withoutSeparatorLine(text: string): { source: string; declared: Separator | null } {
  const found = /^\uFEFF?"?sep=([,;|\t])"?(?=\r|\n|$)/i.exec(text)
  if (found === null) return { source: text, declared: null }
  return { source: text.slice(found[0].length), declared: SEPARATORS.find((one) => one === found[1]) ?? null }
}

/** The separator that stands in the first row, and equally often in the next ones; `likely` where none or several do. */
function separatorOf(lines: readonly string[], likely: Separator): Separator {
  const first = lines.slice(0, 40).filter((line) => line.trim() !== "" && !/^\s*#.*\s/.test(line))
  const counts = (separator: Separator) => first.map((line) => countOutsideQuotes(line, separator))
  const order = [likely, ...SEPARATORS.filter((one) => one !== likely)]
  const present = order
    .map((separator) => ({ separator, each: counts(separator) }))
    .filter(({ each }) => (each[0] ?? 0) > 0)
  const even = present.filter(({ each }) => each.every((count) => count === each[0]))
  const [best] = (even.length > 0 ? even : present).toSorted((a, b) => b.each[0] - a.each[0])
  return best?.separator ?? likely
}

function countOutsideQuotes(line: string, separator: Separator): number {
  return line.replaceAll(/"[^"]*"/g, "").split(separator).length - 1
}

function* withoutComments(
  rows: Iterable<CsvRow>,
  lines: readonly string[],
  columns: readonly string[],
): Generator<CsvRow> {
  let head: CsvRow | null = null
  for (const row of rows) {
    const { line, fields } = row
    if (fields.every((field) => field === "") && !lines[line - 1].includes('"')) continue
    const kept: CsvRow | null = /^\uFEFF?\s*#/.test(lines[line - 1]) ? commentAsRow(row, head, columns) : row
    if (kept === null) continue
    head ??= kept
    yield kept
  }
}

/** A line that begins with "#": the header where it names columns, a row where it names a file, else null. */
function commentAsRow({ line, fields }: CsvRow, head: CsvRow | null, columns: readonly string[]): CsvRow | null {
  if (head === null) {
    const names = fields.map((name, i) => (i === 0 ? name.replace(/^#\s*/, "") : name))
    return names.some((name) => columns.includes(name.toLowerCase())) ? { line, fields: names } : null
  }
  const isFile = fields.length > 1 && fields.length === head.fields.length && /\.\w{2,5}$/.test(fields[0])
  return isFile ? { line, fields } : null
}

const NAMES: Readonly<Record<Separator, string>> = { ",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar" }

function* evenRows(rows: Iterable<CsvRow>, path: string, separator: Separator): Generator<CsvRow> {
  let columns: number | null = null
  for (const row of rows) {
    columns ??= row.fields.length
    // programs that keep a table in cells write separators after the last one that is filled
    if (row.fields.length > columns && row.fields.slice(columns).every((field) => field === "")) {
      yield { line: row.line, fields: row.fields.slice(0, columns) }
      continue
    }
    if (row.fields.length !== columns) {
      throw new FourtierError({
        where: `${path}:${row.line}`,
        what: "a row has another number of fields than the header",
        expected: `${columns} fields`,
        found: `${row.fields.length}`,
        fix: `put fields that hold ${NAMES[separator]} between double quotes`,
      })
    }
    yield row
  }
}
