/**
 * RGB pictures to a video file: H.264 in MP4, each picture at its own time. All of it blocks: it is meant for a worker thread, such as
 * that of `annotate.ts`.
 */

import { renameSync, rmSync } from "node:fs"
import { resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { temporaryName } from "@fourtier/tensor/node"
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_OPT_SEARCH_CHILDREN,
  AV_OPT_TYPE_STRING,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_YUV420P,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_SMPTE170M,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  Codec,
  CodecContext,
  FF_ENCODER_LIBX264,
  FormatContext,
  Frame,
  Packet,
  Rational,
  SoftwareScaleContext,
} from "node-av"
import { checkCode } from "./rgb.ts"

export interface VideoEncoderOptions {
  /** Pixels. */
  width: number
  height: number
  /** Frames a second, about: times decide. 25 by default. */
  fps?: number
  /** Constant rate factor, 0 to 51: lower is better and larger. 20 by default. */
  crf?: number
  /** Threads of the encoder; as many as it likes by default. */
  threads?: number
}

/** Ticks a second, as MPEG counts them: fine enough for every frame rate. */
const CLOCK = 90_000

const PRESET = "veryfast"

/** Pictures a video may have on each side. */
const LARGEST_SIDE = 16_384

/**
 * Writes a video file picture by picture. The file appears at its path once it is whole. Odd sides are made even by repeating the
 * last row or column, as the colour planes need.
 *
 * @example
 * ```ts
 * import { VideoEncoder } from "fourtier/video"
 *
 * const encoder = VideoEncoder.open("grey.mp4", { width: 320, height: 240 })
 * const grey = new Uint8Array(240 * 320 * 3).fill(128)
 * for (let frame = 0; frame < 50; frame++) encoder.write(grey, frame / 25)
 * encoder.finish()
 * ```
 */
export class VideoEncoder {
  readonly path: string
  readonly #temporary: string
  readonly #size: { width: number; height: number }
  readonly #even: { width: number; height: number }
  readonly #fps: number
  readonly #output = new FormatContext()
  readonly #encoder = new CodecContext()
  readonly #scaler = new SoftwareScaleContext()
  readonly #packet = new Packet()
  /** The last picture: how long it lasts is known when the next one comes. */
  #held: Frame | null = null
  /** How long pictures last that the encoder holds, by their times: it does not tell. */
  readonly #durations = new Map<bigint, bigint>()
  #state: "open" | "failed" | "done" = "open"

