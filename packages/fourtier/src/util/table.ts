/** Tables of text for a terminal and for Markdown. */

import CliTable from "cli-table3"

export interface Column {
  title: string
  /** Numbers read best to the right. */
  align?: "left" | "right"
}

/**
 * A table with lines drawn in box characters and without colours. Cells may hold line breaks. Where it is wider than `width`, text
 * is wrapped; where numbers alone are, the columns that do not fit follow as further tables with the same first column.
 *
 * @param width characters of a line; by default those of the terminal, 80 where there is none
 */
export function terminalTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = process.stdout.columns ?? 80,
): string {
  const natural = columns.map(({ title }, c) => Math.max(...[title, ...rows.map((row) => row[c])].map(longestLine)))
  const widths = fitted(columns, natural, width)
  if (widths === null) return stacked(columns, natural, rows, width)
  const table = new CliTable({
    head: columns.map(({ title }, c) => wrapCell(title, widths[c])),
    colAligns: columns.map(({ align }) => align ?? "left"),
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) table.push(row.map((cell, c) => wrapCell(cell, widths[c])))
  return table.toString()
}

/** Text in lines of at most `width` characters, broken at spaces; longer words stay whole. */
export function wrapText(text: string, width = process.stdout.columns ?? 80): string {
  const lines: string[] = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.join("\n")
}

/** A cell in lines of at most `width` characters, broken at spaces; paths and longer words are cut where they end, so that none gets a gap. */
function wrapCell(cell: string, width: number): string {
  const lines = cell.split("\n").flatMap((line) => (/[/\\]/.test(line) ? [line] : wrapText(line, width).split("\n")))
  return lines.flatMap((line) => line.match(new RegExp(`.{1,${width}}`, "gu")) ?? [""]).join("\n")
}

const longestLine = (cell: string) => Math.max(...cell.split("\n").map((line) => line.length))

/** Fewest characters of a column of text before the table is cut into several. */
const NARROWEST = 12

/** Widths of the columns that fit; `natural` where it does; null where none do. */
function fitted(columns: readonly Column[], natural: number[], width: number): number[] | null {
  const room = width - (3 * columns.length + 1)
  let over = natural.reduce((sum, one) => sum + one, 0) - room
  if (over <= 0) return natural
  const widths = [...natural]
  for (; over > 0; over--) {
    const widest = widths.reduce(
      (best, one, c) => (columns[c].align !== "right" && one > (widths[best] ?? 0) ? c : best),
      -1,
    )
    if (widest < 0 || widths[widest] <= NARROWEST) return null
    widths[widest]--
  }
  return widths
}

/** As many of the columns as fit beside the first, but one at least, as one table; the others as further tables below it. */
function stacked(
  columns: readonly Column[],
  natural: readonly number[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const first = Math.min(natural[0], Math.max(NARROWEST, width >> 1))
  const parts: number[][] = []
  let free = 0
  for (let c = 1; c < columns.length; c++) {
    const part = parts.at(-1)
    if (part !== undefined && natural[c] + 3 <= free) part.push(c)
    else {
      parts.push([c])
      free = width - first - 4
    }
    free -= natural[c] + 3
  }
  const pick = <T>(cells: readonly T[], part: readonly number[]) => [cells[0], ...part.map((c) => cells[c])]
  return parts
    .map((part) => {
      const own = pick(columns, part)
      return terminalTable(
        own,
        rows.map((row) => pick(row, part)),
        part.length === 1 ? Number.POSITIVE_INFINITY : width,
      )
    })
    .join("\n")
}

/** A Markdown table. Vertical bars in cells are escaped, line breaks become `<br>`. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(markdownCell).join(" | ")} |`
  const rule = columns.map(({ align }) => (align === "right" ? "---:" : "---"))
  return [line(columns.map(({ title }) => title)), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n")
}

function markdownCell(cell: string): string {
  return cell.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll(/\r?\n/g, "<br>")
}
