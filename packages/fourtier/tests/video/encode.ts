/** Writes small video files with node-av's encoders, for tests and benchmarks. */

import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_OPT_SEARCH_CHILDREN,
  AV_OPT_TYPE_STRING,
  AV_PIX_FMT_RGB24,
  AV_PKT_DATA_DISPLAYMATRIX,
  type AVColorRange,
  type AVColorSpace,
  type AVPixelFormat,
  avGetPixFmtFromName,
  Codec,
  CodecContext,
  FFmpegError,
  FormatContext,
  Frame,
  Packet,
  Rational,
  SoftwareScaleContext,
} from "node-av"

export interface EncodeRecipe {
  /** FFmpeg's name of the encoder, libx264 by default. */
  codec?: string
  width?: number
  height?: number
  frames?: number
  fps?: number
  pixelFormat?: string
  /** Options of the codec's context and private options, for example `{ g: "10", bf: "2" }`. */
  options?: Record<string, string>
  /** Place of each frame on a clock of 1/1000 s; even by default. */
  times?: (frame: number) => number
  /** With `times`: how long the last frame lasts, on the same clock. Without B-frames only. */
  lastDuration?: number
  /** YUV matrix and range, written into the stream and used to make its pixels. */
  color?: { space: AVColorSpace; range: AVColorRange }
  /** Degrees clockwise by which players must turn the picture. */
  rotation?: number
  /** Fills the RGB rows `[height, width, 3]` of a frame; each row takes `stride` bytes. */
  paint: (frame: number, pixels: Uint8Array, stride: number) => void
}

/** Writes a clip; the ending of the path chooses the container. */
export function encodeClip(path: string, recipe: EncodeRecipe): string {
  const { codec: name = "libx264", width = 64, height = 48, frames = 30, fps = 25, pixelFormat = "yuv420p" } = recipe
  mkdirSync(dirname(path), { recursive: true })
  const format = new FormatContext()
  check(format.allocOutputContext2(null, null, path))
  const codec = Codec.getCodecList().find((one) => one.name === name && one.isEncoder())
  if (codec === undefined) throw new Error(`no encoder ${name}`)
  const encoder = new CodecContext()
  encoder.allocContext3(codec)
  encoder.width = width
  encoder.height = height
  encoder.pixelFormat = avGetPixFmtFromName(pixelFormat)
  encoder.timeBase = recipe.times === undefined ? new Rational(1, fps) : new Rational(1, 1000)
  encoder.framerate = new Rational(fps, 1)
  encoder.threadCount = 1
  if (recipe.color !== undefined) {
    encoder.colorSpace = recipe.color.space
    encoder.colorRange = recipe.color.range
  }
  encoder.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER)
  for (const [option, value] of Object.entries(recipe.options ?? {})) {
    check(encoder.setOption(option, value, AV_OPT_TYPE_STRING, AV_OPT_SEARCH_CHILDREN))
  }
  check(encoder.open2Sync(codec, null))
  const stream = format.newStream(null)
  check(stream.codecpar.fromContext(encoder))
  stream.timeBase = encoder.timeBase
  stream.avgFrameRate = new Rational(fps, 1)
  if (recipe.rotation !== undefined) {
    stream.codecpar.addCodedSideData(AV_PKT_DATA_DISPLAYMATRIX, displayMatrix(recipe.rotation))
  }
  check(format.openOutputSync())
  check(format.writeHeaderSync(null))
  const packet = new Packet()
  packet.alloc()
  let written = 0
  const drain = () => {
    while (encoder.receivePacketSync(packet) >= 0) {
      packet.streamIndex = 0
      written++
      if (recipe.lastDuration !== undefined && written === frames) packet.duration = BigInt(recipe.lastDuration)
      if (packet.duration === 0n && recipe.times === undefined) packet.duration = 1n
      packet.rescaleTs(encoder.timeBase, stream.timeBase)
      check(format.interleavedWriteFrameSync(packet))
    }
  }
  const scaler = new SoftwareScaleContext()
  scaler.allocContext()
  for (let i = 0; i < frames; i++) {
    const picture = emptyFrame(width, height, AV_PIX_FMT_RGB24)
    const pixels = picture.data?.[0]
    if (pixels === undefined) throw new Error("a frame without pixels")
    recipe.paint(i, pixels, picture.linesize[0])
    const frame = emptyFrame(width, height, encoder.pixelFormat)
    if (recipe.color !== undefined) {
      frame.colorSpace = recipe.color.space
      frame.colorRange = recipe.color.range
    }
    check(scaler.scaleFrameSync(frame, picture))
    frame.pts = BigInt(recipe.times?.(i) ?? i)
    check(encoder.sendFrameSync(frame))
    frame.free()
    picture.free()
    drain()
  }
  check(encoder.sendFrameSync(null))
  drain()
  check(format.writeTrailerSync())
  format.closeOutputSync()
  scaler.freeContext()
  encoder.freeContext()
  packet.free()
  format.freeContext()
  return path
}

function emptyFrame(width: number, height: number, format: AVPixelFormat): Frame {
  const frame = new Frame()
  frame.alloc()
  frame.format = format
  frame.width = width
  frame.height = height
  check(frame.getBuffer(0))
  return frame
}

/** Rotation clockwise by quarter turns, 16.16 fixed point, as MP4's track header holds it. */
function displayMatrix(degrees: number): Buffer {
  const matrix = Buffer.alloc(36)
  const cosine = Math.round(Math.cos((degrees * Math.PI) / 180))
  const sine = Math.round(Math.sin((degrees * Math.PI) / 180))
  for (const [place, value] of [
    [0, cosine * 65_536],
    [1, sine * 65_536],
    [3, -sine * 65_536],
    [4, cosine * 65_536],
    [8, 0x40000000],
  ]) {
    matrix.writeInt32LE(value, place * 4)
  }
  return matrix
}

function check(code: number): void {
  if (code < 0) throw new Error(`node-av: ${FFmpegError.strerror(code)}`)
}
