/**
 * What the user has: a folder of class folders, a folder with tables, or one table. Nothing is opened as video here.
 *
 * Tables name a video a row (`tables.ts` finds the columns); `label`, or `labels` (several between "|" or ";"), `split`,
 * `group`, `fold`, `start` and `end` (seconds) are understood, every other column is kept. Tables of one folder are joined
 * by path; `train.csv`, `val.csv` and `test.csv` are the parts of a split.
 */

import { existsSync } from "node:fs"
import { stat } from "node:fs/promises"
import { basename, dirname, extname, isAbsolute, join, resolve } from "node:path"
import { plural } from "@fourtier/core"
import { FourtierError, messageOf, nearest } from "@fourtier/tensor"
import { isObject } from "../util/objects/address.ts"
import { readForeignText } from "../util/text.ts"
import { isVideoName, VIDEO_ENDINGS } from "./endings.ts"
import { examples, type Finding } from "./findings.ts"
import { listFiles } from "./listing.ts"
import { isManifest } from "./manifest.ts"
import { ownManifest, refuseOtherThings, refusePointer } from "./not-data.ts"
import { clipOfRow, onceEach, type RowClip, type SourceClip } from "./rows.ts"
import { cleanName, pathFinder } from "./spelling.ts"
import { isSplitName, normaliseSplit } from "./split-names.ts"
import { parseTable, type Table, takenAs, withKnownNames } from "./tables.ts"
import { isTestPartFile } from "./test-part-names.ts"
import { notesOfUnread } from "./unread-tables.ts"

export interface Source {
  root: string
  clips: SourceClip[]
  /** Paths of the tables that name the clips; none where folders do. */
  tables: string[]
  /** Things worth telling the user: video files that no table names, for example. */
  notes: string[]
  /** Rows that contradict each other about one clip. */
  findings: Finding[]
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
  const scanned = await listSource(path)
  if (scanned.clips.length > 0) return scanned
  throw new FourtierError({
    where: resolve(path),
    what: "no video found",
    expected: "class folders with video files, or a table with a column `path`",
    found: scanned.notes.length > 0 ? scanned.notes.join("\n            ") : undefined,
    fix: `known file extensions: ${[...VIDEO_ENDINGS].join(" ")}`,
  })
}

/** As `scanSource`, for data that may hold no clip yet. */
export async function listSource(path: string): Promise<Source> {
  if (isObject(path)) throw notATable(path)
  const source = resolve(path)
  const found = await stat(source).catch((error) => {
    throw new FourtierError({
      where: source,
      what: "the data cannot be opened",
      expected: "a folder of class folders, a folder with a table, or a CSV, TSV or JSONL file",
      found: messageOf(error),
      fix: "correct the path",
    })
  })
  await refuseOtherThings(source, found.isDirectory())
  const scanned = found.isDirectory() ? await scanFolder(source) : await scanTable(source)
  scanned.clips.sort(bySourceOrder)
  return scanned
}

function notATable(address: string): FourtierError {
  return new FourtierError({
    where: address,
    what: "object storage is not looked through for clips",
    expected: "a table whose column `path` has addresses such as s3://bucket/jump/a.mp4",
    fix: "write a table of the addresses, with the labels",
  })
}

async function scanTable(path: string): Promise<Source> {
  const table = await readTable(path)
  if (table === null) throw ownManifest(path)
  if (table.columns.includes("path")) {
    const root = dirname(path)
    const missed = table.rows.some(({ values: { path = "" } }) => !isObject(path) && !existsSync(resolve(root, path)))
    const videos = missed ? (await listFiles(root)).files.filter(isVideoName) : []
    return scanTables(root, [table], videos, false)
  }
  const close = nearest("path", table.columns)
  throw new FourtierError({
    where: path,
    what: "no column names the clips",
    expected: "a column `path` with the clips' files, relative to the table's folder",
    found: `columns ${table.columns.join(", ") || "none"}`,
    fix:
      close === undefined
        ? "rename the column of the files to `path`, or add a header line"
        : `rename the column "${close}" to path`,
  })
}

