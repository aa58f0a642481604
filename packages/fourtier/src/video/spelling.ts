/** How tables spell what they mean: paths of another machine, labels with invisible characters. */

import { existsSync } from "node:fs"
import { basename, resolve } from "node:path"
import { groupBy } from "@fourtier/core"
import { isObject } from "../util/objects/address.ts"
import { isVideoName, VIDEO_ENDINGS } from "./endings.ts"

/**
 * A label or group as it is compared: its letters composed (NFC), without characters that nobody sees, every run of white space (line
 * breaks and no-break spaces too) as one space.
 */
export function cleanName(text: string): string {
  return text
    .normalize("NFC")
    .replaceAll(/[\u00ad\u200b\u200e\u200f\u2060\ufeff]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim()
}

/** Finds the file that a table's path means. */
export interface PathFinder {
  /** The path as it is on disk; what cannot be found is returned in the plain form in which it would be missed. */
  find(given: string): string
  /** Paths that were found elsewhere, or in other letters, than the table says: "given as found". */
  elsewhere: string[]
}

/**
 * A finder of files below a folder: without quotes, with "/" for "\", with the ending that a table leaves out, in any Unicode form, with
 * `%20` and the like read as in addresses; else in other capitals, or by the end of a path that was absolute on another machine, where one
 * file alone fits.
 *
 * @param root what relative paths are relative to
 * @param videos the video files below it, relative; asked for when a path is not there as it stands
 */
export function pathFinder(root: string, videos: () => readonly string[]): PathFinder {
  const there = (path: string) => existsSync(resolve(root, path))
  let index: ReturnType<typeof indexOf> | null = null
  const elsewhere: string[] = []
  const find = (given: string): string => {
    if (isObject(given) || there(given)) return given
    const plain = plainForm(given)
    const address = addressOf(plain)
    const near = [plain, address].flatMap((path) => [path, ...(isVideoName(path) ? [] : withEndings(path))])
    const found = near.find(there)
    if (found !== undefined) return found
    index ??= indexOf(videos())
    const same = index.byForm.get(relativeForm(plain))
    if (same !== undefined) return same
    const absolute = /^(?:[a-z]:)?\//i.test(address)
    const other =
      only(index.byCase.get(relativeForm(plain).toLowerCase())) ?? (absolute ? index.byEnd(plain) : undefined)
    if (other === undefined) return plain
    elsewhere.push(`${given} as ${other}`)
    return other
  }
  return { find, elsewhere }
}

const withEndings = (path: string) => [...VIDEO_ENDINGS].map((ending) => `${path}.${ending}`)

const relativeForm = (path: string) => path.replace(/^(?:\.\/)+/, "").normalize("NFC")

const only = (files: readonly string[] | undefined) => (files?.length === 1 ? files[0] : undefined)

/** Without quotes, with "/" for "\". */
function plainForm(given: string): string {
  const bare = /^(['"`‘“])(.+)['"`’”]$/u.exec(given)?.[2].trim() ?? given
  return bare.includes("/") && !bare.includes("\\") ? bare : bare.replaceAll("\\", "/")
}

/** The path of an address: without `file://`, with `%20` and the like as the characters that they stand for. */
function addressOf(path: string): string {
  try {
    return decodeURIComponent(path.replace(/^file:\/\/(?:localhost(?=\/))?(?:\/(?=[a-z]:))?/i, ""))
  } catch {
    return path
  }
}

function indexOf(videos: readonly string[]) {
  const byName = groupBy(videos, (file) => basename(file).normalize("NFC").toLowerCase())
  /** The file that shares most of the path's end: the name at least, and one file alone. */
  const byEnd = (path: string): string | undefined => {
    const parts = addressOf(path).normalize("NFC").toLowerCase().split("/")
    let fits = [...(byName.get(parts.at(-1) ?? "") ?? [])]
    for (let depth = 2; fits.length > 1 && depth <= parts.length; depth++) {
      const end = `/${parts.slice(-depth).join("/")}`
      fits = fits.filter((file) => `/${file.normalize("NFC").toLowerCase()}`.endsWith(end))
    }
    return only(fits)
  }
  return {
    byForm: new Map(videos.map((file) => [file.normalize("NFC"), file])),
    byCase: groupBy(videos, (file) => file.normalize("NFC").toLowerCase()),
    byEnd,
  }
}
