/** Frames to a video file, in process (FFmpeg through node-av): H.264 in MP4 or VP9 in WebM. */

import { rename, rm } from "node:fs/promises"
import { FourtierError } from "@fourtier/tensor"
import { temporaryName } from "@fourtier/tensor/node"
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_LOG_ERROR,
  AV_OPT_SEARCH_CHILDREN,
  AV_OPT_TYPE_STRING,
  AV_PIX_FMT_YUV420P,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVFMT_FLAG_BITEXACT,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
} from "node-av/constants"
import { Codec, CodecContext, FFmpegError, FormatContext, Frame, Log, Packet, Rational } from "node-av/lib"

export interface EncodingOptions {
  width: number
  height: number
  /** Whole frames a second. */
  fps: number
  codec: "h264" | "vp9"
  /** Constant rate factor: lower is better. H.264: 18 to 32, VP9: 24 to 45. */
  crf: number
}

const encoders = {
  h264: { name: FF_ENCODER_LIBX264, format: "mp4", options: { preset: "veryfast" } },
  vp9: { name: FF_ENCODER_LIBVPX_VP9, format: "webm", options: { deadline: "realtime", "cpu-used": "8", b: "0" } },
} as const

/**
 * Encodes planar YUV 4:2:0 frames (`width·height·3/2` bytes each, BT.601, limited range) and renames the file to `path`
 * once it is whole. One codec thread. The bytes may differ between processors; the frames handed in do not.
 */
export async function encodeVideo(path: string, frames: Iterable<Uint8Array>, options: EncodingOptions): Promise<void> {
  const temporary = temporaryName(path)
  try {
    writeVideo(temporary, frames, options)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

function writeVideo(path: string, frames: Iterable<Uint8Array>, options: EncodingOptions): void {
  const { name, format, options: defaults } = encoders[options.codec]
  const encoder = Codec.findEncoderByName(name)
  if (!encoder) {
    throw new FourtierError({ where: path, what: `no ${name} encoder`, fix: "reinstall node-av, with its binary" })
  }
  Log.setLevel(AV_LOG_ERROR)
  const output = new FormatContext()
  const context = new CodecContext()
  const packet = new Packet()
  try {
    check(output.allocOutputContext2(null, format, path), path)
    // no random track numbers: equal frames, equal files
    output.setFlags(AVFMT_FLAG_BITEXACT)
    const stream = output.newStream(null)
    context.allocContext3(encoder)
    context.width = options.width
    context.height = options.height
    context.pixelFormat = AV_PIX_FMT_YUV420P
    context.timeBase = new Rational(1, options.fps)
    context.framerate = new Rational(options.fps, 1)
    context.gopSize = 48
    context.threadCount = 1
    context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER)
    // A Dictionary handed to open2Sync is freed twice by node-av 6.1: private options are set one by one.
    for (const [key, value] of Object.entries({ ...defaults, crf: String(options.crf) })) {
      check(context.setOption(key, value, AV_OPT_TYPE_STRING, AV_OPT_SEARCH_CHILDREN), path)
    }
    check(context.open2Sync(encoder), path)
    check(stream.codecpar.fromContext(context), path)
    stream.timeBase = context.timeBase
    stream.avgFrameRate = context.framerate
    check(output.openOutputSync(), path)
    check(output.writeHeaderSync(), path)
    packet.alloc()
    const drain = () => {
      for (;;) {
        const status = context.receivePacketSync(packet)
        if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return
        check(status, path)
        packet.streamIndex = stream.index
        packet.duration = 1n
        packet.rescaleTs(context.timeBase, stream.timeBase)
        check(output.interleavedWriteFrameSync(packet), path)
      }
    }
    let pts = 0n
    for (const data of frames) {
      const frame = Frame.fromVideoBuffer(Buffer.from(data.buffer, data.byteOffset, data.byteLength), {
        width: options.width,
        height: options.height,
        format: AV_PIX_FMT_YUV420P,
        timeBase: { num: 1, den: options.fps },
      })
      frame.pts = pts++
      check(context.sendFrameSync(frame), path)
      frame.free()
      drain()
    }
    check(context.sendFrameSync(null), path)
    drain()
    check(output.writeTrailerSync(), path)
    output.closeOutputSync()
  } finally {
    packet.free()
    context.freeContext()
    output.freeContext()
  }
}

function check(status: number, path: string): void {
  if (status >= 0) return
  throw new FourtierError(
    { where: path, what: "cannot be encoded", found: new FFmpegError(status).message },
    { cause: new FFmpegError(status) },
  )
}
