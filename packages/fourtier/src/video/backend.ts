/**
 * Talks to `node-av` (bindings of FFmpeg's libraries); besides it only `rgb.ts` does. Everything here is synchronous and meant for a
 * worker thread: one file open at a time, one codec thread.
 *
 * ```
 * file ── demux ── packets (times, key flags; kept in memory up to a limit) ── decode a range ── swscale ── RGB24
 * ```
 */

import { resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import {
  AV_DISPOSITION_ATTACHED_PIC,
  AV_LOG_QUIET,
  AV_NOPTS_VALUE,
  AV_PKT_DATA_DISPLAYMATRIX,
  AV_PKT_FLAG_CORRUPT,
  AV_PKT_FLAG_DISCARD,
  AV_PKT_FLAG_KEY,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_FLAG_BACKWARD,
  avGetCodecName,
  Codec,
  CodecContext,
  Dictionary,
  FormatContext,
  Frame,
  Log,
  Packet,
  type Stream,
} from "node-av"
import { type Orientation, orientationOf, UPRIGHT } from "./orientation.ts"
import { checkCode, codeText, RgbConverter } from "./rgb.ts"

Log.setLevel(AV_LOG_QUIET)

/** Demuxers that may open a file: those of video files, none that follows a play list to other files or hosts. */
const CONTAINERS =
  "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,live_flv,asf,gif,ogg,h264,hevc,vvc,obu,av1,ivf,nut,mjpeg,rm,mxf,wtv,dv,yuv4mpegpipe,mp3,wav,flac,aac,3gp,apng,webp_anim,swf,vc1,vc1test,cavsvideo,dirac,h263,h261"

/** Compressed bytes kept in memory between looking through a file and decoding it. Larger files are read twice. */
const KEEP_BYTES = 64 * 2 ** 20

/** Seconds before a window's start at which a key frame is looked for, one after the other. */
const SEEK_MARGINS = [0, 2, 10]

/** Errors in a row after which a damaged file is taken to have ended. */
const MAX_FAILURES = 32

/** What the container and the codec's parameters say. */
export interface StreamInfo {
  /** Pixels as stored, before rotation. */
  width: number
  height: number
  codec: string
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
}

/** One packet of the video stream, in decode order. */
export interface PacketEntry {
  /** Presentation time in ticks, null where the container has none. */
  pts: number | null
  dts: number | null
  /** Ticks. */
  duration: number
  key: boolean
  /** Shows no frame of its own: cut away by an edit list, or an invisible VP8 frame. */
  hidden: boolean
  /** Cut short in the file. */
  corrupt: boolean
}

/** A decoded frame, valid only during the call that hands it over. */
export interface DecodedFrame {
  /** Presentation time in ticks, null where there is none. */
  pts: number | null
  /** Writes RGB24 rows `[height, width, 3]` of the stored (not rotated) picture, scaled to the given size. */
  writeRgb(target: Uint8Array, width: number, height: number): void
}

/** An open video file: its packets, and frames of any range of them. Close it when done. */
export class VideoFile {
  readonly path: string
  readonly info: StreamInfo
  /** Filled by `readPackets`. */
  packets: PacketEntry[] = []
  #format: FormatContext
  #stream: Stream
  readonly #index: number
  readonly #keepBytes: number
  #decoder: CodecContext | null = null
  #kept: Packet[] | null = null
  #fresh = true
  #window: { start: number; end: number } | null = null
  #packet = new Packet()
  #frame = new Frame()
  #converter: RgbConverter | null = null

  private constructor(path: string, format: FormatContext, stream: Stream, keepBytes: number) {
    this.#keepBytes = keepBytes
    this.path = path
    this.#format = format
    this.#stream = stream
    this.#index = stream.index
    this.info = describe(format, stream)
    this.#packet.alloc()
    this.#frame.alloc()
  }

  /**
   * @param keepBytes how much of the file's packets may stay in memory between looking through it and decoding
   * @throws FourtierError when the file cannot be opened or holds no video stream
   */
  static open(path: string, keepBytes: number = KEEP_BYTES): VideoFile {
    const absolute = resolve(path)
    const format = openContainer(absolute)
    try {
      const index = format.findBestStream(AVMEDIA_TYPE_VIDEO)
      const stream = index < 0 ? undefined : format.streams[index]
      if (stream === undefined || (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) !== 0) {
        throw new FourtierError({ where: absolute, what: "no video stream", found: "only audio or other data" })
      }
      if (!(stream.codecpar.width > 0 && stream.codecpar.height > 0)) {
        throw new FourtierError({ where: absolute, what: "the video stream has no frame size" })
      }
      return new VideoFile(absolute, format, stream, keepBytes)
    } catch (error) {
      format.closeInputSync()
      throw error
    }
  }

  /**
   * Looks through the file's packets without decoding. With a window (seconds from the stream's first frame) it seeks
   * to a key frame before the start and stops after the end.
   */
  readPackets(window: { start: number; end: number } | null = null): PacketEntry[] {
    this.#window = window
    this.#dropKept()
    this.packets = []
    this.#kept = []
    let bytes = 0
    for (const packet of this.#demux()) {
      this.packets.push(this.#entry(packet))
      bytes += packet.size
      if (bytes > this.#keepBytes) this.#dropKept()
      if (this.#kept !== null) {
        const copy = packet.clone()
        if (copy !== null) this.#kept.push(copy)
      }
    }
    return this.packets
  }

  /**
   * Decodes packets `first..last` (places in `packets`) and hands over every frame in presentation order.
   *
   * @param wanted places of packets whose frames must come; when given, frames on which no other frame depends are
   *   skipped elsewhere (H.264, HEVC, MPEG-4, MPEG-2). Null decodes everything.
   * @param onFrame returns false to stop.
   */
  decode(
    first: number,
    last: number,
    wanted: ReadonlySet<number> | null,
    onFrame: (frame: DecodedFrame) => boolean,
  ): void {
    const decoder = this.#openDecoder()
    let skipping = false
    let place = 0
    let going = true
    for (const packet of this.#kept ?? this.#demux()) {
      const here = place++
      if (here < first) continue
      if (here > last) break
      const skip = wanted !== null && !wanted.has(here)
      if (skip !== skipping) {
        decoder.setOption("skip_frame", skip ? "noref" : "default")
        skipping = skip
      }
      const sent = decoder.sendPacketSync(packet)
      if (sent < 0 && sent !== AVERROR_EAGAIN && sent !== AVERROR_EOF) continue
      going = this.#receive(decoder, onFrame)
      if (!going) break
    }
    if (going) {
      decoder.sendPacketSync(null)
      this.#receive(decoder, onFrame)
    }
    decoder.setOption("skip_frame", "default")
    decoder.flushBuffers()
  }

  close(): void {
    this.#dropKept()
    this.#converter?.close()
    this.#decoder?.freeContext()
    this.#packet.free()
    this.#frame.free()
    this.#format.closeInputSync()
  }

  #receive(decoder: CodecContext, onFrame: (frame: DecodedFrame) => boolean): boolean {
    for (let failures = 0; failures < MAX_FAILURES; ) {
      const result = decoder.receiveFrameSync(this.#frame)
      if (result === AVERROR_EAGAIN || result === AVERROR_EOF) return true
      if (result < 0) {
        failures++
        continue
      }
      const pts = ticks(this.#frame.pts) ?? ticks(this.#frame.bestEffortTimestamp)
      const writeRgb = (target: Uint8Array, width: number, height: number) => {
        this.#converter ??= new RgbConverter()
        this.#converter.convert(this.#frame, target, width, height, this.path)
      }
      const more = onFrame({ pts, writeRgb })
      this.#frame.unref()
      if (!more) return false
    }
    return true
  }

  /** Packets of the video stream from the start (of the window); each is valid until the next one is asked for. */
  *#demux(): Generator<Packet> {
    this.#rewind()
    const base = this.startTicks
    const stop = this.#window === null ? Number.POSITIVE_INFINITY : base + this.#window.end / this.info.tick
    let failures = 0
    for (;;) {
      const result = this.#format.readFrameSync(this.#packet)
      if (result === AVERROR_EOF) return
      if (result < 0) {
        if (++failures > MAX_FAILURES) return
        continue
      }
      try {
        if (this.#packet.streamIndex !== this.#index || this.#packet.size === 0) continue
        const dts = ticks(this.#packet.dts)
        if (dts !== null && dts > stop) return
        yield this.#packet
      } finally {
        this.#packet.unref()
      }
    }
  }

  /** Places the demuxer at the start, or at a key frame shown no later than the window's start. */
  #rewind(): void {
    if (!this.#fresh) this.#reopen()
    this.#fresh = false
    const start = this.#window?.start ?? 0
    const base = this.startTicks
    for (const margin of SEEK_MARGINS) {
      if (start - margin <= 0) return
      const target = BigInt(Math.floor(base + (start - margin) / this.info.tick))
      if (this.#format.seekFrameSync(this.#index, target, AVSEEK_FLAG_BACKWARD) < 0) break
      const landed = this.#peekKey()
      if (landed !== null && landed <= base + start / this.info.tick) {
        if (this.#format.seekFrameSync(this.#index, target, AVSEEK_FLAG_BACKWARD) >= 0) return
        break
      }
    }
    if (start > 0) this.#reopen()
  }

  #reopen(): void {
    this.#format.closeInputSync()
    this.#format = openContainer(this.path)
    const stream = this.#format.streams[this.#index]
    if (stream === undefined) throw new FourtierError({ where: this.path, what: "the file changed while it was read" })
    this.#stream = stream
  }

  /** The first frame's presentation time in ticks, as the container says. */
  get startTicks(): number {
    return ticks(this.#stream.startTime) ?? 0
  }

  /** Presentation time of the next video packet if it is a key frame. */
  #peekKey(): number | null {
    for (let i = 0; i < 1000; i++) {
      if (this.#format.readFrameSync(this.#packet) < 0) return null
      const mine = this.#packet.streamIndex === this.#index
      const found = mine && (this.#packet.flags & AV_PKT_FLAG_KEY) !== 0 ? ticks(this.#packet.pts) : null
      this.#packet.unref()
      if (mine) return found
    }
    return null
  }

  #entry(packet: Packet): PacketEntry {
    const flags = packet.flags
    return {
      pts: ticks(packet.pts),
      dts: ticks(packet.dts),
      duration: Number(packet.duration),
      key: (flags & AV_PKT_FLAG_KEY) !== 0,
      corrupt: (flags & AV_PKT_FLAG_CORRUPT) !== 0,
      hidden: (flags & AV_PKT_FLAG_DISCARD) !== 0 || (this.info.codec === "vp8" && !showsVp8Frame(packet)),
    }
  }

  #openDecoder(): CodecContext {
    if (this.#decoder !== null) return this.#decoder
    const parameters = this.#stream.codecpar
    const codec = Codec.findDecoder(parameters.codecId)
    if (codec === null) {
      throw new FourtierError({ where: this.path, what: "no decoder for this codec", found: this.info.codec })
    }
    const decoder = new CodecContext()
    decoder.allocContext3(codec)
    this.#decoder = decoder
    checkCode(this.path, "the decoder rejects the stream's parameters", decoder.parametersToContext(parameters))
    decoder.threadCount = 1
    decoder.pktTimebase = this.#stream.timeBase
    checkCode(this.path, `the ${this.info.codec} decoder cannot be opened`, decoder.open2Sync(codec, null))
    return decoder
  }

  #dropKept(): void {
    for (const packet of this.#kept ?? []) packet.free()
    this.#kept = null
  }
}

function openContainer(path: string): FormatContext {
  const format = new FormatContext()
  const options = new Dictionary()
  options.set("format_whitelist", CONTAINERS)
  options.set("protocol_whitelist", "file")
  const opened = format.openInputSync(path, null, options)
  options.free()
  if (opened < 0) throw new FourtierError({ where: path, what: "cannot be opened as video", found: codeText(opened) })
  const found = format.findStreamInfoSync(null)
  if (found < 0) {
    format.closeInputSync()
    throw new FourtierError({ where: path, what: "the streams cannot be read", found: codeText(found) })
  }
  return format
}

function describe(format: FormatContext, stream: Stream): StreamInfo {
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
    container: format.iformat?.name ?? "unknown",
    orientation: matrix === null ? UPRIGHT : orientationOf(matrix),
    tick,
    rate: Number.isFinite(rate) && rate > 0 ? rate : 0,
    declaredFrames: Number(stream.nbFrames),
    declaredSeconds: own !== null && own > 0 ? own * tick : whole !== null && whole > 0 ? whole / 1e6 : 0,
  }
}

/** VP8 frame header: the fifth bit says whether the frame is shown (RFC 6386, 9.1). */
function showsVp8Frame(packet: Packet): boolean {
  const first = packet.data?.[0]
  return first === undefined || (first & 0x10) !== 0
}

function ticks(value: bigint): number | null {
  return value === AV_NOPTS_VALUE ? null : Number(value)
}
