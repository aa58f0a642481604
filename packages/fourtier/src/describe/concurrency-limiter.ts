/**
 * Limits how many requests are in progress at once, and adapts the limit to what the server accepts.
 *
 * A 429 halves the limit, at most once per round trip. The limit then grows by one with each reply, up to just below the
 * number at which the 429 came, and stays there. The longer no further 429 follows, the more eagerly it probes for more, by
 * at most one per round of replies (the shape of CUBIC, Ha, Rhee & Xu 2008). So most of the time is spent just under the
 * server's limit. After a `Retry-After` or an exhausted quota, no new request starts until the time is over; and where round after
 * round ends in 429 and nothing is answered, none starts for a time of this limiter's own, which doubles with each round.
 */

import { backOff, noJitter } from "../util/back-off.ts"

/** Rounds of replies without a 429 after which the limit grows by one per round. */
const PATIENCE = 20

export class ConcurrencyLimiter {
  readonly max: number
  #limit: number
  /** What other workers leave to this one. */
  #cap = Number.POSITIVE_INFINITY
  /** Up to here the limit grows by one with each reply. */
  #plateau: number
  /** Since the last 429. */
  #replies = 0
  #active = 0
  #pausedUntil = 0
  #lastCut = Number.NEGATIVE_INFINITY
  /** Rounds that ended in a 429 since the last reply. */
  #failedRounds = 0
  readonly #base: number
  readonly #waiting: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param base wait after the third round in a row that ends in a 429, milliseconds; doubles with each further one */
  constructor(concurrency: { initial: number; max: number }, base = 500) {
    this.#base = base
    this.max = concurrency.max
    this.#limit = Math.min(concurrency.initial, concurrency.max)
    this.#plateau = concurrency.max
  }

  get limit(): number {
    return Math.min(this.#cap, Math.floor(this.#limit))
  }

  get active(): number {
    return this.#active
  }

  /** Never more than so many from now on, as long as no other number is given; none, where it is 0. */
  cap(most: number): void {
    this.#cap = most
    this.#wake()
  }

  /** Waits until a request may start. @throws the signal's reason when aborted */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#isOpen()) {
      this.#active++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener("abort", stop)
        resolve()
      }
      const stop = () => {
        const at = this.#waiting.indexOf(start)
        if (at >= 0) this.#waiting.splice(at, 1)
        if (this.#waiting.length === 0) this.#sleep()
        reject(signal.reason)
      }
      signal.addEventListener("abort", stop, { once: true })
      this.#waiting.push(start)
      this.#wake()
    })
  }

  /** The request has ended. */
  release(): void {
    this.#active--
    this.#wake()
  }

  /** A reply has come. */
  succeeded(): void {
    this.#replies++
    this.#failedRounds = 0
    if (this.#limit < this.#plateau) this.#limit = Math.min(this.#limit + 1, this.#plateau)
    else {
      const eagerness = Math.min(1, this.#replies / (PATIENCE * this.#limit))
      this.#limit = Math.min(this.max, this.#limit + eagerness / this.#limit)
    }
    this.#wake()
  }

  /**
   * The server has answered 429. To be called before `release`, so that no request starts under the old limit.
   * @param wait milliseconds after which the server wants to be asked again; null when it did not say
   * @param sentAt when the request was sent, `performance.now()`
   */
  throttled(wait: number | null, sentAt: number): void {
    if (sentAt > this.#lastCut) {
      this.#plateau = Math.max(1, 0.9 * this.limit, this.limit - 1)
      this.#limit = Math.max(1, this.#limit / 2)
      this.#replies = 0
      this.#lastCut = performance.now()
      this.#failedRounds++
      const own = this.#failedRounds - 3
      if (own >= 0) this.pause(backOff(own, { base: this.#base, jitter: noJitter }))
    }
    if (wait !== null) this.pause(wait)
  }

  /** Starts no new request for `wait` milliseconds. */
  pause(wait: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + wait)
  }

  #isOpen(): boolean {
    return this.#active < this.limit && performance.now() >= this.#pausedUntil
  }

  /** Forgets the next look at what may start: a pause must not keep a process alive that has nothing left to do. */
  #sleep(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wake(): void {
    while (this.#waiting.length > 0 && this.#isOpen()) {
      this.#active++
      this.#waiting.shift()?.()
    }
    if (this.#waiting.length === 0 || this.#timer || this.#active >= this.limit) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#wake()
      },
      Math.max(1, this.#pausedUntil - performance.now()),
    )
  }
}
