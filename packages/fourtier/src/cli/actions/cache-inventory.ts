/** What lies in a cache: for each kind its entries, with size and time of last use. */

import type { Dirent, Stats } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { partsFolder } from "../../describe/cache.ts"
import { hubCacheFolder } from "../../encoders/checkpoint/hub-cache.ts"
import type { CacheFolders } from "../../util/cache-folders.ts"
import { USERS } from "../../util/cache-users.ts"
import type { CacheKind } from "../cache-kinds.ts"

/** What is kept and removed as a whole: a feature store, a strip, the file of answers. */
export interface CacheEntry {
  path: string
  bytes: number
  /** Milliseconds since 1970. */
  used: number
}

/** Entries by kind, in the order in which they are shown. */
export type Inventory = ReadonlyMap<CacheKind, readonly CacheEntry[]>

export async function takeInventory(folders: CacheFolders): Promise<Inventory> {
  const { root, features, strips, texts, alignments, measurements, people, proofs, answers, tests, objects, work } =
    folders
  const kinds = [features, strips, texts, alignments, measurements, people, proofs, answers, tests, objects, work]
  const own = new Set([...kinds, join(root, USERS)])
  const others = (await listing(root)).map(({ name }) => join(root, name)).filter((path) => !own.has(path))
  const isAboutAnswers = (path: string) => path.startsWith(`${answers}.`)
  return new Map<CacheKind, readonly CacheEntry[]>([
    ["features", await foldersIn(features, "spec.json")],
    ["strips", await filesIn(strips)],
    ["texts", await foldersIn(texts)],
    ["alignments", await foldersIn(alignments, "alignment.json")],
    ["measurements", await filesIn(measurements)],
    ["people", await filesIn(people)],
    ["proofs", await filesIn(proofs)],
    ["answers", [...(await entriesAt([answers])), ...(await filesIn(partsFolder(answers)))]],
    ["tests", await filesIn(tests)],
    ["objects", await filesIn(objects)],
    ["work", await foldersIn(work)],
    ["checkpoints", (await foldersIn(hubCacheFolder())).filter(({ path }) => /[/\\]models--[^/\\]+$/.test(path))],
    ["other", await entriesAt(others.filter((path) => !isAboutAnswers(path)))],
  ])
}

/** @param mark the file in each folder whose modification time is the last use; default: the folder's own */
async function foldersIn(root: string, mark?: string): Promise<CacheEntry[]> {
  const folders = (await listing(root)).filter((entry) => entry.isDirectory())
  return entriesAt(
    folders.map(({ name }) => join(root, name)),
    mark,
  )
}

async function filesIn(root: string): Promise<CacheEntry[]> {
  const names = await readdir(root, { recursive: true }).catch(() => [])
  const entries = await Promise.all(names.map((name) => fileEntry(join(root, name))))
  return entries.filter((entry) => entry !== null)
}

async function fileEntry(path: string): Promise<CacheEntry | null> {
  const found = await statOf(path)
  return found?.isFile() ? { path, bytes: found.size, used: found.mtimeMs } : null
}

async function entriesAt(paths: readonly string[], mark?: string): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = []
  for (const path of paths) {
    const found = await statOf(path)
    if (!found) continue
    const files = found.isDirectory() ? await filesIn(path) : [{ path, bytes: found.size, used: found.mtimeMs }]
    const marked = mark === undefined ? null : await statOf(join(path, mark))
    const used = marked?.mtimeMs ?? files.reduce((latest, file) => Math.max(latest, file.used), found.mtimeMs)
    entries.push({ path, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), used })
  }
  return entries
}

const statOf = (path: string): Promise<Stats | null> => stat(path).catch(() => null)

const listing = (folder: string): Promise<Dirent[]> => readdir(folder, { withFileTypes: true }).catch(() => [])
