/** From a table's row to a clip: its path as it is spelled on disk, its times, and what other rows say about it. */

import { existsSync } from "node:fs"
import { isAbsolute, join, relative, resolve, sep } from "node:path"
import { groupBy } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { isVideoName, VIDEO_ENDINGS } from "./endings.ts"
import type { Finding } from "./findings.ts"
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
 * @param labelled whether any table has a column `label`; else the first folder of the path is the label
 * @throws FourtierError for an empty path, and for times and folds that are no numbers
 */
export function clipOfRow(root: string, where: string, columns: Record<string, string>, labelled: boolean): SourceClip {
  const given = textOrNull(columns.path)
  if (given === null)
    throw new FourtierError({ where, what: "an empty path", fix: "name the clip's file, or remove the row" })
  const path = resolve(root, spelled(root, given))
  const inside = relative(root, path).split(sep).join("/")
  const folder = inside.includes("/") && !inside.startsWith("../") ? inside.split("/")[0] : ""
  const labels = columns.labels?.split(/[|;]/) ?? [columns.label ?? (labelled ? "" : folder)]
  const start = secondsOf(where, "start", columns.start)
  const end = secondsOf(where, "end", columns.end)
  if (end !== null && end <= (start ?? 0)) {
    throw new FourtierError({ where, what: "the end is not after the start", found: `start ${start ?? 0}, end ${end}` })
  }
  return {
    path,
    relative: inside,
    labels: [...new Set(labels.map((label) => label.trim().normalize("NFC")).filter((label) => label !== ""))],
    split: textOrNull(columns.split) === null ? null : normaliseSplit(columns.split),
    fold: wholeOf(where, columns.fold),
    group: textOrNull(columns.group),
    start,
    end,
    columns,
  }
}

/** A path as it is on disk: without quotes, with "/" for "\", with the ending that the table leaves out. */
function spelled(root: string, given: string): string {
  const there = (path: string) => existsSync(resolve(root, path))
  if (there(given)) return given
  const bare = /^(['"`‘“])(.+)['"`’”]$/u.exec(given)?.[2].trim() ?? given
  const slashed = bare.includes("/") && !bare.includes("\\") ? bare : bare.replaceAll("\\", "/")
  if (isVideoName(slashed) || there(slashed)) return slashed
  const ending = [...VIDEO_ENDINGS].find((one) => there(`${slashed}.${one}`))
  return ending === undefined ? slashed : `${slashed}.${ending}`
}

/** macOS stores file names decomposed: a path of a table is found under any Unicode normal form of the same name. */
export function matchSpelling(root: string, rows: readonly RowClip[], videos: readonly string[]): RowClip[] {
  const exact = new Set(videos)
  const byForm = new Map(videos.map((file) => [file.normalize("NFC"), file]))
  return rows.map((row) => {
    const { clip, where } = row
    const file = exact.has(clip.relative) ? clip.relative : byForm.get(clip.relative.normalize("NFC"))
    if (file === undefined || file === clip.relative || isAbsolute(file)) return row
    return { where, clip: { ...clip, relative: file, path: join(root, file) } }
  })
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

/** Seconds, with a decimal point or comma. */
function secondsOf(where: string, name: string, value: string | undefined): number | null {
  const text = textOrNull(value)
  if (text === null) return null
  const seconds = Number(text.replace(/^(\d*),(\d+)$/, "$1.$2"))
  if (Number.isFinite(seconds) && seconds >= 0) return seconds
  throw new FourtierError({
    where,
    what: `column ${name} is not a time`,
    expected: "seconds, at least 0",
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
