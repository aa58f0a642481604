/** Whether the frames of a clip decode, and what else is to be said of a file that can be used. */

import type { VideoFile } from "./backend.ts"
import { convertOnce, type FrameTraits, indexOf } from "./fileindex.ts"
import { fillSlots } from "./fill.ts"
import type { FrameTable } from "./frametable.ts"
import type { DecodedFrame } from "./passage.ts"
import { knowsMatrix } from "./rgb.ts"

export interface FrameCheck {
  /** Why the clip cannot be used, null where it can. */
  reason: string | null
  notes: string[]
  traits: FrameTraits
}

/** Decodes all of a clip once; what does not come out then is tried as a pick of it would be. */
export function checkFrames(file: VideoFile, table: FrameTable): FrameCheck {
  return table.places === null ? checkCounted(file, table) : checkTimed(file, table, table.places)
}

/** Frames that were counted have been decoded: those with errors are known. */
function checkCounted(file: VideoFile, table: FrameTable): FrameCheck {
  const { damaged, traits } = indexOf(file)
  const bad = [...table.times.keys()].filter((frame) => damaged[frame + table.offset] === 1)
  return { reason: null, notes: damageNotes(bad, table.times.length), traits }
}

function checkTimed(file: VideoFile, table: FrameTable, places: Int32Array): FrameCheck {
  const traits: FrameTraits = { interlaced: false, matrix: null }
  const frameOf = new Map([...places].map((place, frame) => [file.packets[place].pts, frame]))
  const missing = new Set(frameOf.values())
  const look = (frame: DecodedFrame) => {
    traits.interlaced ||= frame.interlaced
    traits.matrix ??= frame.matrix
    const number = frameOf.get(frame.pts)
    if (number !== undefined && !frame.damaged) missing.delete(number)
  }
  let first = places.reduce((low, place) => Math.min(low, place))
  while (first > 0 && !file.packets[first].key) first--
  const last = places.reduce((high, place) => Math.max(high, place))
  file.decode({ first, last, wanted: null, plain: true, quick: true }, (frame) => {
    if (traits.matrix === null) convertOnce(frame)
    look(frame)
    return true
  })
  const tried = [...missing].sort((a, b) => a - b)
  const states = fillSlots(file, table, tried, look)
  const ends = { first: 0, last: table.times.length - 1 }
  for (const [name, frame] of Object.entries(ends)) {
    const state = states[tried.indexOf(frame)]
    if (state === "empty" || state === "neighbour") {
      return { reason: `the ${name} frame cannot be decoded`, notes: [], traits }
    }
  }
  const bad = tried.filter((_, i) => states[i] !== "exact")
  return { reason: null, notes: damageNotes(bad, table.times.length), traits }
}

function damageNotes(bad: readonly number[], count: number): string[] {
  if (bad.length === 0) return []
  const runs: [number, number][] = []
  for (const frame of bad) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] === frame - 1) run[1] = frame
    else runs.push([frame, frame])
  }
  const shown = runs.slice(0, 5).map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`))
  const where = `${shown.join(", ")}${runs.length > shown.length ? ", …" : ""}`
  return [`${bad.length} of ${count} frames do not decode without errors: ${where}`]
}

/** What holds for all clips of a file. */
export function fileNotes(file: VideoFile, traits: FrameTraits): string[] {
  const { width, height, codec, others } = file.info
  const notes: string[] = []
  if (others.length > 0) {
    notes.push(`${others.length + 1} video streams: the one of ${width}×${height} is taken, not ${others.join(", ")}`)
  }
  if (file.nextCodec !== null) {
    notes.push(
      `its codec changes from ${codec} to ${file.nextCodec}: what follows is not used; to use it, cut the file there, or convert it as a whole`,
    )
  }
  if (file.breaks > 0) {
    notes.push(
      `its clock breaks ${file.breaks === 1 ? "once" : `${file.breaks} times`}: the parts are joined end to end`,
    )
  }
  if (traits.interlaced) {
    notes.push("interlaced: frames stay as they are; `views.sampling.deinterlace: true` brings their fields together")
  }
  if (traits.matrix !== null && !knowsMatrix(traits.matrix)) {
    notes.push(`colours are read as BT.601: the file's YUV matrix (code ${traits.matrix}) is not supported`)
  }
  return notes
}
