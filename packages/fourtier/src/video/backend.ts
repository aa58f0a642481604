/**
 * Talks to `node-av` (bindings of FFmpeg's libraries); besides it only `streams.ts`, `passage.ts`, `rgb.ts`, `deinterlace.ts` and
 * `encode.ts` do. Everything here is synchronous and meant for a worker: one codec thread.
 *
 * ```
 * file ── demux ── packets (times, key flags; kept in memory up to a limit) ── decode a range ── swscale ── RGB24
 * ```
 */

import { resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import {
  AV_LOG_QUIET,
  AV_PKT_DATA_NEW_EXTRADATA,
  AV_PKT_FLAG_CORRUPT,
  AV_PKT_FLAG_DISCARD,
  AV_PKT_FLAG_KEY,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVSEEK_FLAG_BACKWARD,
  Codec,
  CodecContext,
  type FormatContext,
  Frame,
  Log,
  Packet,
  type Stream,
} from "node-av"
import { Deinterlacer } from "./deinterlace.ts"
import { orientationMessage, temporalLayer } from "./headers.ts"
import { type Orientation, UPRIGHT } from "./orientation.ts"
import { type DecodedFrame, Passage } from "./passage.ts"
import { checkCode, RgbConverter } from "./rgb.ts"
import { describeStream, openStream, type StreamInfo, ticks } from "./streams.ts"
import { TimeBridge } from "./timebase.ts"

Log.setLevel(AV_LOG_QUIET)

/** Compressed bytes kept in memory between looking through a file and decoding it. Larger files are read twice. */
const KEEP_BYTES = 64 * 2 ** 20

/** Seconds before a window's start at which a key frame is looked for, one after the other. */
const SEEK_MARGINS = [0, 2, 10]

/** Errors in a row after which a damaged file is taken to have ended. */
const MAX_FAILURES = 32

/** Codecs whose first packet may hold parameters and messages that later key frames do not repeat. */
const STATEFUL = new Set(["h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"])

/** Containers in which a change of the codec's parameters is announced once and lost by seeking past it. */
const UNSEEKABLE = new Set(["flv", "live_flv"])

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
  /** Brings new parameters for the decoder. */
  changes: boolean
}

/** What to decode: packets `first..last` (places in `packets`). */
export interface Run {
  first: number
  last: number
  /**
   * Places of packets whose frames must come; when given, frames on which no other frame depends are skipped elsewhere (H.264,
   * HEVC, MPEG-4, MPEG-2). Null decodes everything.
   */
  wanted: ReadonlySet<number> | null
  /** Never through the deinterlacer. */
  plain?: boolean
  /** Only whether frames decode is asked: pixels may lack the loop filter. */
  quick?: boolean
}

export interface OpenOptions {
  /** How much of the file's packets may stay in memory between looking through it and decoding. */
  keepBytes?: number
  /** Frames flagged as interlaced pass FFmpeg's `bwdif`. */
  deinterlace?: boolean
}

/** An open video file: its packets, and frames of any range of them. Close it when done. */
export class VideoFile {
  readonly path: string
  readonly info: StreamInfo
  /** Filled by `readPackets`. */
  packets: PacketEntry[] = []
  /** Whether `packets` begins with the file's first one. */
  atStart = true
  /** Breaks in the stream's clock that were bridged, as of the last pass over the whole file. */
  breaks = 0
  /** Every frame of a run must be decoded and shown to the filter, with its neighbours. */
  readonly deinterlace: boolean
  #format: FormatContext
  #stream: Stream
  readonly #index: number
  readonly #keepBytes: number
  #decoder: CodecContext | null = null
  /** Place of the packet whose parameters the decoder holds; -1: those of the container. */
  #parameters = -1
  #kept: Packet[] | null = null
  /** The file's first packet. */
  #opening: Packet | null = null
  /** It was read to be kept, and has not been handed on yet. */
  #pending = false
  #layered = false
  #fresh = true
  #window: { start: number; end: number } | null = null
  #packet = new Packet()
  #frame = new Frame()
  #converter: RgbConverter | null = null

  private constructor(path: string, format: FormatContext, stream: Stream, options: OpenOptions) {
    this.#keepBytes = options.keepBytes ?? KEEP_BYTES
    this.deinterlace = options.deinterlace ?? false
    this.path = path
    this.#format = format
    this.#stream = stream
    this.#index = stream.index
    this.info = describeStream(format, stream)
    this.#packet.alloc()
    this.#frame.alloc()
  }

  /** @throws FourtierError when the file cannot be opened or holds no video stream */
  static open(path: string, options: OpenOptions = {}): VideoFile {
    const absolute = resolve(path)
    const { format, stream } = openStream(absolute)
    try {
      return new VideoFile(absolute, format, stream, options)
    } catch (error) {
      format.closeInputSync()
      throw error
    }
  }

