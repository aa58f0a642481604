/**
 * Process that captures one live source: opens it, decodes it, and sends pictures as fast as they are asked for. It is a process of its
 * own, so that a source that hangs can be left at any moment and a decoder that crashes takes nothing else down.
 */

import { setTimeout as sleep } from "node:timers/promises"
import { FourtierError, messageOf } from "@fourtier/tensor"
import {
  AV_LOG_QUIET,
  AVERROR_DECODER_NOT_FOUND,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVERROR_INVALIDDATA,
  AVERROR_PROTOCOL_NOT_FOUND,
  Codec,
  CodecContext,
  Dictionary,
  FormatContext,
  Frame,
  InputFormat,
  Log,
  Packet,
  type Stream,
} from "node-av"
import { Passage } from "../../video/passage.ts"
import { PictureWriter } from "../../video/picture-writer.ts"
import { RgbConverter } from "../../video/rgb.ts"
import { chooseStream, describeStream, ticks, videoDecoders } from "../../video/streams.ts"
import { type CaptureJob, type CaptureNews, captureOrderSchema } from "./capture-jobs.ts"
import { type Failure, failureOf } from "./failures.ts"
import { LiveClock } from "./live-clock.ts"

Log.setLevel(AV_LOG_QUIET)

const tell = (news: CaptureNews) => void process.send?.(news)

/** A source that cannot be opened or read any further. */
class Broken extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.failed.what)
    this.failure = failure
  }
}

/** What may still be sent, and who waits for it. */
class Allowance {
  #left = 0
  #wake: () => void = () => {}
  /** The newest picture that there was no room for. */
  waiting: (() => void) | null = null

