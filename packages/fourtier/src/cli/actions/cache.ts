/** Prints what is cached. */

import { formatBytes } from "@fourtier/core"
import { hubCacheFolder } from "../../encoders/checkpoint/hub-cache.ts"
import { cacheFolders, OLDER_NAME } from "../../util/cache-folders.ts"
import { type Column, terminalTable } from "../../util/table.ts"
import type { CacheKind } from "../cache-kinds.ts"
import { type CacheEntry, takeInventory } from "./cache-inventory.ts"
import { readConfig } from "./read-config.ts"

const ABOUT: Readonly<Record<CacheKind, string>> = {
  features: "maps of the frozen encoder",
  strips: "key frames for language models",
  texts: "text embeddings",
  alignments: "stage 1",
  measurements: "what video files hold",
  people: "where people are in frames",
  proofs: "which bundles are proven",
  answers: "of language models: paid for",
  tests: "clips that were test clips",
  objects: "copies of object storage",
  work: "who does what of shared work",
  checkpoints: "fetched from the hub, shared",
  other: "clips of benchmarks, and the like",
}

const right = (title: string): Column => ({ title, align: "right" })

/** `options` are those of `settingsOptions`. */
export async function listCache(options: { json?: boolean }): Promise<void> {
  const { value: config } = await readConfig(options)
  const folders = cacheFolders(config.cache)
  const inventory = [...(await takeInventory(folders))]
  const rows = inventory.map(([kind, entries]) => ({ kind, ...sum(entries) }))
  if (options.json) {
    const kinds = rows.map(({ kind, entries, bytes, used }) => ({
      kind,
      entries,
      bytes,
      lastUsed: dateOf(used) || null,
    }))
    process.stdout.write(`${JSON.stringify({ root: folders.root, kinds }, null, 2)}\n`)
    return
  }
  const shown = rows.filter(({ entries }) => entries > 0)
  const table = terminalTable(
    [{ title: "kind" }, { title: "what it is" }, right("entries"), right("size"), right("last used")],
    shown.map(({ kind, entries, bytes, used }) => [
      kind,
      ABOUT[kind],
      String(entries),
      formatBytes(bytes),
      dateOf(used),
    ]),
  )
  const lines = [
    `cache: ${folders.root}`,
    shown.length === 0 ? "nothing is cached yet" : table,
    ...(shown.some(({ kind }) => kind === "checkpoints") ? [`checkpoints lie in ${hubCacheFolder()}`] : []),
    ...(folders.older ? [`${OLDER_NAME}/ here is an older cache, which is read too: fourtier cache move`] : []),
  ]
  process.stdout.write(`${lines.join("\n")}\n`)
}

/** Number, size and last use of entries together. */
export function sum(entries: readonly CacheEntry[]): { entries: number; bytes: number; used: number } {
  return {
    entries: entries.length,
    bytes: entries.reduce((total, { bytes }) => total + bytes, 0),
    used: entries.reduce((latest, { used }) => Math.max(latest, used), 0),
  }
}

/** "2026-11-30"; empty for never */
const dateOf = (time: number) => (time === 0 ? "" : new Date(time).toISOString().slice(0, 10))