  private constructor(path: string, { width, height, fps = 25, crf = 20, threads = 0 }: VideoEncoderOptions) {
    this.path = resolve(path)
    this.#temporary = temporaryName(this.path)
    this.#size = { width, height }
    this.#even = { width: width + (width % 2), height: height + (height % 2) }
    this.#fps = fps
    try {
      this.#begin(fps, crf, threads)
    } catch (error) {
      this.#free()
      rmSync(this.#temporary, { force: true })
      throw error
    }
  }

  #begin(fps: number, crf: number, threads: number): void {
    const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264)
    if (codec === null) {
      throw new FourtierError({
        where: this.path,
        what: "no encoder for H.264",
        fix: "reinstall node-av, with its binary",
      })
    }
    const check = (code: number) => this.#check(code)
    this.#packet.alloc()
    this.#scaler.allocContext()
    check(this.#output.allocOutputContext2(null, "mp4", this.#temporary))
    const stream = this.#output.newStream(null)
    const context = this.#encoder
    context.allocContext3(codec)
    context.width = this.#even.width
    context.height = this.#even.height
    context.pixelFormat = AV_PIX_FMT_YUV420P
    context.colorSpace = AVCOL_SPC_SMPTE170M
    context.colorRange = AVCOL_RANGE_MPEG
    context.timeBase = new Rational(1, CLOCK)
    context.framerate = new Rational(Math.max(1, Math.round(fps * 1000)), 1000)
    context.threadCount = threads
    context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER)
    // a Dictionary handed to open2Sync is freed twice by node-av 6.1
    for (const [key, value] of Object.entries({ preset: PRESET, crf: String(crf) })) {
      check(context.setOption(key, value, AV_OPT_TYPE_STRING, AV_OPT_SEARCH_CHILDREN))
    }
    check(context.open2Sync(codec))
    check(stream.codecpar.fromContext(context))
    stream.timeBase = context.timeBase
    stream.avgFrameRate = context.framerate
    check(this.#output.openOutputSync())
    check(this.#output.writeHeaderSync())
  }

  /** @throws FourtierError where the file cannot be written, and for sizes that a video cannot have */
  static open(path: string, options: VideoEncoderOptions): VideoEncoder {
    for (const side of [options.width, options.height]) {
      if (Number.isInteger(side) && side > 0 && side <= LARGEST_SIDE) continue
      const expected = `whole pixels, 1 to ${LARGEST_SIDE} on each side`
      const found = `${options.width}×${options.height}`
      throw new FourtierError({ where: path, what: "no size for a video", expected, found })
    }
    return new VideoEncoder(path, options)
  }

  /**
   * Adds a picture.
   * @param rgb `[height, width, 3]`; it may be changed afterwards
   * @param time seconds at which it is shown, later than the picture before
   */
  write(rgb: Uint8Array, time: number): void {
    const pts = this.#placeOf(rgb, time)
    this.#guarded(() => {
      const frame = this.#converted(rgb)
      frame.pts = pts
      const before = this.#held
      this.#held = frame
      if (before !== null) this.#send(before, pts - before.pts)
    })
  }

  /**
   * Ends the video, and puts the file at its path.
   * @param end seconds at which the last picture ends; default: it lasts as long as `fps` says
   */
  finish(end?: number): void {
    if (this.#state !== "open") throw this.#closed()
    this.#guarded(() => {
      const last = this.#held
      this.#held = null
      if (last === null) throw new FourtierError({ where: this.path, what: "a video without a picture" })
      const shown = BigInt(Math.round(CLOCK / this.#fps))
      const until = end === undefined ? last.pts + shown : BigInt(Math.round(end * CLOCK))
      this.#send(last, until > last.pts ? until - last.pts : shown)
      this.#check(this.#encoder.sendFrameSync(null))
      this.#drain()
      this.#check(this.#output.writeTrailerSync())
      this.#output.closeOutputSync()
      renameSync(this.#temporary, this.path)
    })
    this.#free()
    this.#state = "done"
  }

  /** Gives up: nothing is left behind. After `finish` it does nothing. */
  abort(): void {
    if (this.#state === "done") return
    this.#state = "done"
    this.#output.closeOutputSync()
    this.#free()
    rmSync(this.#temporary, { force: true })
  }

  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#state = "failed"
      this.abort()
      throw error
    }
  }

  /** The time in ticks, where such a picture may come at such a time. */
  #placeOf(rgb: Uint8Array, time: number): bigint {
    if (this.#state !== "open") throw this.#closed()
    const { width, height } = this.#size
    if (rgb.length !== width * height * 3) {
      throw new FourtierError({
        where: this.path,
        what: "a picture of another size than the video",
        expected: `${height}·${width}·3 bytes`,
        found: `${rgb.length}`,
      })
    }
    const pts = time >= 0 && Number.isFinite(time) ? BigInt(Math.round(time * CLOCK)) : -1n
    if (pts > (this.#held?.pts ?? -1n)) return pts
    throw new FourtierError({
      where: this.path,
      what: "pictures not in the order of their times",
      expected: this.#held === null ? "0 seconds or later" : `later than ${Number(this.#held.pts) / CLOCK} s`,
      found: `${time}`,
    })
  }

  #converted(rgb: Uint8Array): Frame {
    const { width, height } = this.#even
    const source = Frame.fromVideoBuffer(Buffer.from(padded(rgb, this.#size, this.#even)), {
      ...{ width, height, format: AV_PIX_FMT_RGB24, timeBase: { num: 1, den: CLOCK } },
    })
    const frame = new Frame()
    frame.alloc()
    frame.format = AV_PIX_FMT_YUV420P
    frame.width = width
    frame.height = height
    frame.colorSpace = AVCOL_SPC_SMPTE170M
    frame.colorRange = AVCOL_RANGE_MPEG
    try {
      this.#check(frame.getBuffer(0))
      this.#check(this.#scaler.scaleFrameSync(frame, source))
      return frame
    } catch (error) {
      frame.free()
      throw error
    } finally {
      source.free()
    }
  }

  #send(frame: Frame, duration: bigint): void {
    this.#durations.set(frame.pts, duration)
    try {
      this.#check(this.#encoder.sendFrameSync(frame))
    } finally {
      frame.free()
    }
    this.#drain()
  }

  #drain(): void {
    const [stream] = this.#output.streams
    for (;;) {
      const code = this.#encoder.receivePacketSync(this.#packet)
      if (code === AVERROR_EAGAIN || code === AVERROR_EOF) return
      this.#check(code)
      const { pts } = this.#packet
      this.#packet.streamIndex = stream.index
      this.#packet.duration = this.#durations.get(pts) ?? this.#packet.duration
      this.#durations.delete(pts)
      this.#packet.rescaleTs(this.#encoder.timeBase, stream.timeBase)
      this.#check(this.#output.interleavedWriteFrameSync(this.#packet))
    }
  }

  #check(code: number): void {
    checkCode(this.path, "the video cannot be written", code)
  }

  #closed(): FourtierError {
    return new FourtierError({ where: this.path, what: "the video is written, or given up" })
  }

  #free(): void {
    this.#held?.free()
    this.#held = null
    this.#packet.free()
    this.#scaler.freeContext()
    this.#encoder.freeContext()
    this.#output.freeContext()
  }
}

/** The picture with its last column and row repeated where a side is odd. */
function padded(
  rgb: Uint8Array,
  { width, height }: { width: number; height: number },
  even: { width: number; height: number },
): Uint8Array {
  if (even.width === width && even.height === height) return rgb
  const result = new Uint8Array(even.width * even.height * 3)
  for (let y = 0; y < even.height; y++) {
    const from = Math.min(y, height - 1) * width * 3
    const row = rgb.subarray(from, from + width * 3)
    result.set(row, y * even.width * 3)
    if (even.width > width) result.set(row.subarray(-3), (y * even.width + width) * 3)
  }
  return result
}
