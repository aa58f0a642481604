/**
 * The packets of a file's video stream, of the whole file or from a key frame before a window: with their times and key flags, in
 * memory up to a limit, read again beyond it. Nothing is decoded here.
 */

import { FourtierError } from "@fourtier/tensor"
import {
  AV_PKT_DATA_NEW_EXTRADATA,
  AV_PKT_FLAG_CORRUPT,
  AV_PKT_FLAG_DISCARD,
  AV_PKT_FLAG_KEY,
  AVERROR_EOF,
  AVSEEK_FLAG_BACKWARD,
  avGetCodecName,
  CodecParameters,
  type FormatContext,
  Packet,
  type Stream,
} from "node-av"
import { absolutePath } from "../util/objects/address.ts"
import { temporalLayer } from "./headers.ts"
import { placeOf } from "./place.ts"
import { checkCode } from "./rgb.ts"
import { PictureSource } from "./sequence.ts"
import { describeStream, MAX_FAILURES, openStream, type StreamInfo, ticks } from "./streams.ts"
import { TimeBridge } from "./timebase.ts"

/** Compressed bytes kept in memory between looking through a file and decoding it. Larger files are read twice. */
const KEEP_BYTES = 64 * 2 ** 20

/** Seconds before a window's start at which a key frame is looked for, one after the other. */
const SEEK_MARGINS = [0, 2, 10]

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

/** Seconds from the stream's first frame. */
export interface Window {
  start: number
  end: number
}

/** An open file, and where in it packets are read. Close it when done. */
export class PacketReader {
  readonly path: string
  readonly info: StreamInfo
  /** What the decoder is opened with: as the file begins, whatever the demuxer makes of the stream later. */
  readonly parameters = new CodecParameters()
  /** Filled by `read`. */
  entries: PacketEntry[] = []
  /** Whether `entries` begins with the file's first one. */
  atStart = true
  /** Breaks in the stream's clock that were bridged, as of the last pass over the whole file. */
  breaks = 0
  /** The codec that the stream changes to, as of the last pass: packets from there on are left out. Null where it keeps its own. */
  nextCodec: string | null = null
  /** Whether some packets belong to temporal layers above the first (HEVC). */
  layered = false
  #format: FormatContext
  #stream: Stream
  readonly #index: number
  readonly #keepBytes: number
  /** Where the video is single pictures: then the demuxer only tells of what kind they are. */
  readonly #pictures: PictureSource | null
  #kept: Packet[] | null = null
  /** The file's first packet. */
  #opening: Packet | null = null
  /** It was read to be kept, and has not been handed on yet. */
  #pending = false
  #fresh = true
  #window: Window | null = null
  #packet = new Packet()

  private constructor(path: string, format: FormatContext, stream: Stream, keepBytes: number) {
    const { sequence } = placeOf(path)
    this.#pictures = sequence === undefined ? null : new PictureSource(sequence)
    this.#keepBytes = keepBytes
    this.path = path
    this.#format = format
    this.#stream = stream
    this.#index = stream.index
    this.info = describeStream(format, stream)
    this.#packet.alloc()
    this.parameters.alloc()
    checkCode(path, "the stream's parameters cannot be read", stream.codecpar.copy(this.parameters))
  }

  /**
   * @param keepBytes how much of the packets may stay in memory between two passes
   * @throws FourtierError when the file cannot be opened or holds no video stream
   */
  static open(path: string, keepBytes = KEEP_BYTES): PacketReader {
    const absolute = absolutePath(path)
    const { format, stream } = openStream(absolute)
    try {
      return new PacketReader(absolute, format, stream, keepBytes)
    } catch (error) {
      format.closeInputSync()
      throw error
    }
  }

  get stream(): Stream {
    return this.#stream
  }

  /** The file's first packet, once packets are read: what it holds besides a picture may hold for all that follow. */
  get opening(): Packet | null {
    return this.#opening
  }

