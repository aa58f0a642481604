/**
 * The frames of a file as they come out of the decoder, from the first to the last: for files whose packets do not tell how many
 * frames they hold, or when each is shown.
 */

import type { VideoFile } from "./backend.ts"

export interface FileIndex {
  /** Presentation time of every frame in ticks, as the decoder gives it; NaN where it gives none. */
  pts: Float64Array
  /** Start of every frame, seconds from the first one, ascending. */
  times: Float64Array
  /** Seconds that the last frame is shown, 0 when unknown. */
  lastStep: number
  /** Frames per second where they are evenly spaced, else null. */
  fps: number | null
  /** Packets given to the decoder before each frame came out. */
  fed: Int32Array
  /** Frames that need no other, with their signatures. */
  entries: ReadonlyMap<number, number>
  /** 1 where a frame has errors. */
  damaged: Uint8Array
  /** What the frames say of themselves. */
  traits: FrameTraits
}

export interface FrameTraits {
  interlaced: boolean
  /** Code of the YUV matrix, null before the first frame. */
  matrix: number | null
}

const known = new WeakMap<VideoFile, FileIndex>()

/** Decodes all of a file once; a second call for the same open file gives the same index. */
export function indexOf(file: VideoFile): FileIndex {
  const before = known.get(file)
  if (before !== undefined) return before
  file.allPackets()
  const [pts, durations, fed, damaged]: number[][] = [[], [], [], []]
  const entries = new Map<number, number>()
  const traits: FrameTraits = { interlaced: false, matrix: null }
  file.decode({ first: 0, last: Number.POSITIVE_INFINITY, wanted: null, plain: true }, (frame) => {
    pts.push(frame.pts ?? Number.NaN)
    durations.push(frame.duration)
    fed.push(frame.fed)
    if (frame.intra) entries.set(fed.length - 1, frame.signature())
    damaged.push(frame.damaged ? 1 : 0)
    traits.interlaced ||= frame.interlaced
    traits.matrix ??= frame.matrix
    return true
  })
  const times = timesOf(pts, file.info.tick, file.info.rate)
  const index = {
    pts: Float64Array.from(pts),
    times,
    lastStep: (durations.at(-1) ?? 0) * file.info.tick,
    fps: evenRate(times, file.info.rate, file.info.container),
    fed: Int32Array.from(fed),
    entries,
    damaged: Uint8Array.from(damaged),
    traits,
  }
  known.set(file, index)
  return index
}

/** Whether a file's index is there already. */
export function hasIndex(file: VideoFile): boolean {
  return known.has(file)
}

/** Seconds from the first frame. Where a time is missing or not after the one before, the usual step is added to that. */
function timesOf(pts: readonly number[], tick: number, rate: number): Float64Array {
  const steps = pts.flatMap((time, i) => (i > 0 && time > pts[i - 1] ? [time - pts[i - 1]] : [])).sort((a, b) => a - b)
  const usual = steps[steps.length >> 1] ?? 1 / ((rate > 0 ? rate : 25) * tick)
  const origin = pts.find((time) => !Number.isNaN(time)) ?? 0
  const times = new Float64Array(pts.length)
  for (const [i, time] of pts.entries()) {
    const after = i === 0 ? 0 : times[i - 1]
    const own = time - origin
    times[i] = i === 0 ? 0 : own > after ? own : after + usual
  }
  return times.map((time) => time * tick)
}

/** Seconds by which a rounded time may lie beside its place. */
const ROUNDING = 2e-3

/** Steps by which a frame of an AVI file may: packets lie in numbered slots there, and one may be empty. */
const SLOTS = 1.05

/** The rate at which frames are evenly spaced, the declared one where it is near; null where they are not. */
export function evenRate(times: Float64Array, declared: number, container: string): number | null {
  const rate = declared > 0 ? declared : 25
  const span = times[times.length - 1]
  if (!(times.length > 1 && span > 0)) return rate
  const measured = (times.length - 1) / span
  const fps = Math.abs(measured / rate - 1) < 0.1 ? rate : measured
  const slack = container === "avi" ? SLOTS / fps : Math.min(ROUNDING, 0.25 / fps)
  return times.every((time, i) => Math.abs(time - i / fps) <= slack) ? fps : null
}
