/**
 * Measures one file: what it is, how many frames it really has, whether it can be used. Blocks; `doctor.ts` runs it in
 * child processes.
 */

import { createHash } from "node:crypto"
import { closeSync, openSync, readlinkSync, readSync } from "node:fs"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { absolutePath } from "../util/objects/address.ts"
import { VideoFile } from "./backend.ts"
import { checkFrames, fileNotes } from "./check.ts"
import { missingBytes } from "./container.ts"
import { buildFrameTable, type FrameTable } from "./frametable.ts"
import type { Clip } from "./manifest.ts"
import { notVideo } from "./not-data.ts"
import { rotationOf, swapsSides } from "./orientation.ts"
import { type Place, placeOf, readPlace } from "./place.ts"
import { hashSequence } from "./sequence.ts"

export const windowSchema = z.object({ start: z.number().nullable(), end: z.number().nullable() })
export type Window = z.infer<typeof windowSchema>

/** What the processes that measure are asked. */
export const probeJobSchema = z.object({ path: z.string(), windows: z.array(windowSchema) })
export type ProbeJob = z.infer<typeof probeJobSchema>

/** What a file holds in one window, or why that cannot be used. */
export const measureSchema = z.union([
  z.object({
    duration: z.number(),
    frames: z.number(),
    fps: z.number(),
    width: z.number(),
    height: z.number(),
    codec: z.string(),
    rotation: z.number(),
    notes: z.array(z.string()).optional(),
  }),
  z.object({ reason: z.string() }),
])
export type Measure = z.infer<typeof measureSchema>

export const probeSchema = z.object({
  size: z.number(),
  mtime: z.number(),
  fileHash: z.string(),
  /** One a window, in the order asked for. */
  measures: z.array(measureSchema),
})
export type FileProbe = z.infer<typeof probeSchema>

/** Measures a file once for every window of it. Never throws for what a file holds: the reason is in the result. */
export function probeFile(path: string, windows: readonly Window[]): FileProbe {
  const same = (reason: string): Measure[] => windows.map(() => ({ reason }))
  let size = 0
  let mtime = 0
  let fileHash = ""
  let head: Uint8Array
  try {
    const place = placeOf(path)
    size = place.size
    mtime = place.mtime
    fileHash = hashPlace(place)
    head = readPlace(place, 0, 200)
  } catch (error) {
    return { size, mtime, fileHash, measures: same(unreadable(path, error)) }
  }
  if (size === 0) return { size, mtime, fileHash, measures: same("the file is empty") }
  const other = notVideo(head)
  if (other !== null) return { size, mtime, fileHash, measures: same(other) }
  return { size, mtime, fileHash, measures: measureAll(path, windows) }
}

/**
 * A clip for a single file that is in no manifest, as prediction needs it.
 * @param window seconds of the file; null: from its start, up to its end
 * @throws FourtierError when it cannot be used
 *
 * @example
 * ```ts
 * import { clipOfFile } from "fourtier/video"
 *
 * const { frames, fps } = clipOfFile("jump.mp4", { start: 1.5, end: 4 })
 * ```
 */
export function clipOfFile(path: string, window: Window = { start: null, end: null }): Clip {
  const absolute = absolutePath(path)
  return clipOfProbe(absolute, probeFile(absolute, [window]), window)
}

/** @throws FourtierError when the file cannot be used */
export function clipOfProbe(absolute: string, { fileHash, measures }: FileProbe, window: Window): Clip {
  const [found] = measures
  if ("reason" in found)
    throw new FourtierError({ where: absolute, what: "cannot be used as video", found: found.reason })
  return {
    ...found,
    ...window,
    id: absolute,
    path: absolute,
    relative: absolute,
    label: null,
    labels: [],
    split: null,
    fold: null,
    group: null,
    hash: clipHash(fileHash, window),
    columns: {},
  }
}

