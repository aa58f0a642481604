/** Times of the frames of a source whose clock may jump: a camera that sets its time, a server that begins its file again. */

/** Seconds by which a source's clock may go on between two frames; more is a jump. */
const LEAP = 10

/** Seconds from the first frame, always rising. */
export class LiveClock {
  readonly #tick: number
  readonly #interval: number
  readonly #own: boolean
  readonly #now: () => number
  #last: { pts: number | null; time: number; arrived: number } | null = null

  /**
   * @param tick seconds of a tick of the source's clock
   * @param rate frames a second that it declares; 0 where it does not
   * @param own whether only the source's clock counts, as that of a file; else, where it jumps, the time at which frames come
   * @param now milliseconds
   */
  constructor(tick: number, rate: number, own: boolean, now: () => number = () => performance.now()) {
    this.#tick = tick
    this.#interval = rate > 0 ? 1 / rate : 0.04
    this.#own = own
    this.#now = now
  }

  /** @param pts ticks; null where the frame has no time */
  timeOf(pts: number | null): number {
    const arrived = this.#now()
    const last = this.#last
    const time = last === null ? 0 : last.time + this.#step(last, pts, arrived)
    this.#last = { pts, time, arrived }
    return time
  }

  #step(last: { pts: number | null; arrived: number }, pts: number | null, arrived: number): number {
    const step = pts === null || last.pts === null ? Number.NaN : (pts - last.pts) * this.#tick
    if (step > 0 && (this.#own || step < LEAP)) return step
    return this.#own ? this.#interval : Math.max(1e-3, (arrived - last.arrived) / 1000)
  }
}
