/** Many shards of a feature store become one: what many workers wrote reads faster, and what is there twice goes. */

import { existsSync } from "node:fs"
import { readdir, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NpyReader, NpyWriter, temporaryName } from "@fourtier/tensor/node"
import { linesFrom } from "../util/lines.ts"

const KINDS = ["m", "s", "t"] as const

/** Shards of a store; one that is being written has no index yet. */
async function shardsOf(store: string): Promise<string[]> {
  const entries = await readdir(store, { withFileTypes: true }).catch(() => [])
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(store, name))
  return folders.filter((path) => existsSync(join(path, "index.jsonl"))).sort()
}

/**
 * Copies all records of a store into one shard, each once, and removes the others. Nobody may use the store meanwhile. Where the
 * process is killed, the store holds what it held.
 * @param store folder of the store
 * @returns how many shards became one; 0 where there was one, or none
 *
 * @example
 * ```ts
 * import { compactFeatures } from "fourtier/features"
 *
 * await compactFeatures("cache/features/975415df52ed3b01") // 16
 * ```
 */
export async function compactFeatures(store: string): Promise<number> {
  const shards = await shardsOf(store)
  if (shards.length < 2) return 0
  const merged = temporaryName(join(store, "shard-merged"))
  const seen = new Set<string>()
  const writers = new Map<string, NpyWriter<"f16">>()
  const lines: string[] = []
  try {
    for (const shard of shards) {
      const own: { line: string; record: number }[] = []
      let record = 0
      for await (const { line } of linesFrom(join(shard, "index.jsonl"))) {
        // an index begins with clip and view, which name the record
        const name = line.slice(0, line.indexOf(',"padded"'))
        if (!seen.has(name)) own.push({ line, record })
        seen.add(name)
        record++
      }
      if (own.length === 0) continue
      for (const kind of KINDS) {
        const reader = await NpyReader.open(join(shard, `${kind}.npy`), "f16")
        try {
          const writer =
            writers.get(kind) ?? (await NpyWriter.open(join(merged, `${kind}.npy`), "f16", reader.recordShape))
          writers.set(kind, writer)
          for (const { record } of own) await writer.append(await reader.read(record))
        } finally {
          await reader.close()
        }
      }
      for (const { line } of own) lines.push(line)
    }
    for (const writer of writers.values()) await writer.close()
    if (lines.length > 0) {
      await writeFile(join(merged, "index.jsonl"), `${lines.join("\n")}\n`, { flush: true })
      await rename(merged, join(store, `shard-merged-${merged.slice(-8)}`))
    }
  } catch (error) {
    for (const writer of writers.values()) await writer.close().catch(() => undefined)
    await rm(merged, { recursive: true, force: true })
    throw error
  }
  for (const shard of shards) await rm(shard, { recursive: true, force: true })
  return shards.length
}
