/**
 * Keeps the last file open whose frames had to be counted, or of which a window was taken: the next window of it needs neither
 * another look through its packets nor another decoding of all of it.
 */

import { VideoFile } from "./backend.ts"
import { hasIndex } from "./fileindex.ts"
import { placeOf } from "./place.ts"

/** Milliseconds after which a file is closed that nothing was asked of. */
const IDLE = 5000

let kept: { file: VideoFile; stamp: string; timer: NodeJS.Timeout } | null = null

/** Opens a file, or takes the one that is still open, for the time of one call. */
export function withOpenFile<T>(
  clip: { path: string; start: number | null; end: number | null },
  deinterlace: boolean,
  use: (file: VideoFile) => T,
): T {
  const stamp = stampOf(clip.path, deinterlace)
  const file = takeKept(stamp) ?? VideoFile.open(clip.path, { deinterlace })
  let done = false
  try {
    const result = use(file)
    done = true
    return result
  } finally {
    const isWindow = clip.start !== null || clip.end !== null
    if (done && stamp !== null && file.holdsAll && (isWindow || hasIndex(file))) keep(file, stamp)
    else file.close()
  }
}

function takeKept(stamp: string | null): VideoFile | null {
  if (kept === null) return null
  const { file, timer } = kept
  clearTimeout(timer)
  const fits = kept.stamp === stamp
  kept = null
  if (fits) return file
  file.close()
  return null
}

function keep(file: VideoFile, stamp: string): void {
  const timer = setTimeout(() => takeKept(null), IDLE)
  timer.unref()
  kept = { file, stamp, timer }
}

function stampOf(path: string, deinterlace: boolean): string | null {
  try {
    const { size, mtime } = placeOf(path)
    return JSON.stringify([path, size, mtime, deinterlace])
  } catch {
    return null
  }
}
