/** From a table's row to a clip: its path as it is spelled on disk, its times, and what other rows say about it. */

import { relative, sep } from "node:path"
import { groupBy } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { absolutePath, isObject, nameOfObject } from "../util/objects/address.ts"
import type { Finding } from "./findings.ts"
import { cleanName } from "./spelling.ts"
import { normaliseSplit } from "./split-names.ts"

/** One clip as the user names it, not yet looked into. */
export interface SourceClip {
  /** Absolute path. */
  path: string
  /** Relative to the source's root, "/" between folders. */
  relative: string
  labels: string[]
  split: string | null
  fold: number | null
  group: string | null
  start: number | null
  end: number | null
  columns: Record<string, string>
}

/** A clip, and the file and line that names it. */
export interface RowClip {
  where: string
  clip: SourceClip
}

/**
 * @param where file and line, for errors
 * @param find the file that a path means, see `pathFinder`
 * @param labelled whether any table has a column `label`; else the first folder of the path is the label
 * @throws FourtierError for an empty path, and for times and folds that are no numbers
 */
export function clipOfRow(
  root: string,
  where: string,
  columns: Record<string, string>,
  labelled: boolean,
  find: (given: string) => string,
): SourceClip {
  const given = textOrNull(columns.path)
  if (given === null)
    throw new FourtierError({ where, what: "an empty path", fix: "name the clip's file, or remove the row" })
  const path = absolutePath(find(given), root)
  const inside = isObject(path) ? objectPath(path) : relative(root, path).split(sep).join("/")
  const folder = folderLabel(inside, isObject(path))
  const labels = columns.labels?.split(/[|;]/) ?? [columns.label ?? (labelled ? "" : folder)]
  const start = secondsOf(where, "start", columns.start)
  const end = secondsOf(where, "end", columns.end)
  if (end !== null && end <= (start ?? 0)) {
    throw new FourtierError({ where, what: "the end is not after the start", found: `start ${start ?? 0}, end ${end}` })
  }
  return {
    path,
    relative: inside,
    labels: [
      ...new Set(labels.map((label) => cleanName(bareLabel(label, columns.path))).filter((label) => label !== "")),
    ],
    split: textOrNull(columns.split) === null ? null : normaliseSplit(columns.split),
    fold: wholeOf(where, columns.fold),
    group: textOrNull(columns.group === undefined ? undefined : cleanName(columns.group)),
    start,
    end,
    columns,
  }
}

/** An object's bucket and key. */
function objectPath(address: string): string {
  const { bucket, key } = nameOfObject(address)
  return `${bucket}/${key}`
}

/** The class folder: the first one below the data; of an object the one that it is in. */
function folderLabel(inside: string, isInStore: boolean): string {
  const folders = inside.split("/").slice(0, -1)
  if (isInStore) return folders.length > 1 ? folders[folders.length - 1] : ""
  return folders.length > 0 && !inside.startsWith("../") ? folders[0] : ""
}

/** A label without the single quotes that its row has around the path as well. */
function bareLabel(label: string, path: string): string {
  const quoted = /^'(.*)'$/
  return quoted.test(path) ? (quoted.exec(label.trim())?.[1] ?? label) : label
}

/**
 * Each clip once: rows that repeat another are left out, rows that contradict another become findings.
 * @returns also the places of the rows left out
 */
export function onceEach(rows: readonly RowClip[]): { clips: SourceClip[]; findings: Finding[]; repeated: string[] } {
  const clips: SourceClip[] = []
  const findings: Finding[] = []
  const repeated: string[] = []
  const sameClip = groupBy(rows, ({ clip: { path, start, end } }) => JSON.stringify([path, start ?? 0, end]))
  for (const [first, ...others] of sameClip.values()) {
    clips.push(first.clip)
    for (const other of others) {
      const field = difference(first.clip, other.clip)
      if (field === null) repeated.push(other.where)
      else {
        clips.push(other.clip)
        findings.push(contradiction(first, other, field))
      }
    }
  }
  return { clips, findings, repeated }
}

const FIELDS = ["labels", "split", "group", "fold"] as const

function difference(a: SourceClip, b: SourceClip): (typeof FIELDS)[number] | null {
  return FIELDS.find((field) => String(a[field] ?? "") !== String(b[field] ?? "")) ?? null
}

function contradiction(first: RowClip, other: RowClip, field: (typeof FIELDS)[number]): Finding {
  const value = ({ clip }: RowClip) => String(clip[field] ?? "") || "none"
  const name = field === "labels" ? "label" : field
  return {
    level: "error",
    where: other.where,
    what: `the same clip as in ${first.where}, with another ${name}`,
    expected: `${name} ${value(first)}`,
    found: `${name} ${value(other)} of ${other.clip.relative}`,
    fix: "remove one of the two rows; parts of one file are told apart by `start` and `end`",
  }
}

function textOrNull(value: string | undefined): string | null {
  return value === undefined || value.trim() === "" ? null : value.trim()
}

/** Seconds with a decimal point or comma, or a time such as 1:02.5 and 0:01:02; nothing for what programs write for an empty cell. */
function secondsOf(where: string, name: string, value: string | undefined): number | null {
  const text = textOrNull(value)
  if (text === null || /^(?:nan|na|n\/a|null|none|-)$/i.test(text)) return null
  const parts = text.replace(/^([\d:]*),(\d+)$/, "$1.$2").split(":")
  const plain =
    parts.length === 1 ||
    (parts.length <= 3 && parts.every((part, i) => /^\d+(?:\.\d+)?$/.test(part) && (i === 0 || Number(part) < 60)))
  const seconds = plain ? parts.reduce((sum, part) => 60 * sum + Number(part), 0) : Number.NaN
  if (Number.isFinite(seconds) && seconds >= 0) return seconds
  throw new FourtierError({
    where,
    what: `column ${name} is not a time`,
    expected: "seconds, at least 0, or h:mm:ss",
    found: text,
    fix: "write seconds from the first frame, such as 12.5; or rename the column if it means something else",
  })
}

function wholeOf(where: string, value: string | undefined): number | null {
  const text = textOrNull(value)
  if (text === null) return null
  const fold = Number(text)
  if (Number.isInteger(fold)) return fold
  throw new FourtierError({ where, what: "column fold is not a number", expected: "a whole number", found: text })
}
