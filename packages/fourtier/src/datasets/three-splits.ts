/** Data sets with three official splits: one row a clip, a column for each split, and `split` for the first. */

import { examples } from "../video/findings.ts"
import type { AnnotatedClip } from "./dataset.ts"

/** What a list says of a clip in one split. */
export interface SplitRow {
  where: string
  /** "Class/file.avi" */
  name: string
  label: string
  /** 1, 2 or 3. */
  split: number
  /** train, test, or "" for neither. */
  part: string
}

export const splitColumns = ["split1", "split2", "split3"] as const

/** One clip for all rows about it. The part `split` is that of the first split that is there. */
export function* joinSplits(rows: readonly SplitRow[], notes: string[]): Generator<Omit<AnnotatedClip, "file">> {
  const byName = new Map<string, { first: SplitRow; parts: Record<string, string> }>()
  const contrary: string[] = []
  for (const row of rows) {
    const known = byName.get(row.name) ?? { first: row, parts: {} }
    const column = `split${row.split}`
    if (known.parts[column] !== undefined && known.parts[column] !== row.part) contrary.push(`${row.name} in ${column}`)
    known.parts[column] = known.parts[column] === "test" ? "test" : row.part
    byName.set(row.name, known)
  }
  if (contrary.length > 0) notes.push(`clips in both parts of a split, kept for the test: ${examples(contrary)}`)
  const splits = [...new Set(rows.map(({ split }) => split))].sort()
  const lacking = splitColumns.filter((column) => !splits.includes(Number(column.at(-1))))
  if (lacking.length > 0) notes.push(`no lists of ${lacking.join(", ")}`)
  for (const { first, parts } of byName.values()) {
    const { where, name, label } = first
    yield { where, name, label, split: parts[`split${splits[0]}`] ?? "", columns: parts }
  }
}
