/**
 * The clips of a data folder while people change them: what is there, what was removed, what is new. Every change is one file that is
 * renamed into its place, so a process that is killed loses none that was answered.
 *
 * ```
 * <data>/labels.csv, or the table that is there      labels of clips in use
 * <data>/.fourtier-studio/removed.json               rows of removed clips: their files stay
 *                        /studio.json                classes without clips, their order
 *                        /manifest.jsonl             what the files hold
 * ```
 */

import { createHash } from "node:crypto"
import { existsSync, statSync } from "node:fs"
import { mkdir, readdir, readFile, realpath, rm } from "node:fs/promises"
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { isVideoName } from "../video/endings.ts"
import { listFiles } from "../video/listing.ts"
import { clipOfRow, type SourceClip } from "../video/rows.ts"
import { listSource } from "../video/source.ts"
import { cleanName } from "../video/spelling.ts"
import { isSplitName } from "../video/split-names.ts"
import type { Cut } from "./api.ts"
import {
  type ClipTable,
  newRow,
  newTable,
  OWN_TABLE,
  type Row,
  readClipTable,
  rowKey,
  withLabels,
  writeClipTable,
} from "./table.ts"

/** A clip of the data, in use or removed. */
export interface Held extends SourceClip {
  id: string
  removed: boolean
}

/** What a person has said beside the labels. */
const notesSchema = z.object({ classes: z.array(z.string()) })
const removedSchema = z.object({ rows: z.array(z.record(z.string(), z.string())) })

/** What `writeFileAtomic` leaves of a table, or of answers, when its process is killed. */
const UNFINISHED = /\.(?:csv|tsv|json|jsonl|ndjson)\.tmp-\d+-[0-9a-f]{8}$/

/** Folder of the studio's own files, which is hidden from other verbs. */
export const STUDIO_FOLDER = ".fourtier-studio"

/** Of a file or a window of one: letters and digits, the same as long as its path is. */
export function idOf(clip: Pick<SourceClip, "relative" | "start" | "end">): string {
  return createHash("sha256")
    .update(JSON.stringify([clip.relative, clip.start, clip.end]))
    .digest("hex")
    .slice(0, 20)
}

export class Collection {
  /** The folder or table, as other verbs are given it. */
  readonly data: string
  readonly root: string
  /** Folder of the studio's own files. */
  readonly own: string
  #held = new Map<string, Held>()
  #tables: readonly string[] = []
  #classes: string[] = []
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(data: string) {
    this.data = resolve(data)
    this.root = statSync(this.data).isDirectory() ? this.data : dirname(this.data)
    this.own = join(this.root, STUDIO_FOLDER)
  }

  /**
   * Opens a folder, which is made where it is not there, or a table.
   * @throws FourtierError where it cannot be read
   */
  static async open(data: string): Promise<Collection> {
    if (!existsSync(data) && extname(data) === "") await mkdir(data, { recursive: true })
    if (!existsSync(data)) {
      throw new FourtierError({ where: data, what: "no such table", fix: "give a folder, or a table of clips" })
    }
    const collection = new Collection(data)
    await collection.#sweep()
    collection.#classes = (await read(collection.#path("studio.json"), notesSchema))?.classes ?? []
    await collection.refresh()
    return collection
  }

