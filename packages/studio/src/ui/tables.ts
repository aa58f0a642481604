/** What lies beside videos in a folder of `fourtier`: a table of clips and labels, and answers about them. */

/** A clip of a table. */
export interface TableRow {
  /** Relative to the table. */
  path: string
  label: string | null
  start: number | null
  end: number | null
}

/** One answer of a file. */
export interface AnswerRow {
  path: string
  start: number | null
  end: number | null
  prompt: string
  text: string
}

const PATHS = ["path", "file", "filename", "video"]
const LABELS = ["label", "class", "labels"]

/** The clips of a table with a column of paths; null for any other text. */
export function clipRows(text: string): TableRow[] | null {
  const [head, ...rows] = fieldsOf(text)
  const names = head?.map((name) => name.toLowerCase()) ?? []
  const at = (wanted: readonly string[]) => names.findIndex((name) => wanted.includes(name))
  const [path, label, start, end] = [at(PATHS), at(LABELS), at(["start"]), at(["end"])]
  if (path < 0) return null
  return rows
    .filter((fields) => fields[path])
    .map((fields) => ({
      path: plain(fields[path]),
      label: fields[label]?.trim() || null,
      start: numberIn(fields[start]),
      end: numberIn(fields[end]),
    }))
}

/** The answers of a file of JSON lines: one a line, or all about a clip. Lines that are something else are left out. */
export function answerRows(text: string): AnswerRow[] {
  return text.split("\n").flatMap((line) => {
    const own = objectIn(line)
    const path = own && [own.path, own.clip].find((name) => typeof name === "string")
    if (!own || typeof path !== "string") return []
    const place = { path: plain(path), start: numberIn(own.start), end: numberIn(own.end) }
    const answers = typeof own.answers === "object" ? { ...own.answers } : { [String(own.prompt)]: own.answer }
    return Object.entries(answers).flatMap(([prompt, said]) =>
      typeof said === "string" ? [{ ...place, prompt, text: said }] : [],
    )
  })
}

const plain = (path: string) => path.replaceAll("\\", "/").replace(/^\.\//, "").normalize("NFC")

function numberIn(value: unknown): number | null {
  if (value === undefined || value === null || value === "") return null
  return Number.isFinite(Number(value)) ? Number(value) : null
}

function objectIn(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

/** Rows of separated values (RFC 4180), comments left out; the separator is that of the first line. */
function fieldsOf(text: string): string[][] {
  const lines = text.replace(/^\uFEFF/, "").replaceAll(/^#.*(\r?\n|$)/gm, "")
  const first = lines.slice(0, lines.search(/\r?\n|$/))
  const separator = [",", ";", "\t", "|"].find((one) => first.includes(one)) ?? ","
  const rows: string[][] = []
  let row: string[] = []
  const field = new RegExp(
    `("(?:[^"]|"")*"|[^${separator === "|" ? "\\|" : separator}\\r\\n]*)(${separator === "|" ? "\\|" : separator}|\\r?\\n|\\r|$)`,
    "gy",
  )
  for (let found = field.exec(lines); found && found.index < lines.length; found = field.exec(lines)) {
    const [, value, end] = found
    row.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value.trim())
    if (end === separator) continue
    if (row.some((one) => one !== "")) rows.push(row)
    row = []
  }
  return rows
}