/** Identity of a clip's content: the file's hash, with the window where there is one. */
export function clipHash(fileHash: string, { start, end }: Window): string {
  if (start === null && end === null) return fileHash
  return createHash("sha256")
    .update(`${fileHash}@${start ?? 0}-${end ?? "end"}`)
    .digest("hex")
}

/** Measures every window of a file: it is opened, looked through and decoded once for all of them where that is possible. */
function measureAll(path: string, windows: readonly Window[]): Measure[] {
  let file: VideoFile
  try {
    file = VideoFile.open(path)
  } catch (error) {
    const reason = reasonOf(error)
    return windows.map(() => ({ reason }))
  }
  try {
    return windows.map((window) => {
      try {
        return measure(file, window)
      } catch (error) {
        return { reason: reasonOf(error) }
      }
    })
  } finally {
    file.close()
  }
}

function measure(file: VideoFile, window: Window): Measure {
  const table = buildFrameTable(file, { ...window, frames: 0, fps: 0 })
  const short = shortage(file, table, window)
  if (short !== null) return { reason: short }
  const check = checkFrames(file, table)
  if (check.reason !== null) return { reason: check.reason }
  const { width, height, codec } = file.info
  const frames = table.times.length
  const turned = swapsSides(file.orientation)
  const notes = [...fileNotes(file, check.traits), ...check.notes]
  return {
    duration: table.duration,
    frames,
    fps: Number((frames / table.duration).toFixed(6)),
    width: turned ? height : width,
    height: turned ? width : height,
    codec,
    rotation: rotationOf(file.orientation),
    ...(notes.length === 0 ? {} : { notes }),
  }
}

/** Says so when the file ends before its video does. */
function shortage(file: VideoFile, table: FrameTable, window: Window): string | null {
  if (table.times.length === 0) {
    return window.start === null && window.end === null ? "no frame can be decoded" : "no frames in the time window"
  }
  if (window.start !== null || window.end !== null) return null
  const { declaredFrames, declaredSeconds, container } = file.info
  const packets = file.packets.length
  if (file.packets.at(-1)?.corrupt === true) return `truncated: the last of ${packets} packets is incomplete`
  const missing = missingBytes(file.path)
  const exact = container.startsWith("mov,")
  if (declaredFrames > packets && (exact || missing > 0))
    return `truncated: ${packets} of ${declaredFrames} frames present`
  const step = table.duration / table.times.length
  if (missing > 0 && declaredSeconds - table.duration > 1.5 * step) {
    return `truncated: ${table.duration.toFixed(2)} s of ${declaredSeconds.toFixed(2)} s present`
  }
  return null
}

function reasonOf(error: unknown): string {
  if (!(error instanceof FourtierError)) return messageOf(error)
  const { what, found } = error.complaint
  return found === undefined ? what : `${what}: ${found}`
}

/** Why the operating system does not give a file, in words. */
function unreadable(path: string, error: unknown): string {
  if (error instanceof FourtierError) return reasonOf(error)
  const code = error instanceof Error && "code" in error ? error.code : null
  if (code === "EACCES" || code === "EPERM") return "no permission to read it"
  if (code === "ENAMETOOLONG") return "its path is too long"
  if (code !== "ENOENT" && code !== "ELOOP") return messageOf(error)
  const target = linkTarget(path)
  if (target === null) return "the file is missing"
  const annex = /[/\\]annex[/\\]objects[/\\]/.test(target)
  return annex ? "its content is not here: run `git annex get` in its folder" : `a link to a missing file, ${target}`
}

function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

export function hashPlace({ file, start, size, sequence }: Place): string {
  if (sequence !== undefined) return hashSequence(sequence)
  const hash = createHash("sha256")
  const handle = openSync(file, "r")
  try {
    const chunk = Buffer.allocUnsafe(1 << 20)
    for (let done = 0; done < size; ) {
      const read = readSync(handle, chunk, 0, Math.min(chunk.length, size - done), start + done)
      if (read === 0) break
      hash.update(chunk.subarray(0, read))
      done += read
    }
  } finally {
    closeSync(handle)
  }
  return hash.digest("hex")
}
