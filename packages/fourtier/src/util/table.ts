/** Tables of text for a terminal and for Markdown. */

import CliTable from "cli-table3"

export interface Column {
  title: string
  /** Numbers read best to the right. */
  align?: "left" | "right"
}

/** A table with lines drawn in box characters and without colours. Cells may hold line breaks. */
export function terminalTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new CliTable({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align ?? "left"),
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) table.push([...row])
  return table.toString()
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
