/** Files that come in: streamed beside the data, counted, and moved into their place once they are whole. */

import { randomBytes } from "node:crypto"
import { createWriteStream } from "node:fs"
import { link, mkdir, open, rename, rm } from "node:fs/promises"
import type { IncomingMessage } from "node:http"
import { extname, join } from "node:path"
import { Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { formatBytes } from "@fourtier/core"
import { messageOf } from "@fourtier/tensor"
import { notWritten } from "@fourtier/tensor/node"
import { isVideoName, VIDEO_ENDINGS } from "../video/endings.ts"
import { Refusal } from "./refusal.ts"

/** Bytes of one file, at most, unless an option says otherwise. */
export const LONGEST_UPLOAD = 4 * 2 ** 30

/** Seconds after which an upload that sends nothing is given up. */
const SILENCE = 60

/** Letters of a name that some system does not take. */
const UNSAFE = /[/\\:*?"<>|\p{Cc}\p{Co}\p{Cn}]+/gu

const LONGEST_STEM = 100

/**
 * A name under which a file can lie in any folder: without folders, without what hides it.
 * @throws Refusal where it is not that of a video
 */
export function safeFileName(given: string): string {
  const name = given.normalize("NFC").split(/[/\\]/).at(-1) ?? ""
  const ending = extname(name).toLowerCase()
  if (!isVideoName(name)) {
    throw new Refusal(415, {
      where: "name",
      what: "not the name of a video",
      expected: `a file ending in ${[...VIDEO_ENDINGS].slice(0, 6).join(", ")} or the like`,
      found: name.slice(0, 80),
    })
  }
  const stem = name
    .slice(0, name.length - ending.length)
    .replaceAll(UNSAFE, "_")
    .replace(/^[.\s~#-]+|[.\s]+$/g, "")
  const short = [...stem].slice(0, LONGEST_STEM).join("")
  return `${/^(?:con|prn|aux|nul|com\d|lpt\d)?$/i.test(short) ? `clip${short}` : short}${ending}`
}

/** @throws Refusal where a request announces more than is taken */
export function checkLength(header: string | undefined, longest: number): void {
  if (header === undefined || Number(header) <= longest) return
  throw tooLarge(`${formatBytes(Number(header))} announced`, longest)
}

function tooLarge(found: string, longest: number): Refusal {
  return new Refusal(413, {
    where: "body",
    what: "the file is too large",
    expected: `${formatBytes(longest)} at most`,
    found,
    fix: "cut it into parts; or put it into the data folder by hand, which the studio looks through again",
  })
}

/**
 * Writes a request's body into a file of its own. What comes in half is not kept.
 * @param folder of such files, on the same disk as the data
 * @returns its path
 */
export async function receive(incoming: IncomingMessage, folder: string, longest: number): Promise<string> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${Date.now()}-${randomBytes(6).toString("hex")}.part`)
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length
      if (bytes > longest) done(tooLarge(`more than ${formatBytes(longest)}`, longest))
      else done(null, chunk)
    },
  })
  const silence = () => incoming.destroy(new Error("nothing came for a while"))
  incoming.setTimeout(SILENCE * 1000, silence)
  try {
    await pipeline(incoming, count, createWriteStream(path, { flags: "wx" }))
    if (bytes === 0) throw new Refusal(400, { where: "body", what: "the file is empty" })
    await flush(path)
    return path
  } catch (error) {
    await rm(path, { force: true })
    if (error instanceof Refusal) throw error
    const told = notWritten(path, error)
    if (told !== error) throw told
    throw new Refusal(400, { where: "body", what: "the upload was cut off", found: messageOf(error) })
  } finally {
    incoming.off("timeout", silence)
  }
}

/** Brings a file to the disk. */
export async function flush(path: string): Promise<void> {
  const file = await open(path, "r+")
  await file.sync()
  await file.close()
}

/** Moves a file to a path where none is. @throws the system's error where there is one */
export async function moveInto(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    // file systems without a second name for a file
    if (!(error instanceof Error && "code" in error) || error.code === "EEXIST") throw error
    await rename(from, to)
    return
  }
  await rm(from)
}

/** Removes what uploads of a process that was killed have left. */
export async function sweepUploads(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}
