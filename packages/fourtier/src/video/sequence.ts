/**
 * A video as single pictures, as datasets of extracted frames are distributed: `frames/abc/abc_%06d.jpg@30` names those of a folder by
 * the place of their number, as FFmpeg does, and how many there are a second. Missing numbers leave gaps in time.
 */

import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { groupBy } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"

export interface PictureSequence {
  /** In order of their numbers. */
  pictures: readonly { number: number; path: string; size: number; mtime: number }[]
  /** Number of the picture at 0 seconds. */
  origin: number
  /** Pictures a second. */
  rate: number
}

const ADDRESS = /^(.*)%(?:0(\d+))?d(\.(?:jpe?g|png|webp|bmp))@(\d+(?:\.\d+)?)$/i
const NUMBERED = /^(.*?)(\d+)(\.(?:jpe?g|png|webp|bmp))$/i

/** Whether a file's name is that of a picture of a sequence. */
export const isNumbered = (name: string): boolean => NUMBERED.test(name)

/** Whether a path names a sequence of pictures. */
export const isSequence = (path: string): boolean => ADDRESS.test(path)

/**
 * How the pictures among a folder's files are named, such as `abc_%06d.jpg`: those of the commonest name.
 * @returns null where there are none
 */
export function sequencePattern(names: readonly string[]): string | null {
  const numbered = names.flatMap((name) => {
    const [, prefix, digits, ending] = NUMBERED.exec(name) ?? []
    return digits === undefined ? [] : [{ prefix, digits, ending }]
  })
  const [common] = [...groupBy(numbered, ({ prefix, ending }) => `${prefix}/${ending}`).values()].sort(
    (a, b) => b.length - a.length,
  )
  if (common === undefined) return null
  const [{ prefix, digits, ending }] = common
  const padded = digits.length > 1 && common.every((one) => one.digits.length === digits.length)
  return `${prefix}%${padded ? `0${digits.length}` : ""}d${ending}`
}

/** The path of a folder's pictures as a video of so many a second. */
export const sequenceAddress = (folder: string, pattern: string, rate: number): string =>
  join(folder, `${pattern}@${rate}`)

const known = new Map<string, { stamp: number; sequence: PictureSequence }>()

/**
 * The pictures that an address names.
 * @throws FourtierError where there are none; an error of the operating system where there is no such folder
 */
export function sequenceAt(address: string): PictureSequence {
  const [, before = "", width, ending = "", rate = ""] = ADDRESS.exec(address) ?? []
  // the folder may end in a slash, and then the pictures' names are numbers alone
  const [folder, prefix] = /[/\\]$/.test(before) ? [before, ""] : [dirname(before), basename(before)]
  const stamp = statSync(folder).mtimeMs
  const found = known.get(address)
  if (found?.stamp === stamp) return found.sequence
  const pictures = readdirSync(folder).flatMap((name) => {
    const [, own, digits = "", end = ""] = NUMBERED.exec(name) ?? []
    const fits = own === prefix && end === ending && (width === undefined || digits.length === Number(width))
    if (!fits) return []
    const path = join(folder, name)
    const { size, mtimeMs: mtime } = statSync(path)
    return [{ number: Number(digits), path, size, mtime }]
  })
  if (pictures.length === 0 || !(Number(rate) > 0)) {
    throw new FourtierError({
      where: address,
      what: "no pictures of such names",
      expected: `${prefix}${"1".padStart(Number(width ?? 1), "0")}${ending} and so on`,
      found: folder,
    })
  }
  pictures.sort((a, b) => a.number - b.number)
  const sequence = { pictures, origin: originOf(pictures[0].number, Number(rate)), rate: Number(rate) }
  known.set(address, { stamp, sequence })
  return sequence
}

/** Counting starts at 0 or 1: a first second that lacks pictures is no later start. A higher number is where the pictures were cut out. */
const originOf = (first: number, rate: number) => (first > 0 && first <= rate ? 1 : first)

/** Numbers between the first and the last picture that are not there. */
export function gapsOf({ pictures, origin }: PictureSequence): number {
  return (pictures.at(-1)?.number ?? 0) - origin + 1 - pictures.length
}

/** A sequence is known by the names, sizes and times of its pictures: reading all of them would take as long as decoding them. */
export function hashSequence({ pictures, origin, rate }: PictureSequence): string {
  const hash = createHash("sha256").update(`${rate} ${origin}`)
  for (const { path, size, mtime } of pictures) hash.update(`\n${basename(path)} ${size} ${mtime}`)
  return hash.digest("hex")
}

/** Hands over one picture after another. */
export class PictureSource {
  readonly sequence: PictureSequence
  #next = 0

  constructor(sequence: PictureSequence) {
    this.sequence = sequence
  }

  /** The next picture's ticks, of which there are `rate` a second, and its bytes; null at the end. */
  read(): { ticks: number; bytes: Buffer } | null {
    const { pictures, origin } = this.sequence
    const picture = pictures[this.#next++]
    return picture === undefined ? null : { ticks: picture.number - origin, bytes: readFileSync(picture.path) }
  }

  /** Goes to the last picture at or before these ticks. */
  seek(ticks: number): void {
    const { pictures, origin } = this.sequence
    const after = pictures.findIndex(({ number }) => number - origin > ticks)
    this.#next = Math.max(0, (after < 0 ? pictures.length : after) - 1)
  }
}
