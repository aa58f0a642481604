/**
 * Checkpoints in several files, as `transformers` and `accelerate` write large ones: an index in JSON says which file holds
 * which tensor.
 *
 * ```
 * model.safetensors.index.json ──weight_map──► model-00001-of-00002.safetensors, model-00002-of-00002.safetensors
 * ```
 */

import { existsSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) })

export interface ShardIndex {
  /** The names of the tensors in each file, by the file's path. */
  files: Map<string, string[]>
}

/** Whether a path is that of an index. */
export function isShardIndex(path: string): boolean {
  return path.endsWith(".index.json")
}

/**
 * Reads an index. The files are beside it or in folders below.
 *
 * @throws FourtierError when it is none, names files elsewhere, or a file is missing
 */
export async function readShardIndex(path: string): Promise<ShardIndex> {
  const files = new Map<string, string[]>()
  for (const [name, file] of shardFiles(await readJson(path), path)) {
    const full = join(dirname(path), file)
    files.set(full, [...(files.get(full) ?? []), name])
  }
  const missing = [...files.keys()].filter((file) => !existsSync(file))
  if (missing.length === 0) return { files }
  throw new FourtierError({
    where: path,
    what: "files of the checkpoint are missing",
    expected: `${files.size} files beside the index`,
    found: `no ${missing.map((file) => basename(file)).join(", ")}`,
    fix: "fetch the missing files into the same folder",
  })
}

/** The names of the files, relative to the index. @throws FourtierError when it is none */
export async function readShardNames(path: string): Promise<string[]> {
  return [...new Set(shardFiles(await readJson(path), path).values())]
}

function shardFiles(content: unknown, path: string): Map<string, string> {
  const parsed = indexSchema.safeParse(content)
  if (!parsed.success) {
    throw new FourtierError({
      where: path,
      what: "JSON that is no index of a checkpoint's files",
      expected: "an object with weight_map: { tensor: file }",
      fix: "name the file of weights itself",
    })
  }
  const map = new Map(Object.entries(parsed.data.weight_map))
  if (map.size === 0) throw new FourtierError({ where: path, what: "an index without tensors" })
  for (const file of map.values()) {
    if (/^(?:[\\/]|[a-zA-Z]:)|(?:^|[\\/])\.\.(?:[\\/]|$)|\\|\0/.test(file) || isShardIndex(file)) {
      throw new FourtierError({ where: path, what: "file with a suspicious path", found: JSON.stringify(file) })
    }
  }
  return map
}

/**
 * The index that a file belongs to, where the file's name is that of one part of several and the index is beside it.
 *
 * @example
 * indexOfShard("vit/model-00001-of-00002.safetensors") // "vit/model.safetensors.index.json"
 */
export function indexOfShard(path: string): string | null {
  const match = /^(.+)-\d{5}-of-\d{5}(\.\w+)$/.exec(basename(path))
  if (!match) return null
  const index = join(dirname(path), `${match[1]}${match[2]}.index.json`)
  return existsSync(index) ? index : null
}
