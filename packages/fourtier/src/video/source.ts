/**
 * What the user has: a folder of class folders, a folder with tables, or one table. Nothing is opened as video here.
 *
 * Tables name a video a row, in a column `path`; `label`, or `labels` (several between "|" or ";"), `split`, `group`,
 * `fold`, `start` and `end` (seconds) are understood, every other column is kept. Tables of one folder are joined by path.
 */

import type { Dirent } from "node:fs"
import { readdir, realpath, stat } from "node:fs/promises"
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from "node:path"
import { plural } from "@fourtier/core"
import { FourtierError, messageOf, nearest } from "@fourtier/tensor"
import { readText } from "@fourtier/tensor/node"
import { isManifest } from "./manifest.ts"
import { parseTable, type Table } from "./tables.ts"

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

export interface Source {
  root: string
  clips: SourceClip[]
  /** Things worth telling the user: video files that no table names, for example. */
  notes: string[]
}

/** Endings of files taken for video. Others are passed over in folders; a table may name anything. */
export const VIDEO_ENDINGS: ReadonlySet<string> = new Set(
  "3g2 3gp asf avi divx dv f4v flv gif m2ts m2v m4v mjpeg mkv mov mp4 mpe mpeg mpg mts mxf nut ogm ogv rm rmvb ts vob webm wmv y4m".split(
    " ",
  ),
)

const SPLIT_NAMES: Readonly<Record<string, string>> = {
  train: "train",
  training: "train",
  val: "val",
  valid: "val",
  validation: "val",
  dev: "val",
  test: "test",
  testing: "test",
}

/**
 * "training" becomes "train", "validation" "val", and so on; other values stay.
 *
 * @example
 * ```ts
 * import { normaliseSplit } from "fourtier/video"
 *
 * normaliseSplit("Validation") // "val"
 * ```
 */
export function normaliseSplit(value: string): string {
  return SPLIT_NAMES[value.trim().toLowerCase()] ?? value.trim()
}

/**
 * Lists the clips of a folder or table, sorted by path and window.
 *
 * @throws FourtierError for a path that is not there, a table that cannot be read or contradicts another, no clips at all.
 *
 * @example
 * ```ts
 * import { scanSource } from "fourtier/video"
 *
 * const { clips, notes } = await scanSource("clips")
 * console.log(clips.map(({ relative, labels }) => [relative, labels]), notes)
 * ```
 */
export async function scanSource(path: string): Promise<Source> {
  const source = resolve(path)
  const found = await stat(source).catch((error) => {
    throw new FourtierError({
      where: source,
      what: "the data cannot be opened",
      expected: "a folder of class folders, a folder with a table, or a CSV, TSV or JSONL file",
      found: messageOf(error),
    })
  })
  const scanned = found.isDirectory()
    ? await scanFolder(source)
    : await scanTables(dirname(source), [await readTable(source)], [])
  scanned.clips.sort(bySourceOrder)
  if (scanned.clips.length > 0) return scanned
  throw new FourtierError({
    where: source,
    what: "no video found",
    expected: "class folders with video files, or a table with a column `path`",
    fix: `known file extensions: ${[...VIDEO_ENDINGS].join(" ")}`,
  })
}

async function scanFolder(root: string): Promise<Source> {
  const files = await listFiles(root)
  const tables: Table[] = []
  for (const file of files.filter((name) => !name.includes("/") && isTableName(name))) {
    const path = join(root, file)
    if (isManifest((await readText(path)).slice(0, 1000))) continue
    const table = await readTable(path)
    if (table.columns.includes("path")) tables.push(table)
  }
  const videos = files.filter(isVideoName)
  if (tables.length > 0) return scanTables(root, tables, videos)
  const tops = new Set(videos.filter((file) => file.includes("/")).map((file) => file.split("/")[0]))
  const bySplit = tops.size > 0 && [...tops].every((top) => top.toLowerCase() in SPLIT_NAMES)
  const clips = videos.map((file): SourceClip => {
    const folders = file.split("/").slice(0, -1)
    const split = bySplit && folders.length > 0 ? normaliseSplit(folders[0]) : null
    const label = folders[split === null ? 0 : 1]
    return { ...unlabelled(root, file), labels: label === undefined ? [] : [label], split }
  })
  return { root, clips, notes: [] }
}

function unlabelled(root: string, file: string): SourceClip {
  const path = isAbsolute(file) ? file : join(root, file)
  return { path, relative: file, labels: [], split: null, fold: null, group: null, start: null, end: null, columns: {} }
}

/** Every file under a folder that is not hidden, relative, "/" between folders, sorted. Links that lead back to a folder above are left. */
async function listFiles(root: string): Promise<string[]> {
  const files: string[] = []
  const visit = async (folder: string, prefix: string, above: readonly string[]): Promise<void> => {
    const real = await realpath(folder)
    if (above.includes(real)) return
    const entries = await readdir(folder, { withFileTypes: true })
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue
      const kind = await kindOf(folder, entry)
      if (kind === "folder") await visit(join(folder, entry.name), `${prefix}${entry.name}/`, [...above, real])
      else if (kind === "file") files.push(`${prefix}${entry.name}`)
    }
  }
  await visit(root, "", [])
  return files.sort()
}

async function kindOf(folder: string, entry: Dirent): Promise<"file" | "folder" | "other"> {
  if (entry.isFile()) return "file"
  if (entry.isDirectory()) return "folder"
  if (!entry.isSymbolicLink()) return "other"
  const target = await stat(join(folder, entry.name)).catch(() => null)
  return target?.isFile() ? "file" : target?.isDirectory() ? "folder" : "other"
}

function isVideoName(file: string): boolean {
  return VIDEO_ENDINGS.has(extname(file).slice(1).toLowerCase())
}

