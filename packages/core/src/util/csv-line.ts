/** One line of a table of separated values (RFC 4180). */

/**
 * One line with its end. Null is an empty field.
 *
 * @example
 * ```ts
 * import { csvLine } from "@fourtier/core"
 *
 * csvLine(["a.mp4", 'so-called "jump"', 0.5, null]) // 'a.mp4,"so-called ""jump""",0.5,\n'
 * ```
 */
export function csvLine(fields: readonly (string | number | null)[]): string {
  return `${fields.map((field) => quoted(String(field ?? ""))).join(",")}\n`
}

function quoted(field: string): string {
  return /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field
}
