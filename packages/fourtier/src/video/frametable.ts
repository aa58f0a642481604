/** The frame table: how many frames a clip has, when each is shown and in which packet it lies. */

import type { PacketEntry, VideoFile } from "./backend.ts"

export interface FrameTable {
  /** Start of every frame, seconds from the clip's first frame, ascending. */
  times: Float64Array
  /** Seconds from the first frame's start to the last frame's end. */
  duration: number
  /** Packet of every frame; null where frames must be counted as they are decoded. */
  places: Int32Array | null
  /** Frames of the file before the clip's first one; 0 where `places` is given. */
  offset: number
}

export interface TableClip {
  start: number | null
  end: number | null
  frames: number
  fps: number
}

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
 * Where frames must be counted, the clip's own `frames` and `fps` (as measured by `probe.ts`) are believed; without
 * them the whole file is decoded once to count.
 */
export function buildFrameTable(file: VideoFile, clip: TableClip): FrameTable {
  const streamed = STREAMED.has(file.info.container) || UNEVEN.has(file.info.codec)
  if (!streamed) {
    const window =
      clip.start === null && clip.end === null ? null : { start: clip.start ?? 0, end: clip.end ?? Infinity }
    const table = tableFromTimes(file.readPackets(window), file.info.tick, file.startTicks, file.info.rate, window)
    if (table !== null) return table
  }
  file.readPackets()
  return countedTable(file, clip)
}

function tableFromTimes(
  packets: readonly PacketEntry[],
  tick: number,
  base: number,
  rate: number,
  window: { start: number; end: number } | null,
): FrameTable | null {
  const shown = packets.flatMap((packet, place) =>
    packet.hidden ? [] : [{ place, pts: packet.pts, duration: packet.duration }],
  )
  const firstKey = packets.find((packet) => packet.key)?.pts
  if (firstKey === undefined || firstKey === null) return null
  const timed: { place: number; pts: number; duration: number }[] = []
  for (const { place, pts, duration } of shown) {
    if (pts === null) return null
    if (pts >= firstKey) timed.push({ place, pts, duration })
  }
  timed.sort((a, b) => a.pts - b.pts)
  if (timed.some((entry, i) => i > 0 && entry.pts === timed[i - 1].pts)) return null
  const inside = window === null ? timed : timed.filter(({ pts }) => isInside((pts - base) * tick, window))
  if (inside.length === 0) return { times: new Float64Array(), duration: 0, places: new Int32Array(), offset: 0 }
  const origin = inside[0].pts
  const times = Float64Array.from(inside, ({ pts }) => (pts - origin) * tick)
  const final = inside[inside.length - 1].duration * tick
  const step = times.length > 1 ? times[times.length - 1] / (times.length - 1) : rate > 0 ? 1 / rate : 0.04
  const lastStep = final > 0 && final < 10 * step ? final : step
  return {
    times,
    duration: times[times.length - 1] + lastStep,
    places: Int32Array.from(inside, ({ place }) => place),
    offset: 0,
  }
}

/** Tolerates rounding of written times: a frame belongs to the window when it starts in it, to a tenth of a millisecond. */
function isInside(time: number, window: { start: number; end: number }): boolean {
  return time >= window.start - 1e-4 && time < window.end - 1e-4
}

function countedTable(file: VideoFile, clip: TableClip): FrameTable {
  if (clip.frames > 0 && clip.fps > 0) {
    const offset = clip.start === null ? 0 : Math.max(0, Math.ceil((clip.start - 1e-4) * clip.fps))
    return evenTable(clip.frames, clip.fps, offset)
  }
  let total = 0
  let first: number | null = null
  let last: number | null = null
  file.decode(0, Number.POSITIVE_INFINITY, null, ({ pts }) => {
    total++
    if (pts !== null) {
      first ??= pts
      last = pts
    }
    return true
  })
  const rate = file.info.rate > 0 ? file.info.rate : 25
  const seconds = first === null || last === null ? 0 : (last - first) * file.info.tick
  const measured = total > 1 && seconds > 0 ? (total - 1) / seconds : rate
  const fps = Math.abs(measured / rate - 1) < 0.1 ? rate : measured
  const offset = clip.start === null ? 0 : Math.min(total, Math.max(0, Math.ceil((clip.start - 1e-4) * fps)))
  const stop = clip.end === null ? total : Math.min(total, Math.ceil((clip.end - 1e-4) * fps))
  return evenTable(Math.max(0, stop - offset), fps, offset)
}

function evenTable(frames: number, fps: number, offset: number): FrameTable {
  return {
    times: Float64Array.from({ length: frames }, (_, i) => i / fps),
    duration: frames / fps,
    places: null,
    offset,
  }
}
