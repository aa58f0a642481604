/**
 * Key-frame strips: K frames of a clip side by side, in time order, without gaps, as one JPEG `[H, W·K]`. The frames are
 * the centres of K equal segments.
 */

import {
  type Area,
  type Corners,
  type FrameTimes,
  heldBox,
  keyFrameIndices,
  type Pictures,
  repeatedFrames,
  resize,
} from "@fourtier/core/frames"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import sharp from "sharp"
import { type DecodableClip, decodeFrames } from "./decode.ts"

export interface StripOptions {
  /** Key frames, 5 by default. */
  frames?: number
  /** Pixels; the frames' own height by default. */
  height?: number
  /** JPEG quality, 1 to 100; 90 by default. */
  quality?: number
  /** Part of each frame that is shown, as shares of it: around one person. All of it by default. */
  region?: Corners
  /** Text noted in a strip that is written, for whoever reads the file. */
  comment?: string
}

/** A clip with its picture size, as `Manifest` has it. */
export interface StripClip extends DecodableClip {
  width: number
  height: number
}

export interface Strip {
  jpeg: Buffer
  width: number
  height: number
  /** Numbers of the frames taken, `[K]`. */
  keyFrames: number[]
  /** Places of the strip that hold a neighbouring frame, or one repeated because the clip has too few. */
  padded: number
}

/** JPEG has 16 bits for each side. */
const MAX_JPEG_SIDE = 65_500

/**
 * Makes a strip in memory. Decoding blocks the thread; see `strips.ts` for many.
 *
 * @example
 * ```ts
 * import { clipOfFile, makeStrip } from "fourtier/video"
 *
 * const { jpeg, keyFrames } = await makeStrip(clipOfFile("jump.mp4"), { frames: 5, height: 192 })
 * ```
 */
export async function makeStrip(clip: StripClip, options: StripOptions = {}): Promise<Strip> {
  const { frames: count = 5, height: wanted, quality = 90, region } = options
  const size =
    wanted === undefined || region !== undefined
      ? undefined
      : { height: wanted, width: Math.max(1, Math.round((clip.width * wanted) / clip.height)) }
  let repeated = 0
  const pick = (frames: FrameTimes) => {
    const indices = keyFrameIndices(frames, count)
    repeated = repeatedFrames([indices], frames.times.length)
    return indices
  }
  const decoded = decodeFrames(clip, pick, { size })
  const pictures = { ...decoded, count: decoded.frameIndices.length }
  const { data, width, height } = region === undefined ? pictures : cutOut(pictures, region, wanted, clip.path)
  const row = width * 3
  const whole = width * count
  if (whole > MAX_JPEG_SIDE) {
    throw new FourtierError({
      where: clip.path,
      what: "the strip is too wide for a JPEG",
      expected: `${MAX_JPEG_SIDE} pixels at most`,
      found: `${count} frames of ${width} pixels`,
      fix: "set a smaller height or fewer frames",
    })
  }
  const joined = new Uint8Array(whole * height * 3)
  for (let y = 0; y < height; y++) {
    for (let k = 0; k < count; k++) {
      const from = (k * height + y) * row
      joined.set(data.subarray(from, from + row), (y * count + k) * row)
    }
  }
  try {
    const raw = { width: whole, height, channels: 3 as const }
    const jpeg = await sharp(joined, { raw }).jpeg({ quality }).toBuffer()
    return { jpeg, width: whole, height, keyFrames: decoded.frameIndices, padded: decoded.padded + repeated }
  } catch (error) {
    throw new FourtierError(
      { where: clip.path, what: "the strip cannot be encoded", found: messageOf(error) },
      { cause: error },
    )
  }
}

/** The region of every picture, `height` pixels high; as high as it is in them by default. */
function cutOut(pictures: Pictures, region: Corners, height: number | undefined, where: string): Pictures {
  const [x1, y1, x2, y2] = heldBox(region, where)
  const [left, right] = [Math.floor(x1 * pictures.width), Math.ceil(x2 * pictures.width)]
  const [top, bottom] = [Math.floor(y1 * pictures.height), Math.ceil(y2 * pictures.height)]
  const area: Area = { x: left, y: top, width: right - left, height: bottom - top }
  const tall = height ?? area.height
  return resize(pictures, Math.max(1, Math.round((area.width * tall) / area.height)), tall, area)
}

/**
 * Makes a strip and writes it to `path`, whole or not at all.
 *
 * @example
 * ```ts
 * import { clipOfFile, writeStrip } from "fourtier/video"
 *
 * await writeStrip(clipOfFile("jump.mp4"), "strips/jump.jpg", { frames: 5 })
 * ```
 */
export async function writeStrip(clip: StripClip, path: string, options: StripOptions = {}): Promise<Strip> {
  const strip = await makeStrip(clip, options)
  await writeFileAtomic(path, options.comment === undefined ? strip.jpeg : withComment(strip.jpeg, options.comment))
  return strip
}

/**
 * A JPEG with a comment (ITU-T T.81, B.2.4.5) as its first segment.
 *
 * @example
 * ```ts
 * import { clipOfFile, makeStrip, withComment } from "fourtier/video"
 *
 * const { jpeg } = await makeStrip(clipOfFile("jump.mp4"))
 * withComment(jpeg, "five frames").length // the JPEG's and fifteen bytes
 * ```
 */
export function withComment(jpeg: Buffer, comment: string): Buffer {
  const text = Buffer.from(comment)
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xfe, 0, 0])
  head.writeUInt16BE(text.length + 2, 4)
  return Buffer.concat([head, text, jpeg.subarray(2)])
}
