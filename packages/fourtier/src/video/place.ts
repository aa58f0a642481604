/**
 * Where the bytes of a path lie: all of a file, a member of a tar archive, `shards/00.tar/jump/a.mp4`, the pictures of a folder,
 * `frames/abc/abc_%06d.jpg@30`, or an object, `s3://bucket/jump/a.mp4`, that is fetched when its bytes are asked for. Everything that opens or
 * measures a video's file asks here, so that clips in archives need no unpacking.
 */

import { closeSync, openSync, type Stats, statSync } from "node:fs"
import { FourtierError } from "@fourtier/tensor"
import { isObject } from "../util/objects/address.ts"
import { fetchObjectSync, statObjectSync } from "../util/objects/sync.ts"
import { isSequence, type PictureSequence, sequenceAt } from "./sequence.ts"
import { readRange, readTarIndex, type TarMember } from "./tar.ts"

export interface Place {
  /** The file on disk. */
  file: string
  /** First byte. */
  start: number
  /** Bytes. */
  size: number
  /** Of the file on disk, milliseconds since 1970. */
  mtime: number
  /** Whether it is part of the file. */
  member: boolean
  /** Where the video is pictures: then `file` is the first of them, and `size` is that of all. */
  sequence?: PictureSequence
}

/** An archive's members by name, as long as the archive is unchanged. */
interface KnownArchive {
  stamp: string
  members: ReadonlyMap<string, TarMember>
  truncated: string | null
}

/** Archives whose lists are kept. */
const KEPT = 64

const known = new Map<string, KnownArchive>()

/**
 * The place of a path's bytes.
 * @throws an error of the operating system where there is no such file; FourtierError for what is no file, for an archive that
 *   cannot be read, and for a member that is not in it
 */
export function placeOf(path: string): Place {
  if (isObject(path)) return placeOfObject(path)
  if (isSequence(path)) return placeOfPictures(sequenceAt(path))
  try {
    return wholeFile(path, statSync(path))
  } catch (error) {
    const place = error instanceof FourtierError ? null : placeInArchive(path)
    if (place === null) throw error
    return place
  }
}

/** Whether there is such a file, or such a member of an archive. */
export function isThere(path: string): boolean {
  try {
    placeOf(path)
    return true
  } catch {
    return false
  }
}

function placeOfObject(address: string): Place {
  const { size, mtime } = statObjectSync(address)
  return {
    get file() {
      return fetchObjectSync(address)
    },
    start: 0,
    size,
    mtime,
    member: false,
  }
}

function placeOfPictures(sequence: PictureSequence): Place {
  const { pictures } = sequence
  const size = pictures.reduce((sum, picture) => sum + picture.size, 0)
  const mtime = pictures.reduce((latest, picture) => Math.max(latest, picture.mtime), 0)
  return { file: pictures[0].path, start: 0, size, mtime, member: false, sequence }
}

function wholeFile(path: string, found: { isFile(): boolean; size: number; mtimeMs: number }): Place {
  if (!found.isFile()) throw new FourtierError({ what: "not a file" })
  return { file: path, start: 0, size: found.size, mtime: found.mtimeMs, member: false }
}

/** Null where no part of the path is an archive. */
function placeInArchive(path: string): Place | null {
  for (const { index, 0: ending } of path.matchAll(/\.tar\//gi)) {
    const file = path.slice(0, index + ending.length - 1)
    const found = statOf(file)
    if (found?.isFile() !== true) continue
    const name = path.slice(index + ending.length)
    const { members, truncated } = archiveAt(file, `${found.size} ${found.mtimeMs}`)
    const member = members.get(name)
    if (member !== undefined) {
      return { file, start: member.start, size: member.size, mtime: found.mtimeMs, member: true }
    }
    if (truncated === name) throw new FourtierError({ what: "truncated: the archive ends before it does" })
    throw new FourtierError({ what: "the file is missing: it is not in the archive" })
  }
  return null
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path)
  } catch {
    return null
  }
}

function archiveAt(file: string, stamp: string): KnownArchive {
  const before = known.get(file)
  if (before?.stamp === stamp) return before
  const { members, truncated } = readTarIndex(file)
  const archive = { stamp, members: new Map(members.map((member) => [member.name, member])), truncated }
  known.delete(file)
  known.set(file, archive)
  for (const oldest of [...known.keys()].slice(0, -KEPT)) known.delete(oldest)
  return archive
}

/** Up to `length` bytes of a place, from `offset` on. */
export function readPlace({ file, start, size }: Place, offset = 0, length = size): Buffer {
  const handle = openSync(file, "r")
  try {
    return readRange(handle, start + offset, Math.max(0, Math.min(length, size - offset)))
  } finally {
    closeSync(handle)
  }
}
