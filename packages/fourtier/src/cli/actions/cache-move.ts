/** Takes a cache of an earlier version over into the one that is used now. */

import { existsSync } from "node:fs"
import { cp, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { partsFolder } from "../../describe/cache.ts"
import { takeOverAnswers } from "../../describe/take-over.ts"
import { type CacheFolders, cacheFolders, isOlderCache, prepareCache } from "../../util/cache-folders.ts"
import { cacheUsers } from "../../util/cache-users.ts"
import { readConfig } from "./read-config.ts"

/** Folders of a cache, and how deep the entries lie that are moved as a whole. */
const DEPTHS = [
  ["features", 2],
  ["texts", 2],
  ["alignments", 1],
  ["strips", Number.POSITIVE_INFINITY],
] as const

/** @throws FourtierError where the folder holds no cache, or another process uses either of the two */
export async function moveCache(folder: string, options: unknown): Promise<void> {
  const { value: config } = await readConfig(options)
  const from = cacheFolders(folder)
  const to = cacheFolders(config.cache)
  const same = resolve(from.root) === resolve(to.root)
  if (same || !isOlderCache(from.root)) {
    throw new FourtierError({
      where: folder,
      what: same ? "this is the cache that is used" : "there is no cache",
      expected: "a folder with features, texts, strips, alignments or descriptions.jsonl",
      fix: "give the folder of the older cache: fourtier cache move FOLDER",
    })
  }
  await prepareCache(to)
  const [user] = [...(await cacheUsers(from.root)), ...(await cacheUsers(to.root))]
  if (user) {
    const fix = "wait until it has ended"
    throw new FourtierError({ where: to.root, what: `process ${user.pid} is using the cache`, fix })
  }
  let moved = 0
  for (const [kind, depth] of DEPTHS) moved += await merge(from[kind], to[kind], depth)
  const answers = await takeOverAnswers(from.answers, to.answers, terminalReporter())
  await removeEmptied(from)
  const left = existsSync(from.root) ? `; ${resolve(folder)} still holds other files` : ""
  process.stdout.write(
    `${plural(moved, "entry", "entries")} and ${plural(answers, "answer")} moved to ${to.root}${left}\n`,
  )
}

/** Moves what the other folder has not got; what both have is the same and goes. @returns how many entries were moved */
async function merge(from: string, to: string, depth: number): Promise<number> {
  let moved = 0
  for (const entry of await readdir(from, { withFileTypes: true }).catch(() => [])) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory() && depth > 1) moved += await merge(source, target, depth - 1)
    else if (!existsSync(target)) {
      await moveTo(source, target)
      moved++
    }
  }
  await rm(from, { recursive: true, force: true })
  return moved
}

/** Also to another disk. */
async function moveTo(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true })
  try {
    await rename(source, target)
  } catch {
    await cp(source, target, { recursive: true, preserveTimestamps: true })
    await rm(source, { recursive: true, force: true })
  }
}

/** Removes the file of answers with what belongs to it, and the folder where nothing else is in it. */
async function removeEmptied({ root, answers }: CacheFolders): Promise<void> {
  for (const path of [answers, `${answers}.lock`, `${answers}.batches`, partsFolder(answers)])
    await rm(path, { recursive: true, force: true })
  await rmdir(root).catch(() => {})
}
