/** Breaks in a stream's clock: files joined end to end, recordings restarted, counters that wrap around. */

/** Containers whose clock may break (FFmpeg's flag AVFMT_TS_DISCONT); elsewhere a gap is a gap. */
const BREAKABLE = new Set(["mpegts", "mpeg"])

/** Seconds that the clock may jump ahead, as in `ffmpeg`'s `-dts_delta_threshold`, and back. */
const AHEAD = 10
const BACK = 0.1

/** Goes along with a stream's packets in decode order and says by how many ticks each is to be moved. */
export class TimeBridge {
  readonly #tick: number
  readonly #active: boolean
  #shift = 0
  #last: number | null = null
  #step = 0
  /** Breaks passed so far. */
  breaks = 0

  constructor(container: string, tick: number) {
    this.#tick = tick
    this.#active = BREAKABLE.has(container)
  }

  /** @param time a packet's decoding time, or its presentation time where that is missing, in ticks */
  shiftOf(time: number | null, duration: number): number {
    if (!this.#active || time === null) return this.#shift
    if (this.#last !== null) {
      const jump = (time + this.#shift - this.#last) * this.#tick
      if (jump > AHEAD || jump < -BACK) {
        this.#shift = this.#last + this.#step - time
        this.breaks++
      }
    }
    const now = time + this.#shift
    if (duration > 0) this.#step = duration
    else if (this.#last !== null && now > this.#last) this.#step = now - this.#last
    this.#last = now
    return this.#shift
  }
}
