/**
 * WebDataset: tar archives ("shards") in which files of one name but for the ending make up a sample: `<key>.mp4` with `<key>.cls`,
 * `<key>.json` or `<key>.txt`. Videos stay in the archives: their paths are `shard.tar/<key>.mp4`.
 *
 * https://github.com/webdataset/webdataset: the key is the path up to the first dot of the file's name.
 */

import { closeSync, openSync } from "node:fs"
import { basename } from "node:path"
import { plural } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { isVideoName } from "../video/endings.ts"
import { examples } from "../video/findings.ts"
import { isSplitName, normaliseSplit } from "../video/split-names.ts"
import { readRange, readTarIndex, type TarMember } from "../video/tar.ts"
import { readClassNames } from "./class-names.ts"
import type { AnnotatedClip, Dataset, DatasetRequest } from "./dataset.ts"
import type { Files } from "./files.ts"

/** Keys of a sample's JSON that may hold its class, the likeliest first. */
const LABEL_KEYS = ["label", "class", "cls", "class_name", "category", "action", "label_name"]

/** Most bytes of a sample's JSON or text that are read. */
const LONGEST = 2 ** 20

export const webdataset: Dataset = {
  name: "webdataset",
  title: "WebDataset",
  reads: "*.tar with <key>.mp4 and <key>.cls, .json or .txt",
  columns: ["text"],
  async *read(request, files, notes): AsyncGenerator<AnnotatedClip> {
    const shards = files.names.filter((name) => /\.tar$/i.test(name))
    if (shards.length === 0) throw noShards(files)
    const names = request.classes === null ? null : await readClassNames(request.classes)
    const found = { texts: 0, numbers: 0, without: new Set<string>() }
    for (const shard of shards) yield* samplesOf(shard, files, { request, notes, names, found })
    if (found.texts > 0) notes.push(`${plural(found.texts, "label")} from .txt, as there is no .cls or class in .json`)
    if (found.numbers > 0 && names === null) notes.push("classes are numbers: give their names with --classes <file>")
    if (found.without.size > 0) {
      notes.push(`${plural(found.without.size, "sample")} without a video: ${examples([...found.without])}`)
    }
  },
}

function noShards(files: Files): FourtierError {
  const packed = files.names.filter((name) => /\.(?:tar\.\w+|tgz)$/i.test(name))
  return new FourtierError({
    where: files.root,
    what: packed.length > 0 ? "compressed archives cannot be read in place" : "no .tar archive",
    expected: "uncompressed .tar files",
    found: packed.length > 0 ? examples(packed) : files.summary(),
    fix: packed.length > 0 ? "decompress them once: gunzip <file>" : "give the folder of the shards, or one shard",
  })
}

interface Context {
  request: DatasetRequest
  notes: string[]
  names: ReadonlyMap<number, string> | null
  found: { texts: number; numbers: number; without: Set<string> }
}

/** The samples of a shard; what the archive's end has cut off is named. */
function* samplesOf(shard: string, files: Files, context: Context): Generator<AnnotatedClip> {
  const path = files.absolute(shard)
  const { members, truncated } = readTarIndex(path)
  if (truncated !== null) {
    context.notes.push(`${shard} is truncated: it ends in ${truncated}; the ${members.length} files before it are used`)
  }
  const handle = openSync(path, "r")
  try {
    for (const [key, sample] of byKey(members, shard)) {
      const video = sample.find(({ name }) => isVideoName(name))
      if (video === undefined) {
        context.found.without.add(`${shard}/${key}`)
        continue
      }
      const part = (ending: string) => {
        const member = sample.find(({ name }) => name.toLowerCase() === `${key}.${ending}`.toLowerCase())
        if (member === undefined) return null
        return readRange(handle, member.start, Math.min(member.size, LONGEST)).toString("utf8").trim()
      }
      const where = `${path}/${key}`
      const text = part("txt")
      const name = `${shard}/${video.name}`
      const label = named(labelOf(part("cls"), jsonOf(part("json"), where), text, context), where, context)
      yield { where, name, file: name, label, split: partOf(shard), columns: { text: text ?? "" } }
    }
  } finally {
    closeSync(handle)
  }
}

/** @throws FourtierError where two members have one name */
function byKey(members: readonly TarMember[], shard: string): Map<string, TarMember[]> {
  const samples = new Map<string, TarMember[]>()
  for (const member of members) {
    const file = basename(member.name)
    const dot = file.indexOf(".")
    if (dot <= 0) continue
    const key = member.name.slice(0, member.name.length - file.length + dot)
    const own = samples.get(key) ?? []
    if (own.some(({ name }) => name === member.name)) {
      throw new FourtierError({
        where: shard,
        what: "the archive holds a file twice",
        found: member.name,
        fix: "write the shard again, each sample with a key of its own",
      })
    }
    own.push(member)
    samples.set(key, own)
  }
  return samples
}

function jsonOf(text: string | null, where: string): Record<string, unknown> {
  if (text === null) return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch (error) {
    throw new FourtierError(
      { where: `${where}.json`, what: "not valid JSON", found: messageOf(error) },
      { cause: error },
    )
  }
}

function labelOf(
  cls: string | null,
  json: Readonly<Record<string, unknown>>,
  text: string | null,
  { found }: Context,
): string {
  if (cls !== null) return cls
  const key = LABEL_KEYS.find((one) => ["string", "number"].includes(typeof json[one]))
  if (key !== undefined) return String(json[key]).trim()
  if (text === null || text === "") return ""
  found.texts++
  return text
}

/** @throws FourtierError for a number that the classes given do not name */
function named(label: string, where: string, { names, found }: Context): string {
  if (!/^\d+$/.test(label)) return label
  found.numbers++
  if (names === null) return label
  const name = names.get(Number(label))
  if (name !== undefined) return name
  throw new FourtierError({
    where,
    what: `no name for the class ${label}`,
    fix: "correct the file given with --classes",
  })
}

/** The part that a shard's name or folder speaks of: `train/00.tar`, `ucf-val-000.tar`. */
function partOf(shard: string): string {
  const words = shard.split(/[^a-zA-Z]+/)
  const part = words.findLast(isSplitName)
  return part === undefined ? "" : normaliseSplit(part)
}