function isTableName(file: string): boolean {
  return [".csv", ".tsv"].includes(extname(file).toLowerCase()) || file === "manifest.jsonl" || file === "clips.jsonl"
}

async function readTable(path: string): Promise<Table> {
  const table = parseTable(path, await readText(path))
  const known = ["path", "label", "labels", "split", "group", "fold", "start", "end"]
  const columns = table.columns.map((name) => (known.includes(name.toLowerCase()) ? name.toLowerCase() : name))
  if (columns.every((name, i) => name === table.columns[i])) return table
  const rows = table.rows.map(({ line, values }) => ({
    line,
    values: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [columns[table.columns.indexOf(name)], value]),
    ),
  }))
  return { ...table, columns, rows }
}

/** Joins tables by path: the one with windows, or else the longest, gives the clips; the others add columns to them. */
async function scanTables(root: string, tables: Table[], videos: readonly string[]): Promise<Source> {
  for (const table of tables) {
    if (table.columns.includes("path")) continue
    const close = nearest("path", table.columns)
    throw new FourtierError({
      where: table.path,
      what: "no column `path`",
      found: `columns ${table.columns.join(", ") || "none"}`,
      fix: close === undefined ? "add a header line with a column `path`" : `rename the column "${close}"`,
    })
  }
  const repeats = (table: Table) => new Set(table.rows.map(({ values }) => values.path)).size < table.rows.length
  const [main, ...others] = [...tables].sort(
    (a, b) => Number(repeats(b)) - Number(repeats(a)) || b.rows.length - a.rows.length || (a.path < b.path ? -1 : 1),
  )
  const added = new Map<string, { table: Table; line: number; values: Record<string, string> }[]>()
  for (const table of others) {
    if (repeats(table)) {
      throw new FourtierError({
        where: table.path,
        what: "cannot be joined by path: this table and another both list a path more than once",
        found: main.path,
        fix: "pass the path of the one table to use",
      })
    }
    for (const { line, values } of table.rows) {
      added.set(values.path, [...(added.get(values.path) ?? []), { table, line, values }])
    }
  }
  const clips: SourceClip[] = []
  for (const { line, values } of main.rows) {
    const columns = { ...values }
    for (const other of added.get(values.path) ?? []) {
      for (const [name, value] of Object.entries(other.values)) {
        if (columns[name] !== undefined && columns[name] !== value) {
          throw new FourtierError({
            where: `${other.table.path}:${other.line}`,
            what: `contradicts ${main.path}:${line} about "${values.path}"`,
            expected: `${name} = ${columns[name]}`,
            found: `${name} = ${value}`,
          })
        }
        columns[name] = value
      }
    }
    clips.push(
      clipOfRow(
        root,
        `${main.path}:${line}`,
        columns,
        tables.some(({ columns: names }) => names.includes("label")),
      ),
    )
  }
  const missing = new Set(added.keys())
  for (const { columns } of clips) missing.delete(columns.path)
  const notes: string[] = []
  if (missing.size > 0) notes.push(`${plural(missing.size, "path")} of other tables not in ${basename(main.path)}`)
  const matched = matchSpelling(root, clips, videos)
  const named = new Set(matched.map(({ relative }) => relative))
  const unnamed = videos.filter((file) => !named.has(file))
  if (unnamed.length > 0) notes.push(`${plural(unnamed.length, "video file")} not used: in no table (${unnamed[0]}, …)`)
  return { root, clips: matched, notes }
}

function clipOfRow(root: string, where: string, columns: Record<string, string>, labelled: boolean): SourceClip {
  const given = columns.path
  if (given === undefined || given.trim() === "") throw new FourtierError({ where, what: "an empty path" })
  const path = resolve(root, given)
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
    labels: [...new Set(labels.map((label) => label.trim()).filter((label) => label !== ""))],
    split: textOrNull(columns.split) === null ? null : normaliseSplit(columns.split),
    fold: wholeOf(where, columns.fold),
    group: textOrNull(columns.group),
    start,
    end,
    columns,
  }
}

/** macOS stores file names decomposed: a path of a table is found under any Unicode normal form of the same name. */
function matchSpelling(root: string, clips: readonly SourceClip[], videos: readonly string[]): SourceClip[] {
  const exact = new Set(videos)
  const byForm = new Map(videos.map((file) => [file.normalize("NFC"), file]))
  return clips.map((clip) => {
    const file = exact.has(clip.relative) ? clip.relative : byForm.get(clip.relative.normalize("NFC"))
    return file === undefined || file === clip.relative ? clip : { ...clip, relative: file, path: join(root, file) }
  })
}

function textOrNull(value: string | undefined): string | null {
  return value === undefined || value.trim() === "" ? null : value.trim()
}

function secondsOf(where: string, name: string, value: string | undefined): number | null {
  const text = textOrNull(value)
  if (text === null) return null
  const seconds = Number(text)
  if (Number.isFinite(seconds) && seconds >= 0) return seconds
  throw new FourtierError({ where, what: `column ${name} is not a time`, expected: "seconds, at least 0", found: text })
}

function wholeOf(where: string, value: string | undefined): number | null {
  const text = textOrNull(value)
  if (text === null) return null
  const fold = Number(text)
  if (Number.isInteger(fold)) return fold
  throw new FourtierError({ where, what: "column fold is not a number", expected: "a whole number", found: text })
}

function bySourceOrder(a: SourceClip, b: SourceClip): number {
  if (a.relative !== b.relative) return a.relative < b.relative ? -1 : 1
  return (a.start ?? 0) - (b.start ?? 0) || (a.end ?? Infinity) - (b.end ?? Infinity)
}
