/** The frame table: how many frames a clip has, when each is shown and in which packet it lies. */

import type { VideoFile } from "./backend.ts"
import { evenRate, type FileIndex, indexOf } from "./fileindex.ts"
import type { PacketEntry } from "./packets.ts"

export interface FrameTable {
  /** Start of every frame, seconds from the clip's first frame, ascending. */
  times: Float64Array
  /** Seconds from the first frame's start to the last frame's end. */
  duration: number
  /** Packet of every frame; null where frames must be counted as they are decoded. */
  places: Int32Array | null
  /** Frames of the file before the clip's first one; 0 where `places` is given. */
  offset: number
  /** All frames of the file, where it had to be decoded to number them. */
  index: FileIndex | null
}

export interface TableClip {
  start: number | null
  end: number | null
  frames: number
  fps: number
}

type TimeWindow = { start: number; end: number }

/** Containers whose key flags and times do not tell where decoding can start. */
const STREAMED = new Set([
  "mpegts",
  "mpeg",
  "mpegvideo",
  "m4v",
  "h264",
  "hevc",
  "vvc",
  "obu",
  "h261",
  "h263",
  "vc1",
  "mjpeg",
])

/** Codecs whose packets may hold no frame or two. */
const UNEVEN = new Set([
  "mpeg4",
  "msmpeg4v1",
  "msmpeg4v2",
  "msmpeg4v3",
  "h263",
  "flv1",
  "wmv1",
  "wmv2",
  "rv10",
  "rv20",
  "rv30",
  "rv40",
])

/**
 * Looks through a file's packets and numbers its frames.
 *
 * Where packets do not tell (MPEG-PS/TS, raw streams, MPEG-4 part 2, packets without presentation times), they are believed if
 * they give as many frames as the clip has (`frames` and `fps`, as measured by `probe.ts`). Without such a measure, or where it
 * contradicts them, the whole file is decoded once.
 */
export function buildFrameTable(file: VideoFile, clip: TableClip): FrameTable {
  const { container, codec } = file.info
  const window = clip.start === null && clip.end === null ? null : { start: clip.start ?? 0, end: clip.end ?? Infinity }
  if (!STREAMED.has(container) && !UNEVEN.has(codec)) {
    let packets = file.readPackets(window)
    if (!file.atStart && flagsReordered(packets)) packets = file.allPackets()
    const table = lacksOffsets(packets, file) ? null : tableFromTimes(packets, file, window, file.startTicks)
    if (table !== null) return table
  }
  const packets = file.allPackets()
  if (clip.frames > 0 && clip.fps > 0) {
    const table = believedTable(packets, file, clip, window)
    if (table !== null) return table
  }
  return tableOfIndex(indexOf(file), file, window)
}

/** H.264 and others with reordered frames whose packets carry no presentation times of their own, only decoding times. */
function lacksOffsets(packets: readonly PacketEntry[], file: VideoFile): boolean {
  return file.info.delay > 0 && packets.every(({ pts, dts }) => pts === null || pts === dts)
}

/** Whether frames are flagged as key frames that are shown before others decoded earlier: then seeking may land anywhere. */
function flagsReordered(packets: readonly PacketEntry[]): boolean {
  let latest = Number.NEGATIVE_INFINITY
  return packets.some(({ pts, key }) => {
    const early = key && pts !== null && pts < latest
    latest = Math.max(latest, pts ?? latest)
    return early
  })
}

function tableFromTimes(
  packets: readonly PacketEntry[],
  file: VideoFile,
  window: TimeWindow | null,
  base: number | null,
): FrameTable | null {
  const { tick } = file.info
  const firstKey = packets.find((packet) => packet.key)?.pts
  if (firstKey === undefined || firstKey === null) return null
  const timed: { place: number; pts: number; duration: number }[] = []
  for (const [place, { pts, duration, hidden }] of packets.entries()) {
    if (hidden) continue
    if (pts === null) return null
    if (pts >= firstKey) timed.push({ place, pts, duration })
  }
  timed.sort((a, b) => a.pts - b.pts)
  if (timed.some((entry, i) => i > 0 && entry.pts === timed[i - 1].pts)) return null
  const from = base ?? timed[0]?.pts ?? 0
  const inside = window === null ? timed : timed.filter(({ pts }) => isInside((pts - from) * tick, window))
  if (inside.length === 0) return emptyTable(new Int32Array())
  const origin = inside[0].pts
  const times = Float64Array.from(inside, ({ pts }) => (pts - origin) * tick)
  const end = inside[inside.length - 1].duration * tick
  return {
    times,
    duration: endOf(times, end, (origin - from) * tick, file, window),
    places: Int32Array.from(inside, ({ place }) => place),
    offset: 0,
    index: null,
  }
}