  more(count: number): void {
    this.#left += count
    if (this.#left > 0 && this.waiting) {
      this.#left--
      this.waiting()
      this.waiting = null
    }
    if (this.#left > 0) this.#wake()
  }

  take(): boolean {
    if (this.#left === 0) return false
    this.#left--
    return true
  }

  async wait(): Promise<void> {
    while (!this.take()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

const allowance = new Allowance()
let begun = false

// an interrupt from the terminal reaches all processes; who started this one ends it, or is gone
process.on("SIGINT", () => undefined)
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"))
process.on("message", (message) => {
  const order = captureOrderSchema.parse(message)
  if ("more" in order) allowance.more(order.more)
  else if (!begun) {
    begun = true
    void capture(order.job).then(tell, (thrown: unknown) => {
      if (thrown instanceof Broken) return tell(thrown.failure)
      const { what, found, fix } = thrown instanceof FourtierError ? thrown.complaint : { what: messageOf(thrown) }
      tell({ failed: { what, found, fix }, passing: false })
    })
  }
})

async function capture(job: CaptureJob): Promise<CaptureNews> {
  const { source } = job
  const format = new FormatContext()
  const stream = await open(format, job)
  const info = describeStream(format, stream)
  const decoder = openDecoder(stream, job)
  const clock = new LiveClock(info.tick, info.rate, source.kind === "file")
  tell({
    opened: {
      width: info.width,
      height: info.height,
      rate: Math.round(info.rate * 1000) / 1000,
      codec: info.codec,
      duration: info.declaredSeconds > 0 ? info.declaredSeconds : null,
    },
  })
  const pictures = new Pictures(job, info.orientation, clock)
  const packet = new Packet()
  packet.alloc()
  while (true) {
    const status = await format.readFrame(packet)
    if (status === AVERROR_EAGAIN) {
      await sleep(5)
      continue
    }
    if (status === AVERROR_EOF) break
    if (status < 0) throw new Broken(failureOf(status, source))
    const own = packet.streamIndex === stream.index
    // a packet that does not decode is no reason to stop: the next key frame mends it
    if (own) decoder.sendPacketSync(packet)
    packet.unref()
    if (own) await pictures.drain(decoder)
  }
  decoder.sendPacketSync(null)
  await pictures.drain(decoder)
  return { ended: true }
}

async function open(format: FormatContext, { source }: CaptureJob): Promise<Stream> {
  const input = source.format === null ? null : InputFormat.findInputFormat(source.format)
  if (source.format !== null && !input) throw new Broken(failureOf(AVERROR_PROTOCOL_NOT_FOUND, source))
  const options = new Dictionary()
  options.set("codec_whitelist", videoDecoders())
  for (const [key, value] of Object.entries(source.options)) options.set(key, value)
  const status = await format.openInput(source.url, input, options)
  options.free()
  if (status < 0) throw new Broken(failureOf(status, source))
  const found = await format.findStreamInfo(null)
  if (found < 0) throw new Broken(failureOf(found, source))
  const stream = chooseStream(format)
  if (!stream || !(stream.codecpar.width > 0)) throw new Broken(failureOf(AVERROR_INVALIDDATA, source))
  return stream
}

function openDecoder(stream: Stream, { source }: CaptureJob): CodecContext {
  const codec = Codec.findDecoder(stream.codecpar.codecId)
  if (!codec) throw new Broken(failureOf(AVERROR_DECODER_NOT_FOUND, source))
  const decoder = new CodecContext()
  decoder.allocContext3(codec)
  decoder.parametersToContext(stream.codecpar)
  decoder.threadCount = 1
  decoder.pktTimebase = stream.timeBase
  const status = decoder.open2Sync(codec, null)
  if (status < 0) throw new Broken(failureOf(status, source))
  return decoder
}

/** Decoded frames on their way to who asked for them. */
class Pictures {
  readonly #job: CaptureJob
  readonly #orientation: ReturnType<typeof describeStream>["orientation"]
  readonly #clock: LiveClock
  readonly #frame = new Frame()
  readonly #converter = new RgbConverter()
  #writer: { of: string; writer: PictureWriter } | null = null
  #begun: number | null = null
  #whole = false
  #dropped = 0

  constructor(job: CaptureJob, orientation: ReturnType<typeof describeStream>["orientation"], clock: LiveClock) {
    this.#job = job
    this.#orientation = orientation
    this.#clock = clock
    this.#frame.alloc()
  }

  async drain(decoder: CodecContext): Promise<void> {
    while (decoder.receiveFrameSync(this.#frame) >= 0) {
      const time = this.#clock.timeOf(ticks(this.#frame.pts) ?? ticks(this.#frame.bestEffortTimestamp))
      await this.#due(time)
      await this.#send(time)
      this.#frame.unref()
    }
  }

  /** Waits until a frame is due, where the source has no pace of its own. */
  async #due(time: number): Promise<void> {
    const { pace } = this.#job
    if (pace === null) return
    this.#begun ??= performance.now()
    const wait = this.#begun + (time * 1000) / pace - performance.now()
    if (wait > 1) await sleep(wait)
  }

  async #send(time: number): Promise<void> {
    const frame = this.#pictureOf(time)
    if (frame === null) return
    const send = () => tell({ frame: { ...frame, dropped: this.#dropped } })
    if (!this.#job.live) await allowance.wait()
    else if (!allowance.take()) {
      if (allowance.waiting) this.#dropped++
      allowance.waiting = send
      return
    }
    send()
  }

  #pictureOf(time: number) {
    const { path, width, height } = { path: this.#job.source.name, ...sizeOf(this.#frame) }
    const key = `${width}×${height}`
    if (this.#writer?.of !== key) {
      const writer = new PictureWriter({ width, height }, this.#orientation, this.#job.size ?? undefined)
      this.#writer = { of: key, writer }
    }
    const { writer } = this.#writer
    const data = new Uint8Array(writer.width * writer.height * 3)
    let usable = true
    const convert = (source: Frame, target: Uint8Array, w: number, h: number) =>
      this.#converter.convert(source, target, w, h, path)
    const passage = new Passage(convert, null, (decoded) => {
      // who joins a stream between two key frames sees shreds until the first of them
      this.#whole ||= decoded.intra || !decoded.damaged
      usable = this.#whole
      if (usable) writer.write(decoded, data)
      return true
    })
    passage.hand(this.#frame)
    return usable ? { time, width: writer.width, height: writer.height, data } : null
  }
}

const sizeOf = ({ width, height }: Frame) => ({ width, height })
