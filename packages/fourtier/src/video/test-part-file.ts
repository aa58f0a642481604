/**
 * The file of a test part: beside the data as `test-part.csv` (of a table `clips.csv`: `clips.test-part.csv`), or in the user's cache
 * where the data cannot be written.
 */

import { createHash } from "node:crypto"
import { mkdir, readdir, realpath, stat } from "node:fs/promises"
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from "node:path"
import { csvLine, plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { hashJson, writeFileAtomic } from "@fourtier/tensor/node"
import { withMutex } from "../util/lock.ts"
import { readForeignText } from "../util/text.ts"
import type { Clip } from "./manifest.ts"
import { normaliseSplit } from "./split-names.ts"
import type { SplitOptions } from "./split-settings.ts"
import { parseTable } from "./tables.ts"
import { drawTest, type KeptPart, type PartRow, type TestDraw } from "./test-part.ts"
import { isTestPartFile, TEST_PART } from "./test-part-names.ts"

export interface KeepOptions extends Pick<SplitOptions, "test" | "seed"> {
  /** Folder for the files of data that cannot be written. */
  folder: string
  /** False leaves everything as it is: to say what a run would do. */
  write: boolean
}

export interface KeptTest extends TestDraw {
  /** Where the test part is kept, or would be; null where nothing is drawn. */
  path: string | null
  /** Whether it is drawn for the first time. */
  first: boolean
  /** The share that it was drawn with; null where the file does not say. */
  share: number | null
}

/**
 * The test part of a data set, as it was drawn before; new clips are drawn, and what has changed is kept. Several processes may do so
 * at once.
 * @param data a folder or table of clips
 * @throws FourtierError for a row that is neither test nor train, and where the file can be written nowhere
 *
 * @example
 * ```ts
 * import { keepTestPart, readManifest, resolveSplits } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const options = { test: 0.2, seed: 0, folder: "cache/tests", write: true }
 * const { test, path } = await keepTestPart("clips", manifest.clips, options)
 * const [split] = resolveSplits(manifest, { test: 0.2 }, test)
 * ```
 */
export async function keepTestPart(data: string, clips: readonly Clip[], options: KeepOptions): Promise<KeptTest> {
  const places = await placesOf(data, options)
  const found = await current(clips, options, places)
  if (!options.write || found.path === null)
    return { ...found, path: found.path === null ? null : (found.from ?? places.beside) }
  if (found.from === places.beside && !found.changed) return { ...found, path: found.from }
  try {
    return await update(clips, options, places, places.beside)
  } catch (error) {
    if (!isUnwritable(error)) throw error
    if (found.from === places.spare && !found.changed) return { ...found, path: found.from }
    return update(clips, options, places, places.spare)
  }
}

/** Where a test part may be kept. */
interface Places {
  beside: string
  /** In the cache. */
  spare: string
}

async function placesOf(data: string, { seed, folder }: KeepOptions): Promise<Places> {
  const source = resolve(data)
  const isFolder = (await stat(source)).isDirectory()
  const end = `${TEST_PART}${String(seed) === "0" ? "" : `.seed-${String(seed).replaceAll(/[^\w.-]+/g, "_")}`}.csv`
  const stem = basename(source, extname(source))
  const digest = createHash("sha256")
    .update(await realpath(source))
    .digest("hex")
    .slice(0, 12)
  return {
    beside: isFolder ? join(source, end) : join(dirname(source), `${stem}.${end}`),
    spare: join(folder, `${stem.slice(0, 80)}-${digest}.${end}`),
  }
}

interface Current extends KeptTest {
  /** The file that was read; null where there is none. */
  from: string | null
  /** Whether there is anything new to keep. */
  changed: boolean
}

async function current(clips: readonly Clip[], options: KeepOptions, places: Places): Promise<Current> {
  const from = await fileOf(places, clips)
  const kept = from === null ? null : await readTestPart(from)
  const drawn = drawTest(clips, options, kept)
  const share = kept === null ? options.test : kept.share === null ? null : Math.max(kept.share, options.test)
  const changed =
    hashJson(sorted(drawn.rows)) !== hashJson(sorted(kept?.rows ?? [])) || share !== (kept?.share ?? share)
  const none = drawn.rows.length === 0
  return { ...drawn, path: none ? null : (from ?? places.beside), first: kept === null, share, from, changed }
}

/** Draws and writes while no other process does. */
async function update(clips: readonly Clip[], options: KeepOptions, places: Places, target: string): Promise<KeptTest> {
  await mkdir(dirname(target), { recursive: true })
  return withMutex(`${target}.lock`, async () => {
    const drawn = await current(clips, options, places)
    if (drawn.from !== target || drawn.changed) await writeFileAtomic(target, format(drawn, options))
    return { ...drawn, path: target }
  })
}

/** The file beside the data, else the data's own in the cache, else one there that knows most of the clips: of data that was moved. */
async function fileOf({ beside, spare }: Places, clips: readonly Clip[]): Promise<string | null> {
  for (const path of [beside, spare]) if ((await stat(path).catch(() => null))?.isFile()) return path
  const ending = (path: string) => /\.test-part(\..*)?$/.exec(basename(path))?.[0]
  for (const name of (await readdir(dirname(spare)).catch(() => [])).sort()) {
    if (!isTestPartFile(name) || ending(name) !== ending(spare)) continue
    const { rows } = await readTestPart(join(dirname(spare), name))
    const known = new Set(rows.map(({ hash }) => hash))
    if (2 * clips.filter(({ hash }) => known.has(hash)).length > clips.length) return join(dirname(spare), name)
  }
  return null
}

async function readTestPart(path: string): Promise<KeptPart> {
  const text = await readForeignText(path)
  const table = parseTable(path, text)
  if (!table.columns.includes("part") && text.trim() !== "") {
    throw new FourtierError({
      where: path,
      what: "not a list of a test part",
      expected: "a table with the columns part and path",
      found: text.trim().slice(0, 60),
      fix: "restore the file, or delete it to have a test part drawn anew",
    })
  }
  const rows = table.rows.map(({ where, values }): PartRow => {
    const part = normaliseSplit(values.part ?? "")
    if (part === "test" || part === "train") {
      const { group = "", hash = "" } = values
      return { part, path: (values.path ?? "").trim(), group: group.trim(), hash: hash.trim() }
    }
    throw new FourtierError({
      where,
      what: "column part says neither test nor train",
      found: values.part ?? "no such column",
      fix: "correct the cell, remove the row, or delete the file to have a test part drawn anew",
    })
  })
  const share = Number(/split\.test (\d*\.?\d+)/.exec(text)?.[1] ?? Number.NaN)
  return { rows, share: Number.isNaN(share) ? null : share }
}

function format({ rows, share }: KeptTest, { test, seed }: KeepOptions): string {
  const lines = [
    `# Which clips test the model, drawn by fourtier (split.test ${share ?? test}, split.seed ${seed}). They stay; new clips are added.`,
    "# To change it, edit the column part (test or train). Delete the file to have it drawn anew. See docs/data.md",
  ]
  const table = sorted(rows).map(({ part, path, group, hash }) => csvLine([part, path, group, hash]))
  return `${lines.join("\n")}\n${csvLine(["part", "path", "group", "hash"])}${table.join("")}`
}

function sorted(rows: readonly PartRow[]): PartRow[] {
  const place = ({ part, path, hash }: PartRow) => `${part === "test" ? 0 : 1} ${path} ${hash}`
  return [...rows].sort((a, b) => (place(a) < place(b) ? -1 : 1))
}

const UNWRITABLE = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR"])

function isUnwritable(error: unknown): boolean {
  const cause = error instanceof FourtierError ? error.cause : error
  return cause instanceof Error && "code" in cause && UNWRITABLE.has(String(cause.code))
}

/**
 * What is to be said of a test part before anything is computed with it.
 * @param written whether what was drawn is kept, or only shown
 *
 * @example
 * ```ts
 * import { type KeptTest, tellTestPart } from "fourtier/video"
 *
 * const notes = (kept: KeptTest, count: number) => tellTestPart(kept, count, { test: 0.2 })
 * ```
 */
export function tellTestPart(
  kept: KeptTest,
  clips: number,
  { test }: Pick<SplitOptions, "test">,
  written = true,
): string[] {
  const { path, first, joined, moved, drawnIn, share } = kept
  if (path === null) return []
  const near = relative("", path)
  const shown = near.startsWith("..") || isAbsolute(near) ? path : near
  if (first) {
    const drawn = written ? `drawn now and kept in ${shown}` : `as a run would draw it and keep it in ${shown}`
    return [`test part: ${kept.test.size} of ${plural(clips, "clip")}, ${drawn}`]
  }
  const notes = [`test part: ${kept.test.size} of ${plural(clips, "clip")}, as kept in ${shown}`]
  if (joined.length > moved.length)
    notes.push(`${plural(joined.length - moved.length, "new clip")} joined the test part`)
  if (drawnIn.length > 0) {
    const [{ relative: example }] = drawnIn
    notes.push(
      `${plural(drawnIn.length, "training clip")} joined the test part, as a clip of the same group or content is in it (${example})`,
    )
  }
  if (moved.length > 0) {
    const why = kept.grows ? `split.test is ${test} now` : "it had no labelled clip left"
    notes.push(`${plural(moved.length, "training clip")} joined the test part, since ${why}`)
  }
  if (share !== null && test < share) {
    notes.push(
      `split.test is ${test}, but test clips stay (drawn with ${share}); delete ${shown} to have it drawn anew`,
    )
  }
  return notes
}
