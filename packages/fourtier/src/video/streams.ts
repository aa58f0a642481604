/**
 * Opens a container for its video alone: which stream is taken, what the container says of it. Other streams are neither probed
 * nor read.
 */

import { FourtierError, messageOf } from "@fourtier/tensor"
import {
  AV_DISPOSITION_ATTACHED_PIC,
  AV_DISPOSITION_DEFAULT,
  AV_NOPTS_VALUE,
  AV_PKT_DATA_DISPLAYMATRIX,
  type AVCodecID,
  AVDISCARD_ALL,
  AVDISCARD_DEFAULT,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_SUBTITLE,
  AVMEDIA_TYPE_VIDEO,
  avGetCodecName,
  Codec,
  Dictionary,
  FormatContext,
  InputFormat,
  type Stream,
} from "node-av"
import { CONTAINERS } from "./containers.ts"
import { type Orientation, orientationOf, UPRIGHT } from "./orientation.ts"
import { type Place, placeOf } from "./place.ts"
import { codeText } from "./rgb.ts"

/** Added to the pixels of a stream flagged as default, as `ffmpeg` does when it chooses a stream. */
const DEFAULT_BONUS = 5_000_000

/** Errors in a row after which a damaged file is taken to have ended. */
export const MAX_FAILURES = 32

/** What the container and the codec's parameters say. */
export interface StreamInfo {
  /** Pixels as stored, before rotation. */
  width: number
  height: number
  codec: string
  codecId: AVCodecID
  /** FFmpeg's name of the container format, for example "mov,mp4,m4a,3gp,3g2,mj2". */
  container: string
  orientation: Orientation
  /** Seconds of one tick of the stream's clock. */
  tick: number
  /** Declared mean rate, 0 when unknown. */
  rate: number
  /** Frames the container declares, 0 when it does not say. */
  declaredFrames: number
  /** Seconds the container declares for this stream, or else for the file; 0 when unknown. */
  declaredSeconds: number
  /** Frames that the decoder holds back to bring them into order. */
  delay: number
  /** Sizes of the file's other video streams, "640×480"; the codec of one that begins too late for its size to be known. */
  others: string[]
}

/**
 * @throws FourtierError when the file cannot be opened or holds no video stream
 */
export function openStream(path: string): { format: FormatContext; stream: Stream } {
  const format = openContainer(path, placeAt(path))
  try {
    const stream = chooseStream(format)
    if (stream === undefined) {
      throw new FourtierError({ where: path, what: "no video stream", found: "only audio or other data" })
    }
    if (!(stream.codecpar.width > 0 && stream.codecpar.height > 0)) {
      throw new FourtierError({ where: path, what: "the video stream has no frame size" })
    }
    for (const other of format.streams) if (other.index !== stream.index) other.discard = AVDISCARD_ALL
    stream.discard = AVDISCARD_DEFAULT
    return { format, stream }
  } catch (error) {
    format.closeInputSync()
    throw error
  }
}

function openContainer(path: string, { file, start, size, member, sequence }: Place): FormatContext {
  const format = new FormatContext()
  const options = new Dictionary()
  options.set("format_whitelist", sequence === undefined ? CONTAINERS : "image2")
  if (sequence !== undefined) {
    options.set("pattern_type", "none")
    options.set("framerate", `${sequence.rate}`)
  }
  options.set("codec_whitelist", videoDecoders())
  options.set("protocol_whitelist", "file,subfile")
  // FFmpeg's name of it: a member of an archive is a range of the archive's bytes
  const address = member ? `subfile,,start,${start},end,${start + size},,:${file}` : file
  const demuxer = sequence === undefined ? null : InputFormat.findInputFormat("image2")
  const opened = format.openInputSync(address, demuxer, options)
  options.free()
  if (opened < 0) throw new FourtierError({ where: path, what: "cannot be opened as video", found: codeText(opened) })
  for (const stream of format.streams) {
    const type = stream.codecpar.codecType
    if (type === AVMEDIA_TYPE_AUDIO || type === AVMEDIA_TYPE_SUBTITLE) stream.discard = AVDISCARD_ALL
  }
  const found = format.findStreamInfoSync(null)
  if (found < 0) {
    format.closeInputSync()
    throw new FourtierError({ where: path, what: "the streams cannot be read", found: codeText(found) })
  }
  return format
}

function placeAt(path: string): Place {
  try {
    return placeOf(path)
  } catch (error) {
    throw new FourtierError(
      { where: path, what: "cannot be opened as video", found: messageOf(error) },
      { cause: error },
    )
  }
}

let whitelist = ""

/** Names of all video decoders: looking through a file's streams opens no other. */
export function videoDecoders(): string {
  whitelist ||= Codec.getCodecList()
    .filter((codec) => codec.isDecoder() && codec.type === AVMEDIA_TYPE_VIDEO)
    .map(({ name }) => name)
    .join(",")
  return whitelist
}

/** The stream that `ffmpeg` takes: the most pixels, one flagged as default before others; never a cover picture. */
export function chooseStream(format: FormatContext): Stream | undefined {
  const score = ({ codecpar, disposition }: Stream) =>
    codecpar.width * codecpar.height + ((disposition & AV_DISPOSITION_DEFAULT) !== 0 ? DEFAULT_BONUS : 0)
  return format.streams.filter(isVideo).reduce<Stream | undefined>((best, stream) => {
    return best === undefined || score(stream) > score(best) ? stream : best
  }, undefined)
}

function isVideo(stream: Stream): boolean {
  return stream.codecpar.codecType === AVMEDIA_TYPE_VIDEO && (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) === 0
}

/** What is known of a stream before any of its packets is read. */
export function describeStream(format: FormatContext, stream: Stream): StreamInfo {
  const parameters = stream.codecpar
  const tick = stream.timeBase.toDouble()
  const rate = stream.avgFrameRate.num > 0 ? stream.avgFrameRate.toDouble() : stream.rFrameRate.toDouble()
  const own = ticks(stream.duration)
  const whole = ticks(format.duration)
  const matrix = parameters.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX)
  return {
    width: parameters.width,
    height: parameters.height,
    codec: avGetCodecName(parameters.codecId) ?? "unknown",
    codecId: parameters.codecId,
    container: format.iformat?.name ?? "unknown",
    orientation: matrix === null ? UPRIGHT : orientationOf(matrix),
    tick,
    rate: Number.isFinite(rate) && rate > 0 ? rate : 0,
    declaredFrames: Number(stream.nbFrames),
    declaredSeconds: own !== null && own > 0 ? own * tick : whole !== null && whole > 0 ? whole / 1e6 : 0,
    delay: parameters.videoDelay,
    others: format.streams
      .filter((other) => isVideo(other) && other.index !== stream.index)
      .map(({ codecpar: { width, height, codecId } }) =>
        width > 0 ? `${width}×${height}` : (avGetCodecName(codecId) ?? "one without a size"),
      ),
  }
}

/** A time in ticks, null where there is none. */
export function ticks(value: bigint): number | null {
  return value === AV_NOPTS_VALUE ? null : Number(value)
}