  /** Removes tables that a killed process has not finished. */
  async #sweep(): Promise<void> {
    const left = (await readdir(this.root)).filter((file) => UNFINISHED.test(file))
    for (const file of left) await rm(join(this.root, file), { force: true })
  }

  /** The clips in use and then the removed ones, by path. */
  get clips(): Held[] {
    return [...this.#held.values()]
  }

  /** Classes in the order that a person gave them, then the others by name. */
  get classes(): string[] {
    const labels = this.clips.flatMap(({ labels: own, removed }) => (removed ? [] : own))
    return [...new Set([...this.#classes, ...[...new Set(labels)].sort()])]
  }

  get(id: string): Held | undefined {
    return this.#held.get(id)
  }

  /** Looks at the folder anew; videos that were put into it are taken into a table that the studio keeps. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#look())
  }

  async #look(): Promise<void> {
    const { clips, tables } = await listSource(this.data)
    this.#tables = tables
    const own = await this.#ownTable()
    const removed = (await this.#removed()).map((row) => ({ ...this.#clipOf(row), columns: row }))
    // a row that a kill has left in both files is in use; a table without rows is not read, and names none
    const named = new Set(own?.rows.length === 0 ? [] : clips.map(idOf))
    const gone = removed.filter((clip) => !named.has(idOf(clip)))
    const goneIds = new Set(gone.map(idOf))
    const used = clips.filter((clip) => !goneIds.has(idOf(clip)))
    const fresh = own ? await this.#unnamed(new Set([...used, ...gone].map(({ relative }) => relative))) : []
    if (own && fresh.length > 0) {
      await this.#write({ ...own, rows: [...own.rows, ...fresh.map((path) => newRow(path, labelsOfPath(path)))] })
      return this.#look()
    }
    const all = [
      ...used.map((clip) => ({ ...clip, removed: false })),
      ...gone.map((clip) => ({ ...clip, removed: true })),
    ]
    this.#held = new Map(all.map((clip) => [idOf(clip), { ...clip, id: idOf(clip) }]))
  }

  /** The table that the studio has made here; null where there is none, or another one is used. */
  async #ownTable(): Promise<ClipTable | null> {
    const path = join(this.root, OWN_TABLE)
    if (!existsSync(path) || this.#tables.some((other) => other !== path)) return null
    const table = await readClipTable(path)
    return table.own ? table : null
  }

  /** Videos of the folder that nothing names. */
  async #unnamed(named: ReadonlySet<string>): Promise<string[]> {
    const { files } = await listFiles(this.root)
    return files.filter((file) => isVideoName(file) && !named.has(file))
  }

  #clipOf(row: Row): SourceClip {
    return clipOfRow(this.root, this.#path("removed.json"), row, true, (path) => path)
  }

  /**
   * Gives clips another label, removes them, or takes them back: all of them or none.
   * @throws FourtierError for a clip that is not there, and where the table cannot be written
   */
  change(ids: readonly string[], { label, removed }: { label?: string | null; removed?: boolean }): Promise<Held[]> {
    return this.#inTurn(async () => {
      const chosen = ids.map((id) => this.#need(id))
      const table = await this.#table()
      const wanted = new Map<string, string | null>(
        label === undefined
          ? []
          : chosen.map(({ columns }) => [rowKey(columns), label === null ? null : checked(label)]),
      )
      const keys = new Set(chosen.map(({ columns }) => rowKey(columns)))
      const before = await this.#removed()
      const known = new Map(this.clips.map((clip) => [rowKey(this.#rowOf(clip)), clip.labels] as const))
      // rows of removed clips are changed as those in use are
      const whole = withLabels({ ...table, rows: [...table.rows, ...before] }, wanted, known)
      const wasRemoved = new Set(before.map(rowKey))
      const isRemoved = (row: Row) =>
        removed !== undefined && keys.has(rowKey(row)) ? removed : wasRemoved.has(rowKey(row))
      const out = whole.rows.filter(isRemoved)
      const used = { ...whole, rows: whole.rows.filter((row) => !isRemoved(row)) }
      // a clip that a kill leaves in both files is in use
      const both = [...new Map([...before, ...out].map((row) => [rowKey(row), row])).values()]
      if (both.length > 0 || before.length > 0) await this.#writeRemoved(both)
      await this.#write(used)
      if (both.length !== out.length) await this.#writeRemoved(out)
      await this.#look()
      return chosen.map(({ id }) => this.#need(id))
    })
  }

  /**
   * Takes a file in that has been written to `temporary`, under a name that no other has.
   * @param place moves it there
   */
  add(name: string, label: string | null, place: (path: string) => Promise<void>): Promise<Held> {
    return this.#inTurn(async () => {
      const own = label === null ? null : checked(label)
      const folder = own !== null && isFolderName(own) ? own : ""
      const parts = this.clips.some(({ split }) => split !== null)
      // what folders cannot say is said in a table
      const byFolder = this.#tables.length === 0 && !parts && (own === null || folder !== "")
      const table = byFolder ? null : await this.#table()
      const file = this.#free(folder, name)
      await this.#makeFolder(folder)
      await place(join(this.root, file))
      if (table !== null) {
        const row = newRow(file, own === null ? [] : [own])
        const filled = withLabels(
          { ...table, rows: [...table.rows, row] },
          new Map([[rowKey(row), own]]),
          this.#labels(),
        )
        await this.#write(filled)
      }
      await this.#look()
      return this.#need(idOf({ relative: file, start: null, end: null }))
    })
  }

  /**
   * Makes clips of stretches of a clip, in seconds from its start: rows of the table, nothing is encoded anew. A stretch that is there already gets the label.
   * @throws FourtierError for stretches that end before they begin
   */
  cut(id: string, cuts: readonly Cut[]): Promise<Held[]> {
    return this.#inTurn(async () => {
      const { relative: file, columns, start: base } = this.#need(id)
      const rows = cuts.map(({ start, end, label }): Row => {
        const [from, to] = [thousandths((base ?? 0) + start), thousandths((base ?? 0) + end)]
        if (!(start >= 0 && to > from)) {
          const found = `${start} to ${end}`
          throw new FourtierError({ where: "cut", what: "a stretch ends before it begins", found })
        }
        const own = label === null ? [] : [checked(label)]
        return { ...newRow(columns.path ?? file, own), start: String(from), end: String(to) }
      })
      const table = await this.#table()
      const there = new Set(table.rows.map(rowKey))
      const fresh = [...new Map(rows.map((row) => [rowKey(row), row])).values()].filter(
        (row) => !there.has(rowKey(row)),
      )
      const whole = {
        ...table,
        columns: [...new Set([...table.columns, "start", "end"])],
        rows: [...table.rows, ...fresh.map(({ label: _, ...row }) => row)],
      }
      const labels = new Map(rows.map((row) => [rowKey(row), row.label || null] as const))
      const keys = new Set(rows.map(rowKey))
      const removed = await this.#removed()
      await this.#write(withLabels(whole, labels, this.#labels()))
      if (removed.some((row) => keys.has(rowKey(row)))) {
        await this.#writeRemoved(removed.filter((row) => !keys.has(rowKey(row))))
      }
      await this.#look()
      return this.clips.filter((clip) => !clip.removed && keys.has(rowKey(clip.columns)))
    })
  }

  /** Classes in their order; those of clips that are not named follow. */
  setClasses(classes: readonly string[]): Promise<string[]> {
    return this.#inTurn(async () => {
      this.#classes = [...new Set(classes.map(checked))]
      await writeJson(this.#path("studio.json"), { classes: this.#classes })
      return this.classes
    })
  }

  /** @throws FourtierError where the folder is a link that leads elsewhere */
  async #makeFolder(name: string): Promise<void> {
    await mkdir(join(this.root, name), { recursive: true })
    const [root, folder] = [await realpath(this.root), await realpath(join(this.root, name))]
    if (isInside(root, folder)) return
    throw new FourtierError({
      where: join(this.root, name),
      what: "this folder is a link out of the data, and nothing is written there",
      found: folder,
      fix: "choose another label, or replace the link by a folder",
    })
  }

  /** A relative path that is free, like `wave/clip.mp4`, `wave/clip-2.mp4`. */
  #free(folder: string, name: string): string {
    const ending = extname(name)
    const stem = name.slice(0, name.length - ending.length)
    for (let n = 1; ; n++) {
      const file = `${stem}${n === 1 ? "" : `-${n}`}${ending}`
      const path = folder === "" ? file : `${folder}/${file}`
      if (!existsSync(join(this.root, path))) return path
    }
  }

  async #table(): Promise<ClipTable> {
    if (this.#tables.length === 1) return readClipTable(this.#tables[0])
    if (this.#tables.length === 0)
      return newTable(
        this.root,
        this.clips.filter(({ removed }) => !removed),
      )
    throw new FourtierError({
      where: this.data,
      what: "the studio writes one table, and this folder has several that are read together",
      found: this.#tables.join(", "),
      fix: "start the studio with the path of one of them, or join them into one",
    })
  }

  /** A clip's row: of a folder without a table, the one that it will have. */
  #rowOf(clip: Held): Row {
    return "path" in clip.columns ? clip.columns : newRow(clip.relative, clip.labels)
  }

  #labels(): Map<string, readonly string[]> {
    return new Map(this.clips.map((clip) => [rowKey(this.#rowOf(clip)), clip.labels] as const))
  }

  #need(id: string): Held {
    const found = this.#held.get(id)
    if (found) return { ...found, columns: this.#rowOf(found) }
    throw new FourtierError({ where: "ids", what: "there is no such clip", found: id, fix: "load the list again" })
  }

  async #removed(): Promise<Row[]> {
    return (await read(this.#path("removed.json"), removedSchema))?.rows ?? []
  }

  #writeRemoved(rows: readonly Row[]): Promise<void> {
    return writeJson(this.#path("removed.json"), { rows })
  }

  #write(table: ClipTable): Promise<void> {
    return writeClipTable(table, this.#path("before"))
  }

  #path(name: string): string {
    return join(this.own, name)
  }

  /** One change at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }
}

const thousandths = (seconds: number) => Math.round(1000 * seconds) / 1000

/** Whether a path is that folder or lies below it. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === "" || !(way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way))
}

/** Whether clips in a folder of that name are read as clips of that label, on every system. */
function isFolderName(label: string): boolean {
  return !isSplitName(label) && /^[^./\\:*?"<>|~][^/\\:*?"<>|]{0,80}$/u.test(label) && !/[. ]$/.test(label)
}

/** What class folders say of a file's label. */
function labelsOfPath(path: string): string[] {
  const folders = path.split("/").slice(0, -1)
  const label = cleanName(folders[0] ?? "")
  return label === "" ? [] : [label]
}

const LONGEST_LABEL = 200

/** @throws FourtierError for a label that is empty or too long */
function checked(label: string): string {
  const clean = cleanName(label.replaceAll(/\p{Cc}+/gu, " "))
  if (clean !== "" && clean.length <= LONGEST_LABEL) return clean
  throw new FourtierError({
    where: "label",
    what: clean === "" ? "the label is empty" : "the label is too long",
    expected: `1 to ${LONGEST_LABEL} characters; null for no label`,
    found: clean.slice(0, 40),
  })
}

/** What a file of the studio holds; null where it is not there or damaged. */
async function read<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readFile(path, "utf8").catch(() => null)
  if (text === null) return null
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    throw new FourtierError(
      { where: path, what: "not what the studio writes", fix: "delete the file: removed clips then are in use again" },
      { cause: error },
    )
  }
}