async function scanFolder(root: string): Promise<Source> {
  const { files, folders, notes } = await listFiles(root)
  const videos = files.filter(isVideoName)
  const tables: Table[] = []
  for (const file of files.filter((name) => !name.includes("/") && isTableName(name))) {
    const given = await readTable(join(root, file))
    if (given === null) continue
    const table = withPathsOf(videos, given)
    if (table.rows.length === 0) notes.push(`${file} is not used: it has no rows`)
    else if (table.columns.includes("path")) tables.push(table)
    else if (table.columns.length > 0) {
      notes.push(`${file} is not used: no column names video files (columns ${table.columns.join(", ")})`)
    }
  }
  const read = new Set(files.filter(isTableName))
  notes.push(
    ...(await notesOfUnread(root, files, videos, read)),
    ...(tables.length > 0 ? [] : notesOfEmpty(folders, videos)),
  )
  if (tables.length > 0) {
    const scanned = await scanTables(root, tables, videos, true)
    return { ...scanned, notes: [...notes, ...scanned.notes] }
  }
  const tops = new Set(videos.filter((file) => file.includes("/")).map((file) => file.split("/")[0]))
  const bySplit = tops.size > 0 && [...tops].every(isSplitName)
  const clips = videos.map((file): SourceClip => {
    const folders = file.split("/").slice(0, -1)
    const split = bySplit && folders.length > 0 ? normaliseSplit(folders[0]) : null
    const label = cleanName(folders[split === null ? 0 : 1] ?? "")
    return { ...unlabelled(root, file), labels: label === "" ? [] : [label], split }
  })
  return { root, clips, tables: [], notes, findings: [] }
}

/** A table without a column `path` gets one where a column names files of the folder, all without their ending. */
function withPathsOf(videos: readonly string[], table: Table): Table {
  if (table.columns.includes("path") || table.rows.length === 0) return table
  const stems = new Set(
    videos.flatMap((file) => [file, basename(file)].map((name) => name.slice(0, -extname(name).length))),
  )
  const column = table.columns.find((name) => table.rows.every(({ values }) => stems.has(values[name] ?? "")))
  if (column === undefined) return table
  const names = (name: string) => (name === column ? "path" : name)
  const rows = table.rows.map(({ where, values }) => ({
    where,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [names(name), value])),
  }))
  return withKnownNames({
    ...table,
    columns: table.columns.map(names),
    rows,
    notes: [...table.notes, takenAs(table, column, "path")],
  })
}

/** Class folders in which no video is: a class that the user may miss. */
function notesOfEmpty(folders: readonly string[], videos: readonly string[]): string[] {
  const filled = new Set(videos.filter((file) => file.includes("/")).map((file) => file.split("/")[0]))
  const empty = folders.filter((folder) => !filled.has(folder))
  return empty.length === 0 || filled.size === 0
    ? []
    : [`${plural(empty.length, "folder")} without a video: ${examples(empty)}`]
}

function unlabelled(root: string, file: string): SourceClip {
  const path = isAbsolute(file) ? file : join(root, file)
  return { path, relative: file, labels: [], split: null, fold: null, group: null, start: null, end: null, columns: {} }
}

function isTableName(file: string): boolean {
  if (isTestPartFile(file)) return false
  return [".csv", ".tsv"].includes(extname(file).toLowerCase()) || file === "manifest.jsonl" || file === "clips.jsonl"
}

/** Null for a manifest. */
async function readTable(path: string): Promise<Table | null> {
  const notes: string[] = []
  const text = await readForeignText(path, (note) => void notes.push(note))
  if (isManifest(text.slice(0, 1000))) return null
  refusePointer(path, text)
  const table = parseTable(path, text)
  return { ...table, notes: [...notes, ...table.notes] }
}

