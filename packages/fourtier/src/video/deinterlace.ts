/** FFmpeg's deinterlacer (`bwdif`): one whole frame for each interlaced one; others pass as they are. */

import { FourtierError } from "@fourtier/tensor"
import { AV_NOPTS_VALUE, Filter, type FilterContext, FilterGraph, Frame, type Rational } from "node-av"
import { checkCode } from "./rgb.ts"

/** A filter for frames in presentation order; it needs the one after a frame to give that frame out. */
export class Deinterlacer {
  readonly #path: string
  readonly #timeBase: Rational
  readonly #frame = new Frame()
  #graph: { graph: FilterGraph; source: FilterContext; sink: FilterContext; key: string } | null = null

  constructor(path: string, timeBase: Rational) {
    this.#path = path
    this.#timeBase = timeBase
    this.#frame.alloc()
  }

  /** @param onFrame returns false to stop; so does this then */
  push(frame: Frame, onFrame: (frame: Frame) => boolean): boolean {
    const key = [frame.width, frame.height, frame.format, frame.colorSpace, frame.colorRange].join()
    if (this.#graph?.key !== key) {
      if (!this.finish(onFrame)) return false
      this.#graph = { ...this.#build(frame), key }
    }
    if (frame.pts === AV_NOPTS_VALUE) frame.pts = frame.bestEffortTimestamp
    checkCode(this.#path, "a frame cannot be deinterlaced", this.#graph.source.buffersrcAddFrameSync(frame))
    return this.#drain(this.#graph.sink, onFrame)
  }

  /** Gives out what is held back. */
  finish(onFrame: (frame: Frame) => boolean): boolean {
    if (this.#graph === null) return true
    this.#graph.source.buffersrcAddFrameSync(null)
    const more = this.#drain(this.#graph.sink, onFrame)
    this.#graph.graph.free()
    this.#graph = null
    return more
  }

  close(): void {
    this.#graph?.graph.free()
    this.#graph = null
    this.#frame.free()
  }

  #drain(sink: FilterContext, onFrame: (frame: Frame) => boolean): boolean {
    const scale = sink.buffersinkGetTimeBase().toDouble() / this.#timeBase.toDouble()
    while (sink.buffersinkGetFrameSync(this.#frame) >= 0) {
      if (this.#frame.pts !== AV_NOPTS_VALUE) {
        this.#frame.pts = BigInt(Math.round(Number(this.#frame.pts) * scale))
        this.#frame.bestEffortTimestamp = this.#frame.pts
      }
      const more = onFrame(this.#frame)
      this.#frame.unref()
      if (!more) return false
    }
    return true
  }

  #build(frame: Frame): { graph: FilterGraph; source: FilterContext; sink: FilterContext } {
    const graph = new FilterGraph()
    graph.alloc()
    graph.nbThreads = 1
    const { num, den } = this.#timeBase
    const source = this.#add(
      graph,
      "buffer",
      `video_size=${frame.width}x${frame.height}:pix_fmt=${frame.format}:time_base=${num}/${den}:colorspace=${frame.colorSpace}:range=${frame.colorRange}`,
    )
    const deinterlacer = this.#add(graph, "bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    const sink = this.#add(graph, "buffersink", null)
    checkCode(this.#path, "no deinterlacing", source.link(0, deinterlacer, 0))
    checkCode(this.#path, "no deinterlacing", deinterlacer.link(0, sink, 0))
    checkCode(this.#path, "no deinterlacing of frames of this kind", graph.configSync())
    return { graph, source, sink }
  }

  #add(graph: FilterGraph, name: string, settings: string | null): FilterContext {
    const filter = Filter.getByName(name)
    const made = filter === null ? null : graph.createFilter(filter, name, settings)
    if (made === null) throw new FourtierError({ where: this.#path, what: `FFmpeg's filter ${name} cannot be set up` })
    return made
  }
}
