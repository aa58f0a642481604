/** Small pictures of the clips that a report shows: made by the run, kept in its folder, put into the page as long as there is room. */

import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import type { Inspection } from "../experiment/inspection.ts"
import type { Clip } from "../video/manifest.ts"
import { shrinkStrip } from "../video/small-strips.ts"
import { hasStrip, stripPath, writeStrips } from "../video/strips.ts"
import { stripsOf } from "./run-files.ts"

/** Pixels of a strip's height, and its JPEG quality. */
const HEIGHT = 84
const QUALITY = 62
/** Key frames, at most. */
const MOST_FRAMES = 8
/** Clips that are shown, at most. */
const MOST_SHOWN = 400
/** Bytes of all strips in one page, as base64. */
const ROOM = 8e6

/**
 * Ids of the clips that a report shows, the most wanted first: mistakes, doubtful labels, examples with the clips whose answers they
 * come close to, and what is on the maps.
 */
export function shownClips(inspection: Inspection | null, others: readonly string[] = []): string[] {
  if (!inspection) return [...new Set(others)].slice(0, MOST_SHOWN)
  const { clips, doubts, maps } = inspection
  const wrong = clips.filter(({ label, classes, part }) => part === "test" && label !== null && classes[0] !== label)
  const closest = (own: typeof clips, count: number) =>
    own.flatMap((clip) => Object.values(clip.closest).flatMap((found) => found.slice(0, count).map(([id]) => id)))
  const ids = (own: typeof clips) => own.map(({ id }) => id)
  return [
    ...new Set([
      ...ids(wrong.slice(0, 80)),
      ...(doubts?.found ?? []).map(({ clip }) => clip),
      ...ids(clips.filter(({ part }) => part === "train")),
      ...ids(clips.slice(0, 40)),
      ...others,
      ...closest(clips.slice(0, 40), 1),
      ...ids(clips),
      ...(maps[0]?.points ?? []).map(({ id }) => id),
      ...closest(clips, 1),
    ]),
  ].slice(0, MOST_SHOWN)
}

export interface StripsOptions {
  frames: number
  /** A clip's strip of the vision-language model: where there is one, it is made smaller, and the video is not opened. */
  large: (clip: Clip) => string
  /** Decoding ends after so many seconds: what is missing then is left out. */
  seconds: number
  workers?: number
  signal?: AbortSignal
}

/**
 * Makes the small strips that are missing, in this order, until the time is used up.
 * @returns how many are there
 */
export async function writeSmallStrips(run: string, clips: readonly Clip[], options: StripsOptions): Promise<number> {
  const { frames, seconds, large, workers, signal } = options
  const folder = stripsOf(run)
  const style = { frames: Math.min(frames, MOST_FRAMES), height: HEIGHT, quality: QUALITY }
  const end = performance.now() + 1000 * seconds
  const missing: Clip[] = []
  for (const clip of clips) {
    if (await hasStrip(folder, clip, style)) continue
    if (style.frames !== frames || !(await shrinkStrip(large(clip), folder, clip, style))) missing.push(clip)
    signal?.throwIfAborted()
  }
  let made = 0
  const strips = writeStrips(missing, folder, { ...style, workers, onError: () => {} })
  for await (const _ of strips) {
    made++
    signal?.throwIfAborted()
    if (performance.now() > end) break
  }
  return clips.length - missing.length + made
}

/** The strips of these clips as data URIs, in this order, until the room of a page is used up. */
export async function readSmallStrips(
  run: string,
  ids: readonly string[],
  room = ROOM,
): Promise<{ strips: Map<string, string>; bytes: number }> {
  const strips = new Map<string, string>()
  let bytes = 0
  for (const id of ids) {
    const path = stripPath(stripsOf(run), { id })
    if (!existsSync(path)) continue
    const uri = `data:image/jpeg;base64,${(await readFile(path)).toString("base64")}`
    if (bytes + uri.length > room) break
    bytes += uri.length
    strips.set(id, uri)
  }
  return { strips, bytes }
}
