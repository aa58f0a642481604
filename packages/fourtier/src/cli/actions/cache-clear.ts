/** Removes what is cached. */

import { rename, rm } from "node:fs/promises"
import { createInterface } from "node:readline/promises"
import { formatBytes, plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { readText, temporaryName, writeFileAtomic } from "@fourtier/tensor/node"
import { z } from "zod"
import { cacheFolders } from "../../util/cache-folders.ts"
import { cacheUsers } from "../../util/cache-users.ts"
import { CACHE_KINDS, type CacheKind } from "../cache-kinds.ts"
import { sum } from "./cache.ts"
import { type CacheEntry, takeInventory } from "./cache-inventory.ts"
import { oneOf } from "./one-of.ts"
import { readConfig } from "./read-config.ts"

export interface ClearOptions {
  /** Milliseconds. */
  olderThan?: number
  paid?: boolean
  yes?: boolean
}

/** Kinds whose files are logs: with an age, their older lines go, not the file. */
const LOGS: readonly CacheKind[] = ["answers", "measurements"]

/**
 * @throws FourtierError where another process uses the cache, answers would go without `--paid`, or nobody can be asked
 */
export async function clearCache(names: readonly string[], options: ClearOptions): Promise<void> {
  const kinds = names.map((name) => oneOf("kind", name, [...CACHE_KINDS]))
  const { value: config } = await readConfig(options)
  const folders = cacheFolders(config.cache)
  if (kinds.includes("answers") && !options.paid) throw needsWord()
  const [user] = await cacheUsers(folders.root)
  if (user) {
    throw new FourtierError({
      where: folders.root,
      what: "another process is using the cache",
      found: `process ${user.pid} on ${user.host}`,
      fix: "wait until it has ended",
    })
  }
  const before = options.olderThan === undefined ? null : Date.now() - options.olderThan
  const inventory = await takeInventory(folders)
  const chosen = CACHE_KINDS.filter((kind) => kinds.includes(kind)).map((kind) => {
    const entries = inventory.get(kind) ?? []
    return { kind, entries: before === null || LOGS.includes(kind) ? entries : entries.filter((e) => e.used < before) }
  })
  const found = chosen.filter(({ entries }) => entries.length > 0)
  if (found.length === 0) {
    process.stdout.write("there is nothing to remove\n")
    return
  }
  for (const line of found.map((one) => describe(one, before !== null))) process.stdout.write(`${line}\n`)
  if (!(options.yes || (await agreed()))) {
    process.stdout.write("nothing was removed\n")
    return
  }
  for (const { kind, entries } of found) {
    for (const entry of entries)
      await (before !== null && LOGS.includes(kind) ? keepSince(entry, before) : remove(entry))
  }
  process.stdout.write("removed\n")
}

function describe({ kind, entries }: { kind: CacheKind; entries: readonly CacheEntry[] }, aged: boolean): string {
  const { bytes } = sum(entries)
  if (aged && LOGS.includes(kind)) return `${kind}: the older lines of ${formatBytes(bytes)}`
  const shared = kind === "checkpoints" ? ", shared with other programs, which may have to fetch them again" : ""
  return `${kind}: ${plural(entries.length, "entry", "entries")}, ${formatBytes(bytes)}${shared}`
}

function needsWord(): FourtierError {
  return new FourtierError({
    where: "answers",
    what: "answers were paid for, or written by people: they are not removed in passing",
    fix: "add --paid if they are to go; `fourtier describe export <data> --out FILE` keeps them elsewhere first",
  })
}

async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new FourtierError({ where: "cache clear", what: "there is nobody to ask", fix: "add --yes" })
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await terminal.question("Remove? [y/N] ")).trim())
  } finally {
    terminal.close()
  }
}

/** At once for everybody who looks: it loses its name first. */
async function remove({ path }: CacheEntry): Promise<void> {
  const gone = temporaryName(path)
  await rename(path, gone)
  await rm(gone, { recursive: true, force: true })
}

/** Leaves the lines of a log that are not older, and those that have no time of their own. */
async function keepSince({ path }: CacheEntry, before: number): Promise<void> {
  const lines = (await readText(path)).split("\n").filter((line) => line !== "")
  const kept = lines.filter((line) => !(timeOf(line) < before))
  await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(""))
}

const timedSchema = z.object({ time: z.string() })

/** Milliseconds since 1970; not a number where a line does not say. */
function timeOf(line: string): number {
  try {
    return Date.parse(timedSchema.parse(JSON.parse(line)).time)
  } catch {
    return Number.NaN
  }
}
