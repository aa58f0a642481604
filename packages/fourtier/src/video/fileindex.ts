/**
 * The frames of a file as they come out of the decoder, from the first to the last: for files whose packets do not tell how many
 * frames they hold, or when each is shown.
 */

import type { VideoFile } from "./backend.ts"
import type { DecodedFrame } from "./passage.ts"

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
    if (traits.matrix === null) convertOnce(frame)
    traits.interlaced ||= frame.interlaced
    traits.matrix ??= frame.matrix
    return true
  })
  const times = timesOf(inOrder(pts, file), file.info.tick, file.info.rate)
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

/** @throws FourtierError when pixels of this kind cannot become RGB */
export function convertOnce(frame: DecodedFrame): void {
  frame.writeRgb(new Uint8Array(64 * 64 * 3), 64, 64)
}

/** Whether a file's index is there already. */
export function hasIndex(file: VideoFile): boolean {
  return known.has(file)
}

/** Frames that come with times out of order have each other's: where every packet gave one, they take theirs in order. */
function inOrder(pts: readonly number[], file: VideoFile): readonly number[] {
  if (pts.every((time, i) => i === 0 || !(time <= pts[i - 1]))) return pts
  const written = file.packets.flatMap(({ pts: shown, dts, hidden }) => (hidden ? [] : [shown ?? dts ?? Number.NaN]))
  return written.length === pts.length && !written.some(Number.isNaN) ? written.sort((a, b) => a - b) : pts
}

/**
 * Seconds from the first frame. Missing times lie evenly between those around them; one that is not after the time before it is
 * taken to be missing. At the ends the usual step goes on.
 */
function timesOf(pts: readonly number[], tick: number, rate: number): Float64Array {
  const known: number[] = []
  for (const [i, time] of pts.entries()) {
    const before = known.at(-1)
    if (!Number.isNaN(time) && (before === undefined || time > pts[before])) known.push(i)
  }
  const steps = known.slice(1).map((i, n) => (pts[i] - pts[known[n]]) / (i - known[n]))
  const usual = steps.sort((a, b) => a - b)[steps.length >> 1] ?? 1 / ((rate > 0 ? rate : 25) * tick)
  const [first = 0] = known
  const last = known.at(-1) ?? 0
  const origin = known.length === 0 ? 0 : pts[first] - first * usual
  const times = new Float64Array(pts.length)
  let next = 0
  for (const i of times.keys()) {
    while (next < known.length && known[next] < i) next++
    const [left, right] = [known[next - 1], known[next]]
    let time = i * usual
    if (known[next] === i) time = pts[i] - origin
    else if (left !== undefined && right !== undefined) {
      time = pts[left] + ((pts[right] - pts[left]) * (i - left)) / (right - left) - origin
    } else if (left !== undefined) time = pts[last] + (i - last) * usual - origin
    times[i] = time * tick
  }
  return times
}

/** Seconds by which a rounded time may lie beside its place. */
const ROUNDING = 2e-3

/** Steps by which a frame of an AVI file may: packets lie in numbered slots there, and one may be empty. */
const SLOTS = 1.05

/**
 * The rate at which frames are evenly spaced, the declared one where it is near; null where they are not.
 *
 * @param times seconds from the first frame; those that are not known (NaN) are passed over
 */
export function evenRate(times: Float64Array, declared: number, container: string): number | null {
  const rate = declared > 0 ? declared : 25
  const last = times.findLastIndex((time) => !Number.isNaN(time))
  if (!(last > 0 && times[last] > 0)) return rate
  const measured = last / times[last]
  const fps = Math.abs(measured / rate - 1) < 0.1 ? rate : measured
  const slack = container === "avi" ? SLOTS / fps : Math.min(ROUNDING, 0.25 / fps)
  return times.every((time, i) => !(Math.abs(time - i / fps) > slack)) ? fps : null
}