  /** How frames are turned: as the container says, or else the first packet. Known once packets are read. */
  get orientation(): Orientation {
    const { orientation, codec } = this.info
    if (orientation !== UPRIGHT || this.#opening?.data == null) return orientation
    return orientationMessage(codec, this.#opening.data) ?? orientation
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
    this.#parameters = -1
    this.#closeDecoder()
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

  /** All packets of the file, read once. */
  allPackets(): PacketEntry[] {
    return this.holdsAll ? this.packets : this.readPackets()
  }

  /** Whether `packets` are all of the file's. */
  get holdsAll(): boolean {
    return this.#window === null && this.packets.length > 0
  }

  /**
   * Decodes a run of packets and hands over its frames in presentation order.
   *
   * @param onFrame returns false to stop.
   * @returns false when decoding cannot begin at the run's first packet although it is flagged as a key frame: nothing was handed
   *   over then
   */
  decode({ first, last, wanted, plain, quick }: Run, onFrame: (frame: DecodedFrame) => boolean): boolean {
    const decoder = this.#enter(first)
    const filter = this.deinterlace && plain !== true ? new Deinterlacer(this.path, this.#stream.timeBase) : null
    const skips = wanted !== null && !this.#layered && filter === null
    const entry = first === 0 && this.atStart ? null : (this.packets[first]?.pts ?? null)
    const convert = (frame: Frame, target: Uint8Array, width: number, height: number) => {
      this.#converter ??= new RgbConverter()
      this.#converter.convert(frame, target, width, height, this.path)
    }
    const passage = new Passage(convert, entry, onFrame)
    if (quick === true) decoder.setOption("skip_loop_filter", "all")
    let skipping = false
    let place = 0
    let going = true
    try {
      for (const packet of this.#kept ?? this.#demux()) {
        const here = place++
        if (here < first) continue
        if (here > last) break
        if (this.packets[here]?.changes) this.#parameters = here
        const skip = skips && here !== first && !wanted.has(here)
        if (skip !== skipping) {
          decoder.setOption("skip_frame", skip ? "noref" : "default")
          skipping = skip
        }
        const sent = decoder.sendPacketSync(packet)
        if (sent < 0 && sent !== AVERROR_EAGAIN && sent !== AVERROR_EOF) continue
        passage.fed = here + 1
        going = this.#receive(decoder, passage, filter)
        if (!going) break
      }
      if (going) {
        decoder.sendPacketSync(null)
        if (this.#receive(decoder, passage, filter)) filter?.finish((frame) => passage.hand(frame))
      }
    } finally {
      filter?.close()
      decoder.setOption("skip_frame", "default")
      if (quick === true) decoder.setOption("skip_loop_filter", "default")
      decoder.flushBuffers()
    }
    return passage.trusted
  }

  close(): void {
    this.#dropKept()
    this.#opening?.free()
    this.#converter?.close()
    this.#closeDecoder()
    this.#packet.free()
    this.#frame.free()
    this.#format.closeInputSync()
  }

  #receive(decoder: CodecContext, passage: Passage, filter: Deinterlacer | null): boolean {
    for (let failures = 0; failures < MAX_FAILURES; ) {
      const result = decoder.receiveFrameSync(this.#frame)
      if (result === AVERROR_EAGAIN || result === AVERROR_EOF) return true
      if (result < 0) {
        failures++
        continue
      }
      const more =
        passage.admits(this.#frame) &&
        (filter === null ? passage.hand(this.#frame) : filter.push(this.#frame, (frame) => passage.hand(frame)))
      this.#frame.unref()
      if (!more) return false
    }
    return true
  }

  /** The decoder, with all that stands before place `first` and still holds there. */
  #enter(first: number): CodecContext {
    const parameters = this.packets.findLastIndex(({ changes }, place) => changes && place <= first)
    if (parameters < 0 && this.#parameters >= 0) this.#closeDecoder()
    const opened = this.#decoder === null
    const decoder = this.#openDecoder()
    if (opened && !(first === 0 && this.atStart) && this.#opening !== null && STATEFUL.has(this.info.codec)) {
      this.#learn(decoder, this.#opening)
    }
    if (parameters >= 0 && parameters !== this.#parameters && parameters !== first) {
      const packet = this.#packetAt(parameters)
      if (packet !== null) this.#learn(decoder, packet)
      packet?.free()
    }
    this.#parameters = parameters
    return decoder
  }

  /** Lets the decoder read a packet's headers, and decode nothing of it. */
  #learn(decoder: CodecContext, packet: Packet): void {
    decoder.setOption("skip_frame", "all")
    decoder.sendPacketSync(packet)
    while (decoder.receiveFrameSync(this.#frame) >= 0) this.#frame.unref()
    decoder.flushBuffers()
    decoder.setOption("skip_frame", "default")
  }

  #packetAt(wanted: number): Packet | null {
    let place = 0
    for (const packet of this.#kept ?? this.#demux()) if (place++ === wanted) return packet.clone()
    return null
  }

  /** Packets of the video stream from the start (of the window); each is valid until the next one is asked for. */
  *#demux(): Generator<Packet> {
    this.#rewind()
    if (this.atStart && this.#opening !== null && this.#window !== null && this.#pending) yield this.#opening
    this.#pending = false
    const bridge = new TimeBridge(this.info.container, this.info.tick)
    const stop = this.#window === null ? Number.POSITIVE_INFINITY : this.startTicks + this.#window.end / this.info.tick
    while (this.#readPacket()) {
      try {
        if (this.#opening === null) this.#opening = this.#packet.clone()
        moveTimes(this.#packet, bridge)
        const dts = ticks(this.#packet.dts)
        if (dts !== null && dts > stop) return
        yield this.#packet
      } finally {
        this.#packet.unref()
      }
    }
    this.breaks = bridge.breaks
  }

  /** Reads up to the next packet of the stream; false at the end. */
  #readPacket(): boolean {
    for (let failures = 0; failures <= MAX_FAILURES; ) {
      const result = this.#format.readFrameSync(this.#packet)
      if (result === AVERROR_EOF) return false
      if (result < 0) failures++
      else if (this.#packet.streamIndex === this.#index && this.#packet.size > 0) return true
      else this.#packet.unref()
    }
    return false
  }

  /** Places the demuxer at the start, or at a key frame shown no later than the window's start. */
  #rewind(): void {
    if (!this.#fresh) this.#reopen()
    this.#fresh = false
    this.atStart = true
    const start = this.#window?.start ?? 0
    if (start <= 0 || UNSEEKABLE.has(this.info.container)) return
    if (this.#opening === null && this.#readPacket()) {
      this.#opening = this.#packet.clone()
      this.#packet.unref()
      this.#pending = true
    }
    const base = this.startTicks
    for (const margin of SEEK_MARGINS) {
      if (start - margin <= 0) break
      const target = BigInt(Math.floor(base + (start - margin) / this.info.tick))
      if (this.#format.seekFrameSync(this.#index, target, AVSEEK_FLAG_BACKWARD) < 0) break
      this.#pending = false
      const landed = this.#peekKey()
      if (landed !== null && landed <= base + start / this.info.tick) {
        if (this.#format.seekFrameSync(this.#index, target, AVSEEK_FLAG_BACKWARD) < 0) break
        this.atStart = false
        return
      }
    }
    if (!this.#pending) this.#reopen()
  }

  #reopen(): void {
    this.#format.closeInputSync()
    const { format, stream } = openStream(this.path)
    this.#format = format
    this.#stream = stream
    this.#pending = false
    if (stream.index !== this.#index)
      throw new FourtierError({ where: this.path, what: "the file changed while it was read" })
  }

  /** The first frame's presentation time in ticks, as the container says. */
  get startTicks(): number {
    return ticks(this.#stream.startTime) ?? 0
  }

  /** Presentation time of the next video packet if it is a key frame. */
  #peekKey(): number | null {
    if (!this.#readPacket()) return null
    const found = (this.#packet.flags & AV_PKT_FLAG_KEY) !== 0 ? ticks(this.#packet.pts) : null
    this.#packet.unref()
    return found
  }

  #entry(packet: Packet): PacketEntry {
    const { flags } = packet
    if (this.info.codec === "hevc" && !this.#layered && packet.data !== null)
      this.#layered = temporalLayer(packet.data) > 0
    return {
      pts: ticks(packet.pts),
      dts: ticks(packet.dts),
      duration: Number(packet.duration),
      key: (flags & AV_PKT_FLAG_KEY) !== 0,
      corrupt: (flags & AV_PKT_FLAG_CORRUPT) !== 0,
      hidden: (flags & AV_PKT_FLAG_DISCARD) !== 0 || (this.info.codec === "vp8" && !showsVp8Frame(packet)),
      changes: packet.getSideData(AV_PKT_DATA_NEW_EXTRADATA) !== null,
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

  #closeDecoder(): void {
    this.#decoder?.freeContext()
    this.#decoder = null
    this.#parameters = -1
  }

  #dropKept(): void {
    for (const packet of this.#kept ?? []) packet.free()
    this.#kept = null
  }
}

function moveTimes(packet: Packet, bridge: TimeBridge): void {
  const shift = bridge.shiftOf(ticks(packet.dts) ?? ticks(packet.pts), Number(packet.duration))
  if (shift === 0) return
  const ticksMoved = BigInt(Math.round(shift))
  if (ticks(packet.pts) !== null) packet.pts += ticksMoved
  if (ticks(packet.dts) !== null) packet.dts += ticksMoved
}

/** VP8 frame header: the fifth bit says whether the frame is shown (RFC 6386, 9.1). */
function showsVp8Frame(packet: Packet): boolean {
  const first = packet.data?.[0]
  return first === undefined || (first & 0x10) !== 0
}
