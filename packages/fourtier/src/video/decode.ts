/**
 * Frames of a clip by number or time, as RGB.
 *
 * ```
 * open ── look through packets ── frame table (time of every frame) ── choose ── decode the stretches needed ── RGB, turned upright
 * ```
 *
 * Where every packet has its own time (MP4, Matroska, WebM, most AVI) frames are numbered by presentation time, and
 * decoding starts at the key frame before each wanted frame; frames on which nothing depends are skipped in between.
 * MPEG-PS/TS, raw streams and packets without times are decoded from the start and frames numbered as they come out.
 *
 * All functions here block: call them in a worker (see `pool.ts`) when anything else must go on meanwhile. Memory of the
 * codecs is given back when the event loop turns, so let it turn between many calls.
 * Pixels are those of `ffmpeg -pix_fmt rgb24`: BT.601 or BT.709 and range as flagged, alpha dropped, no deinterlacing,
 * no tone mapping, pixels taken as square.
 */

import { type FrameTimes, frameAt, type PictureSize, scaledSize } from "@fourtier/core/frames"
import { FourtierError } from "@fourtier/tensor"
import { VideoFile } from "./backend.ts"
import { buildFrameTable, type FrameTable } from "./frametable.ts"
import { orient, swapsSides, UPRIGHT } from "./orientation.ts"

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
  /** Places that hold a neighbouring frame, because the clip ends before the frame asked for or that one does not decode. */
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
  const file = VideoFile.open(clip.path)
  try {
    const table = buildFrameTable(file, clip)
    if (table.times.length === 0) throw nothingDecodes(clip)
    const asked = chooseFrames(pick, table)
    return decodeChosen(file, clip, table, asked, options)
  } finally {
    file.close()
  }
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
  const picture = new PictureWriter(file, options.size)
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
  const state =
    table.places === null
      ? fillInOrder(file, table, wanted, slots, picture)
      : fillBySeeking(file, table.places, wanted, slots, picture)
  if (!state.includes("exact") && !state.includes("neighbour")) throw nothingDecodes(clip)
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

/** Whether a slot holds the frame asked for, one beside it, or nothing yet. */
type SlotState = "exact" | "neighbour" | "empty"

function fillBySeeking(
  file: VideoFile,
  places: Int32Array,
  wanted: readonly number[],
  slots: readonly Uint8Array[],
  picture: PictureWriter,
): SlotState[] {
  const state = wanted.map((): SlotState => "empty")
  for (const stretch of stretches(file, places, wanted)) {
    const targets = stretch.slots.map((slot) => ({ slot, pts: file.packets[places[wanted[slot]]].pts ?? 0 }))
    let next = 0
    file.decode(stretch.first, stretch.last, new Set(stretch.slots.map((slot) => places[wanted[slot]])), (frame) => {
      if (frame.pts === null) return true
      while (next < targets.length && frame.pts >= targets[next].pts) {
        const { slot, pts } = targets[next++]
        picture.write(frame, slots[slot])
        state[slot] = frame.pts === pts ? "exact" : "neighbour"
      }
      return next < targets.length
    })
  }
  return state
}

/** Runs of packets to decode: from the key frame before the first wanted frame to the last wanted frame's packet. */
function stretches(
  file: VideoFile,
  places: Int32Array,
  wanted: readonly number[],
): { first: number; last: number; slots: number[] }[] {
  const runs: { first: number; last: number; slots: number[] }[] = []
  for (const [slot, index] of wanted.entries()) {
    const place = places[index]
    const pts = file.packets[place].pts ?? 0
    let first = place
    while (first > 0 && !(file.packets[first].key && (file.packets[first].pts ?? Infinity) <= pts)) first--
    const run = runs.at(-1)
    if (run?.first === first) {
      run.last = Math.max(run.last, place)
      run.slots.push(slot)
    } else runs.push({ first, last: place, slots: [slot] })
  }
  return runs
}

function fillInOrder(
  file: VideoFile,
  table: FrameTable,
  wanted: readonly number[],
  slots: readonly Uint8Array[],
  picture: PictureWriter,
): SlotState[] {
  const state = wanted.map((): SlotState => "empty")
  let count = 0
  let next = 0
  file.decode(0, Number.POSITIVE_INFINITY, null, (frame) => {
    const index = count++ - table.offset
    if (index === wanted[next]) {
      picture.write(frame, slots[next])
      state[next++] = "exact"
    }
    return next < wanted.length
  })
  return state
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

/** Converts decoded frames to upright RGB of one size. */
class PictureWriter {
  readonly width: number
  readonly height: number
  readonly #file: VideoFile
  readonly #stored: { width: number; height: number }
  readonly #scratch: Uint8Array | null

  constructor(file: VideoFile, size?: PictureSize) {
    this.#file = file
    const { width, height, orientation } = file.info
    const upright = swapsSides(orientation) ? { width: height, height: width } : { width, height }
    const scaled = scaledSize(upright.width, upright.height, size)
    this.width = scaled.width
    this.height = scaled.height
    this.#stored = swapsSides(orientation) ? { width: scaled.height, height: scaled.width } : scaled
    const turned = Object.entries(UPRIGHT).some(([key, value]) => Reflect.get(orientation, key) !== value)
    this.#scratch = turned ? new Uint8Array(scaled.width * scaled.height * 3) : null
  }

  write(frame: { writeRgb(target: Uint8Array, width: number, height: number): void }, target: Uint8Array): void {
    const { width, height } = this.#stored
    frame.writeRgb(this.#scratch ?? target, width, height)
    if (this.#scratch !== null) orient(this.#scratch, target, width, height, this.#file.info.orientation)
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
