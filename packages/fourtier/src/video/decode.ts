/**
 * Frames of a clip by number or time, as RGB.
 *
 * ```
 * open ── look through packets ── frame table (time of every frame) ── choose ── decode the stretches needed ── RGB, turned upright
 * ```
 *
 * Where every packet has its own time (MP4, Matroska, WebM, most AVI) frames are numbered by presentation time, and
 * decoding starts at the key frame before each wanted frame; frames on which nothing depends are skipped in between. A frame that
 * does not come out exactly is tried again from the key frame before, then from the file's start (`fill.ts`).
 * So are the packets of MPEG-PS/TS and raw streams, if they give as many frames as were measured; otherwise, and with MPEG-4 part 2
 * or packets without times, frames are numbered as they come out of the decoder (`fileindex.ts`).
 *
 * All functions here block: call them in a worker (see `pool.ts`) when anything else must go on meanwhile. Memory of the
 * codecs is given back when the event loop turns, so let it turn between many calls.
 * Pixels are those of `ffmpeg -pix_fmt rgb24`: BT.601 or BT.709 and range as flagged, alpha dropped, interlaced
 * frames as they are unless asked otherwise, no tone mapping, pixels taken as square.
 */

import { type FrameTimes, frameAt, type PictureSize } from "@fourtier/core/frames"
import { FourtierError } from "@fourtier/tensor"
import type { VideoFile } from "./backend.ts"
import { fillSlots, type SlotState } from "./fill.ts"
import { buildFrameTable, type FrameTable } from "./frametable.ts"
import { withOpenFile } from "./openfiles.ts"
import { PictureWriter } from "./picture-writer.ts"

/** What decoding needs to know of a clip; `Clip` has it all. */
export interface DecodableClip {
  path: string
  /** Window in seconds from the file's first frame. */
  start: number | null
  end: number | null
  /** Known counts, needed where packets carry no times; 0 when unknown. */
  frames: number
  fps: number
}

/** Which frames: numbers, times in seconds from the clip's start, or a function of all frame times (ascending). */
export type FramePick =
  | { indices: readonly number[] }
  | { times: readonly number[] }
  | ((frames: FrameTimes) => readonly number[])

export interface DecodeOptions {
  /** Scale while converting colours (bilinear with antialiasing): cheaper than afterwards. */
  size?: PictureSize
  /** Interlaced frames pass FFmpeg's deinterlacer `bwdif` (one whole frame for each); by default they stay as they are. */
  deinterlace?: boolean
}

export interface DecodedFrames {
  /** RGB, `[T, height, width, 3]`. */
  data: Uint8Array
  height: number
  width: number
  /** Number of the frame in each place, `[T]`: those asked for, held within the clip. */
  frameIndices: number[]
  /** Start of each frame, seconds from the clip's first frame, `[T]`. */
  times: number[]
  /**
   * Places that do not hold exactly the frame asked for: a neighbouring one, because the clip ends before it or it does not decode,
   * or the frame itself with decoding errors.
   */
  padded: number
}

/**
 * Decodes chosen frames of a clip. Duplicates and any order are allowed.
 *
 * @throws FourtierError when the file cannot be opened or not one of the frames decodes.
 *
 * @example
 * ```ts
 * import { clipOfFile, decodeFrames } from "fourtier/video"
 *
 * const { data, height, width } = decodeFrames(clipOfFile("jump.mp4"), { times: [0, 0.5, 1] }) // [3,height,width,3]
 * ```
 */
export function decodeFrames(clip: DecodableClip, pick: FramePick, options: DecodeOptions = {}): DecodedFrames {
  return withOpenFile(clip, options.deinterlace ?? false, (file) => {
    const table = buildFrameTable(file, clip)
    if (table.times.length === 0) throw nothingDecodes(clip)
    const asked = chooseFrames(pick, table)
    return decodeChosen(file, clip, table, asked, options)
  })
}

/**
 * When the frames of a file are shown, from its packets where they tell.
 * @throws FourtierError when the file cannot be opened or holds no frames
 *
 * @example
 * ```ts
 * import { frameTimesOf } from "fourtier/video"
 *
 * frameTimesOf("jump.mp4").duration // 2.04
 * ```
 */
export function frameTimesOf(path: string): FrameTimes {
  const clip = { path, start: null, end: null, frames: 0, fps: 0 }
  return withOpenFile(clip, false, (file) => {
    const { times, duration } = buildFrameTable(file, clip)
    if (times.length === 0) throw nothingDecodes(clip)
    return { times: Float64Array.from(times), duration }
  })
}

/** A frame on its way through: the pixels are good until the next one comes. */
export interface PassingFrame {
  index: number
  /** Start, seconds from the clip's first frame. */
  time: number
  /** RGB, `[height, width, 3]`. */
  data: Uint8Array
  width: number
  height: number
}

