/**
 * A video file as frames. `node-av` (bindings of FFmpeg's libraries) is spoken to here and in `streams.ts`, `packets.ts`,
 * `passage.ts`, `rgb.ts`, `deinterlace.ts` and `encode.ts`, nowhere else; all of it is synchronous and meant for a worker: one codec
 * thread.
 *
 * ```
 * file ── demux ── packets (times, key flags; kept in memory up to a limit) ── decode a range ── swscale ── RGB24
 * ```
 */

import { FourtierError } from "@fourtier/tensor"
import { AV_LOG_QUIET, AVERROR_EAGAIN, AVERROR_EOF, Codec, CodecContext, Frame, Log, type Packet } from "node-av"
import { Deinterlacer } from "./deinterlace.ts"
import { orientationMessage } from "./headers.ts"
import { type Orientation, UPRIGHT } from "./orientation.ts"
import { type PacketEntry, PacketReader, type Window } from "./packets.ts"
import { type DecodedFrame, Passage } from "./passage.ts"
import { checkCode, RgbConverter } from "./rgb.ts"
import { MAX_FAILURES, type StreamInfo } from "./streams.ts"

Log.setLevel(AV_LOG_QUIET)

/** Codecs whose first packet may hold parameters and messages that later key frames do not repeat. */
const STATEFUL = new Set(["h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"])

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
  /** Every frame of a run must be decoded and shown to the filter, with its neighbours. */
  readonly deinterlace: boolean
  readonly #reader: PacketReader
  #decoder: CodecContext | null = null
  /** Place of the packet whose parameters the decoder holds; -1: those of the container. */
  #parameters = -1
  #frame = new Frame()
  #converter: RgbConverter | null = null

  private constructor(reader: PacketReader, deinterlace: boolean) {
    this.#reader = reader
    this.deinterlace = deinterlace
    this.#frame.alloc()
  }

  /** @throws FourtierError when the file cannot be opened or holds no video stream */
  static open(path: string, { keepBytes, deinterlace = false }: OpenOptions = {}): VideoFile {
    return new VideoFile(PacketReader.open(path, keepBytes), deinterlace)
  }

  get path(): string {
    return this.#reader.path
  }

  get info(): StreamInfo {
    return this.#reader.info
  }

  /** Filled by `readPackets`. */
  get packets(): PacketEntry[] {
    return this.#reader.entries
  }

  /** Whether `packets` begins with the file's first one. */
  get atStart(): boolean {
    return this.#reader.atStart
  }

  /** Breaks in the stream's clock that were bridged, as of the last pass over the whole file. */
  get breaks(): number {
    return this.#reader.breaks
  }

  /** The codec of what follows the frames, where a stream was joined to one of another codec; as of the last pass over the file. */
  get nextCodec(): string | null {
    return this.#reader.nextCodec
  }

  /** The first frame's presentation time in ticks, as the container says. */
  get startTicks(): number {
    return this.#reader.startTicks
  }

  /** How frames are turned: as the container says, or else the first packet. Known once packets are read. */
  get orientation(): Orientation {
    const { orientation, codec } = this.info
    if (orientation !== UPRIGHT || this.#reader.opening?.data == null) return orientation
    return orientationMessage(codec, this.#reader.opening.data) ?? orientation
  }

  /**
   * Looks through the file's packets without decoding. With a window (seconds from the stream's first frame) it seeks
   * to a key frame before the start and stops after the end.
   */
  readPackets(window: Window | null = null): PacketEntry[] {
    this.#closeDecoder()
    return this.#reader.read(window)
  }

  /** All packets of the file, read once. */
  allPackets(): PacketEntry[] {
    return this.holdsAll ? this.packets : this.readPackets()
  }

  /** Whether `packets` are all of the file's. */
  get holdsAll(): boolean {
    return this.#reader.holdsAll
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
    const filter = this.deinterlace && plain !== true ? new Deinterlacer(this.path, this.#reader.stream.timeBase) : null
    const skips = wanted !== null && !this.#reader.layered && filter === null
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
      for (const packet of this.#reader.packets()) {
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
    this.#converter?.close()
    this.#closeDecoder()
    this.#frame.free()
    this.#reader.close()
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
    const { opening } = this.#reader
    if (opened && !(first === 0 && this.atStart) && opening !== null && STATEFUL.has(this.info.codec)) {
      this.#learn(decoder, opening)
    }
    if (parameters >= 0 && parameters !== this.#parameters && parameters !== first) {
      const packet = this.#reader.packetAt(parameters)
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

  #openDecoder(): CodecContext {
    if (this.#decoder !== null) return this.#decoder
    const { parameters } = this.#reader
    const codec = Codec.findDecoder(parameters.codecId)
    if (codec === null) {
      throw new FourtierError({ where: this.path, what: "no decoder for this codec", found: this.info.codec })
    }
    const decoder = new CodecContext()
    decoder.allocContext3(codec)
    this.#decoder = decoder
    checkCode(this.path, "the decoder rejects the stream's parameters", decoder.parametersToContext(parameters))
    decoder.threadCount = 1
    decoder.pktTimebase = this.#reader.stream.timeBase
    checkCode(this.path, `the ${this.info.codec} decoder cannot be opened`, decoder.open2Sync(codec, null))
    return decoder
  }

  #closeDecoder(): void {
    this.#decoder?.freeContext()
    this.#decoder = null
    this.#parameters = -1
  }
}