  /** Looks through the packets; with a window it seeks to a key frame before the start and stops after the end. */
  read(window: Window | null): PacketEntry[] {
    this.#window = window
    this.#dropKept()
    this.entries = []
    this.#kept = []
    let bytes = 0
    for (const packet of this.#demux()) {
      this.entries.push(this.#entry(packet))
      bytes += packet.size
      if (bytes > this.#keepBytes) this.#dropKept()
      if (this.#kept !== null) {
        const copy = packet.clone()
        if (copy !== null) this.#kept.push(copy)
      }
    }
    return this.entries
  }

  /** Whether `entries` are all of the file's. */
  get holdsAll(): boolean {
    return this.#window === null && this.entries.length > 0
  }

  /** The packets of `entries`, in their order; each is valid until the next one is asked for. */
  packets(): Iterable<Packet> {
    return this.#kept ?? this.#demux()
  }

  /** A copy of the packet at a place of `entries`, to be freed. */
  packetAt(wanted: number): Packet | null {
    let place = 0
    for (const packet of this.packets()) if (place++ === wanted) return packet.clone()
    return null
  }

  close(): void {
    this.#dropKept()
    this.#opening?.free()
    this.#packet.free()
    this.parameters.free()
    this.#format.closeInputSync()
  }

  /** Packets of the video stream from the start (of the window); each is valid until the next one is asked for. */
  *#demux(): Generator<Packet> {
    this.#rewind()
    if (this.atStart && this.#opening !== null && this.#window !== null && this.#pending) yield this.#opening
    this.#pending = false
    const bridge = new TimeBridge(this.info.container, this.info.tick)
    const stop = this.#window === null ? Number.POSITIVE_INFINITY : this.startTicks + this.#window.end / this.info.tick
    this.nextCodec = null
    while (this.#readPacket()) {
      try {
        this.nextCodec = this.#changedCodec()
        if (this.nextCodec !== null) break
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

  /** A transport stream that was joined to one of another codec says so in its tables, and the demuxer follows. */
  #changedCodec(): string | null {
    if (this.info.container !== "mpegts") return null
    const { codecId } = this.#stream.codecpar
    return codecId === this.info.codecId ? null : (avGetCodecName(codecId) ?? "another")
  }

  /** Reads up to the next packet of the stream; false at the end. */
  #readPacket(): boolean {
    if (this.#pictures !== null) return this.#readPicture(this.#pictures)
    for (let failures = 0; failures <= MAX_FAILURES; ) {
      const result = this.#format.readFrameSync(this.#packet)
      if (result === AVERROR_EOF) return false
      if (result < 0) failures++
      else if (this.#packet.streamIndex === this.#index && this.#packet.size > 0) return true
      else this.#packet.unref()
    }
    return false
  }

  #readPicture(pictures: PictureSource): boolean {
    const picture = pictures.read()
    if (picture === null) return false
    const { ticks, bytes } = picture
    this.#packet.data = bytes
    this.#packet.pts = BigInt(ticks)
    this.#packet.dts = BigInt(ticks)
    this.#packet.duration = 1n
    this.#packet.flags = AV_PKT_FLAG_KEY
    this.#packet.streamIndex = this.#index
    return true
  }

  /** Places the demuxer at the start, or at a key frame shown no later than the window's start. */
  #rewind(): void {
    if (!this.#fresh && this.#pictures === null) this.#reopen()
    this.#fresh = false
    this.atStart = true
    const start = this.#window?.start ?? 0
    if (this.#pictures !== null) {
      this.#toPicture(this.#pictures, start)
      return
    }
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

  #toPicture(pictures: PictureSource, start: number): void {
    const ticks = Math.floor(start / this.info.tick + 1e-3)
    pictures.seek(ticks)
    this.atStart = ticks <= 0
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
    if (this.info.codec === "hevc" && !this.layered && packet.data !== null)
      this.layered = temporalLayer(packet.data) > 0
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