/**
 * Hands over every frame of a clip, in order, with one picture in memory. One that does not decode is replaced by the one before.
 *
 * @param onFrame may change the pixels; what it throws ends the pass
 * @returns the times of all frames, and the duration
 * @throws FourtierError when the file cannot be opened or not one of the frames decodes
 *
 * @example
 * ```ts
 * import { clipOfFile, eachFrame } from "fourtier/video"
 *
 * eachFrame(clipOfFile("jump.mp4"), ({ time, width, height }) => console.log(time, width, height))
 * ```
 */
export function eachFrame(
  clip: DecodableClip,
  onFrame: (frame: PassingFrame) => void,
  options: DecodeOptions = {},
): FrameTimes {
  return withOpenFile(clip, options.deinterlace ?? false, (file) => {
    const table = buildFrameTable(file, clip)
    const { times, duration } = table
    const picture = new PictureWriter(file.info, file.orientation, options.size)
    const { width, height } = picture
    const [held, data] = [new Uint8Array(width * height * 3), new Uint8Array(width * height * 3)]
    let next = 0
    const showUpTo = (end: number) => {
      for (; next < end; next++) {
        data.set(held)
        onFrame({ index: next, time: times[next], data, width, height })
      }
    }
    fillSlots(file, table, [...times.keys()], (frame, slot) => {
      if (slot < next) return
      // where the first frames do not decode, the first one that does stands for them
      if (next > 0) showUpTo(slot)
      picture.write(frame, held)
      showUpTo(slot + 1)
    })
    if (next === 0) throw nothingDecodes(clip)
    showUpTo(times.length)
    return { times, duration }
  })
}

/** Pixels that one call may return. */
const MAX_BYTES = 4 * 2 ** 30

function chooseFrames(pick: FramePick, table: FrameTable): readonly number[] {
  if (typeof pick === "function") return pick(table)
  if ("indices" in pick) return pick.indices
  const slack = 1e-6
  return pick.times.map((time) => (time >= table.duration ? table.times.length : frameAt(table.times, time + slack)))
}

function decodeChosen(
  file: VideoFile,
  clip: DecodableClip,
  table: FrameTable,
  asked: readonly number[],
  options: DecodeOptions,
): DecodedFrames {
  const last = table.times.length - 1
  const held = asked.map((index) => Math.min(last, Math.max(0, Math.trunc(index))))
  const picture = new PictureWriter(file.info, file.orientation, options.size)
  const { height, width } = picture
  const area = height * width * 3
  const wanted = [...new Set(held)].sort((a, b) => a - b)
  if (area * Math.max(asked.length, wanted.length) > MAX_BYTES) {
    throw new FourtierError({
      where: clip.path,
      what: "too many frames to hold in memory",
      expected: `${MAX_BYTES / 2 ** 30} GiB at most`,
      found: `${asked.length} frames of ${width}×${height}`,
      fix: "decode fewer frames, or scale while decoding",
    })
  }
  const frames = new Uint8Array(wanted.length * area)
  const slots = wanted.map((_, slot) => frames.subarray(slot * area, (slot + 1) * area))
  const state = fillSlots(file, table, wanted, (frame, slot) => picture.write(frame, slots[slot]))
  if (state.every((held) => held === "empty")) throw nothingDecodes(clip)
  fillGaps(state, slots)

  const slotOf = new Map(wanted.map((index, slot) => [index, slot]))
  const order = held.map((index) => slotOf.get(index) ?? 0)
  const inPlace = order.length === wanted.length && order.every((slot, place) => slot === place)
  let data = frames
  if (!inPlace) {
    data = new Uint8Array(order.length * area)
    for (const [place, slot] of order.entries()) data.set(slots[slot], place * area)
  }
  const padded = order.filter((slot, place) => state[slot] !== "exact" || held[place] !== asked[place]).length
  return { data, height, width, frameIndices: held, times: held.map((index) => table.times[index]), padded }
}

/** Copies the nearest filled slot, the earlier one first, into every empty one. */
function fillGaps(state: SlotState[], slots: readonly Uint8Array[]): void {
  const filled = state.map((held) => held !== "empty")
  for (const slot of state.keys()) {
    if (filled[slot]) continue
    const earlier = filled.lastIndexOf(true, slot)
    slots[slot].set(slots[earlier >= 0 ? earlier : filled.indexOf(true)])
    state[slot] = "neighbour"
  }
}

function nothingDecodes(clip: DecodableClip): FourtierError {
  const window =
    clip.start === null && clip.end === null
      ? ""
      : ` between ${clip.start ?? 0} s and ${clip.end === null ? "its end" : `${clip.end} s`}`
  return new FourtierError({
    where: clip.path,
    what: `no frame can be decoded${window}`,
    fix: "run `fourtier doctor` on the data",
  })
}