function emptyTable(places: Int32Array | null): FrameTable {
  return { times: new Float64Array(), duration: 0, places, offset: 0, index: null }
}

/**
 * When the last frame ends. A last frame many times longer than others is believed where the container's whole duration says so
 * too, up to the window's end.
 *
 * @param last seconds that it says to be shown, 0 when unknown
 * @param origin seconds from the file's first frame to the clip's
 */
function endOf(times: Float64Array, last: number, origin: number, file: VideoFile, window: TimeWindow | null): number {
  const { rate, declaredSeconds } = file.info
  const start = times[times.length - 1]
  const step = times.length > 1 ? start / (times.length - 1) : rate > 0 ? 1 / rate : 0.04
  if (!(last > 0)) return start + step
  if (last < 10 * step) return start + last
  if (origin + start + last > declaredSeconds + step) return start + step
  return Math.min(start + last, Math.max(start + step, (window?.end ?? Infinity) - origin))
}

/** Tolerates rounding of written times: a frame belongs to the window when it starts in it, to a tenth of a millisecond. */
function isInside(time: number, window: TimeWindow): boolean {
  return time >= window.start - 1e-4 && time < window.end - 1e-4
}

/** What packets say of a clip that was measured, where both agree on the number of frames. */
function believedTable(
  packets: readonly PacketEntry[],
  file: VideoFile,
  clip: TableClip,
  window: TimeWindow | null,
): FrameTable | null {
  const { codec, container } = file.info
  const table = lacksOffsets(packets, file) ? null : tableFromTimes(packets, file, window, null)
  if (table !== null && table.times.length === clip.frames) {
    const even = evenRate(table.times, clip.fps, container) === clip.fps ? evenTable(clip.frames, clip.fps, 0) : table
    const { times, duration } = even
    if (!UNEVEN.has(codec)) return { ...table, times, duration }
    if (window === null) return { times, duration, places: null, offset: 0, index: null }
  }
  if (window !== null) return null
  const decoding = packets.flatMap(({ dts, hidden }) =>
    hidden ? [] : [dts === null ? Number.NaN : dts * file.info.tick],
  )
  const origin = decoding.find((time) => !Number.isNaN(time)) ?? 0
  const even = evenRate(
    Float64Array.from(decoding, (time) => time - origin),
    clip.fps,
    container,
  )
  return even === clip.fps ? evenTable(clip.frames, clip.fps, 0) : null
}

/** The frames of a window of a file that was decoded. */
function tableOfIndex(index: FileIndex, file: VideoFile, window: TimeWindow | null): FrameTable {
  const { times, fps } = index
  const total = times.length
  if (fps !== null) {
    const offset = window === null ? 0 : Math.min(total, Math.ceil((window.start - 1e-4) * fps))
    const stop = window === null ? total : Math.min(total, Math.ceil((window.end - 1e-4) * fps))
    const first = Math.max(0, offset)
    return { ...evenTable(Math.max(0, stop - first), fps, first), index }
  }
  const inside = (time: number) => window === null || isInside(time, window)
  const first = times.findIndex(inside)
  if (first < 0) return emptyTable(null)
  const after = times.findIndex((time, i) => i > first && !inside(time))
  const own = times.slice(first, after < 0 ? total : after).map((time) => time - times[first])
  const last = after < 0 ? index.lastStep : times[after] - times[after - 1]
  return { times: own, duration: endOf(own, last, times[first], file, window), places: null, offset: first, index }
}

function evenTable(frames: number, fps: number, offset: number): FrameTable {
  return {
    times: Float64Array.from({ length: frames }, (_, i) => i / fps),
    duration: frames / fps,
    places: null,
    offset,
    index: null,
  }
}