/** Joins tables by path: the one with windows, or else the longest, gives the clips; the others add columns to them. */
async function scanTables(
  root: string,
  given: readonly Table[],
  videos: readonly string[],
  all: boolean,
): Promise<Source> {
  const tables = joinParts(given)
  const repeats = (table: Table) => new Set(table.rows.map(({ values }) => values.path)).size < table.rows.length
  const [main, ...others] = [...tables].sort(
    (a, b) => Number(repeats(b)) - Number(repeats(a)) || b.rows.length - a.rows.length || (a.path < b.path ? -1 : 1),
  )
  const added = new Map<string, { where: string; values: Record<string, string> }[]>()
  for (const table of others) {
    if (repeats(table)) {
      throw new FourtierError({
        where: table.path,
        what: "cannot be joined by path: this table and another both list a path more than once",
        found: main.path,
        fix: "pass the path of the one table to use",
      })
    }
    for (const row of table.rows) added.set(row.values.path, [...(added.get(row.values.path) ?? []), row])
  }
  const finder = pathFinder(root, () => videos)
  const labelled = tables.some(({ columns }) => columns.includes("label"))
  const rows: RowClip[] = []
  for (const { where, values } of main.rows) {
    const columns = { ...values }
    for (const other of added.get(values.path) ?? []) {
      for (const [name, value] of Object.entries(other.values)) {
        if (columns[name] !== undefined && columns[name] !== value) {
          throw new FourtierError({
            where: other.where,
            what: `contradicts ${where} about "${values.path}"`,
            expected: `${name} = ${columns[name]}`,
            found: `${name} = ${value}`,
            fix: "correct one of the two tables, or pass the path of the one to use",
          })
        }
        columns[name] = value
      }
    }
    rows.push({ where, clip: clipOfRow(root, where, columns, labelled, finder.find) })
  }
  const missing = new Set(added.keys())
  for (const { clip } of rows) missing.delete(clip.columns.path)
  const notes = tables.flatMap((table) => table.notes)
  if (missing.size > 0) notes.push(`${plural(missing.size, "path")} of other tables not in ${basename(main.path)}`)
  if (finder.elsewhere.length > 0) {
    notes.push(`${plural(finder.elsewhere.length, "path")} of tables found elsewhere: ${examples(finder.elsewhere)}`)
  }
  const { clips, findings, repeated } = onceEach(rows)
  if (repeated.length > 0) {
    notes.push(`${plural(repeated.length, "row")} left out, as earlier rows say the same: ${examples(repeated)}`)
  }
  const named = new Set(clips.map(({ relative }) => relative))
  const unnamed = all ? videos.filter((file) => !named.has(file)) : []
  if (unnamed.length > 0) {
    notes.push(`${plural(unnamed.length, "video file")} not used: in no table (${examples(unnamed)})`)
  }
  return { root, clips, tables: given.map((table) => table.path), notes, findings }
}

/** Tables that are called train, val, test (or a synonym) are the parts of one table. */
function joinParts(tables: readonly Table[]): readonly Table[] {
  const partOf = (table: Table) => basename(table.path, extname(table.path))
  if (tables.length < 2 || !tables.every((table) => isSplitName(partOf(table)))) return tables
  if (tables.some(({ columns }) => columns.includes("split"))) return tables
  return [
    {
      path: dirname(tables[0].path),
      columns: [...new Set(tables.flatMap(({ columns }) => columns)), "split"],
      rows: tables.flatMap((table) =>
        table.rows.map(({ where, values }) => ({ where, values: { ...values, split: normaliseSplit(partOf(table)) } })),
      ),
      notes: [
        ...tables.flatMap(({ notes }) => notes),
        `${tables.map(({ path }) => basename(path)).join(", ")} are parts of a split`,
      ],
    },
  ]
}

function bySourceOrder(a: SourceClip, b: SourceClip): number {
  if (a.relative !== b.relative) return a.relative < b.relative ? -1 : 1
  return (a.start ?? 0) - (b.start ?? 0) || (a.end ?? Infinity) - (b.end ?? Infinity)
}
