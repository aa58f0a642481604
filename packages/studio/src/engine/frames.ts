/**
 * Frames of a file in the page: times from its packets, pixels from WebCodecs, brought to the size that the first step of a
 * transform asks for and turned upright.
 */

import { type FrameSource, type FrameTimes, type PictureSize, type Pictures, scaledSize } from "@fourtier/core/frames"
import {
  ALL_FORMATS,
  BlobSource,
  EncodedPacketSink,
  Input,
  type InputVideoTrack,
  type VideoSample,
  VideoSampleSink,
} from "mediabunny"
import { pictureOf } from "./scale.ts"
import { matrixOf, planesOf, type Siting, sitingOf } from "./yuv.ts"

/** A file that is open: close it when it is no longer needed. */
export interface OpenVideo {
  /** Of the upright picture. */
  width: number
  height: number
  /** Of the whole file: seconds from its first frame. */
  frames: FrameTimes
  /** The stretch from `start` to `end`, in seconds from the file's first frame, as a clip. */
  clip(start: number | null, end: number | null, size?: PictureSize): FrameSource
  close(): void
}

/** What is wrong with a file, in words for a person. */
export class UnreadableVideo extends Error {}

/** @throws UnreadableVideo that says what is wrong */
export async function openVideo(file: Blob): Promise<OpenVideo> {
  if (file.size === 0) throw new UnreadableVideo("the file is empty")
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS })
  try {
    const track = await input.getPrimaryVideoTrack().catch(() => {
      throw new UnreadableVideo("not a video of a kind that a page can read")
    })
    if (!track) throw new UnreadableVideo("no video in it")
    if (!(await track.canDecode()))
      throw new UnreadableVideo(`this browser cannot decode ${(await track.getCodec()) ?? "it"}`)
    return await openTrack(input, track)
  } catch (error) {
    input.dispose()
    throw error
  }
}

async function openTrack(input: Input, track: InputVideoTrack): Promise<OpenVideo> {
  const stamps: number[] = []
  let last = { at: Number.NEGATIVE_INFINITY, duration: 0 }
  for await (const { timestamp, duration } of new EncodedPacketSink(track).packets(undefined, undefined, {
    metadataOnly: true,
  })) {
    stamps.push(timestamp)
    if (timestamp > last.at) last = { at: timestamp, duration }
  }
  if (stamps.length === 0) throw new UnreadableVideo("no frame in it")
  stamps.sort((a, b) => a - b)
  const [first] = stamps
  const even = stamps.length > 1 ? (last.at - first) / (stamps.length - 1) : 0.04
  const frames = {
    times: Float64Array.from(stamps, (stamp) => stamp - first),
    duration: last.at - first + (last.duration > 0 ? last.duration : even),
  }
  const turned = (await track.getRotation()) % 180 !== 0
  const [width, height] = [await track.getCodedWidth(), await track.getCodedHeight()]
  const { matrix: named } = await track.getColorSpace()
  const siting = sitingOf(await track.getCodec())
  const sink = new VideoSampleSink(track)
  return {
    width: turned ? height : width,
    height: turned ? width : height,
    frames,
    clip(start, end, size) {
      const { from, to } = stretchOf(frames, start, end)
      const own = stamps.slice(from, to)
      const times = Float64Array.from(own, (stamp) => stamp - own[0])
      const stop = to < stamps.length ? stamps[to] : first + frames.duration
      return {
        times,
        duration: stop - own[0],
        read: (indices) => readFrames(sink, own, indices, { named: named ?? null, siting, size }),
      }
    },
    close: () => input.dispose(),
  }
}

/** Numbers of the frames between two moments, `to` excluded; one at least. */
function stretchOf({ times }: FrameTimes, start: number | null, end: number | null): { from: number; to: number } {
  const SLACK = 1e-4
  const after = start === null ? 0 : times.findIndex((time) => time >= start - SLACK)
  const from = after < 0 ? times.length - 1 : after
  const beyond = end === null ? -1 : times.findIndex((time) => time >= end - SLACK)
  return { from, to: Math.max(from + 1, beyond < 0 ? times.length : beyond) }
}

async function readFrames(
  sink: VideoSampleSink,
  stamps: readonly number[],
  indices: readonly number[],
  reading: Reading,
): Promise<Pictures> {
  const wanted = [...new Set(indices)].sort((a, b) => a - b)
  const found = new Map<number, Pictures>()
  let place = 0
  let before: Pictures | null = null
  for await (const sample of sink.samplesAtTimestamps(wanted.map((index) => stamps[index]))) {
    const picture: Pictures | null = sample ? await uprightOf(sample, reading) : before
    sample?.close()
    if (picture) found.set(wanted[place], picture)
    before = picture
    place++
  }
  const any = before ?? [...found.values()][0]
  if (!any) throw new UnreadableVideo("no frame can be decoded")
  const { width, height } = any
  const area = width * height * 3
  const data = new Uint8Array(indices.length * area)
  for (const [at, index] of indices.entries()) data.set((found.get(index) ?? any).data, at * area)
  return { data, count: indices.length, height, width }
}

/** How a file's pixels are to be read. */
interface Reading {
  /** The matrix that the file names; null: none. */
  named: string | null
  siting: Siting
  /** Of the upright picture. */
  size: PictureSize | undefined
}

/** One frame, upright, RGB. */
async function uprightOf(sample: VideoSample, { named, siting, size }: Reading): Promise<Pictures> {
  const planes = await planesOf(sample, matrixOf(named, sample.colorSpace.matrix), siting)
  const { rotation } = sample
  if (rotation === 0) return pictureOf(planes, size)
  const swaps = rotation % 180 !== 0
  const [wide, high] = swaps ? [planes.height, planes.width] : [planes.width, planes.height]
  const { width, height } = scaledSize(wide, high, size)
  return turned(pictureOf(planes, swaps ? { width: height, height: width } : { width, height }), rotation)
}

/** Turns a picture clockwise by 90, 180 or 270 degrees. */
export function turned({ data, count, width, height }: Pictures, degrees: number): Pictures {
  const swaps = degrees % 180 !== 0
  const [columns, rows] = swaps ? [height, width] : [width, height]
  const out = new Uint8Array(data.length)
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0; x < width; x++, from += 3) {
      const [X, Y] =
        degrees === 90 ? [height - 1 - y, x] : degrees === 180 ? [width - 1 - x, height - 1 - y] : [y, width - 1 - x]
      const to = (Y * columns + X) * 3
      out[to] = data[from]
      out[to + 1] = data[from + 1]
      out[to + 2] = data[from + 2]
    }
  }
  return { data: out, count, width: columns, height: rows }
}
