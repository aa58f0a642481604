/**
 * How many requests may be under way: adapts to what the server bears.
 *
 * A refusal for speed (429) halves the number, once per round trip. It recovers by one a reply up to just below the number
 * at which the refusal came, and stays there; the longer no refusal follows, the sooner it tries for more, by one a round
 * of replies at most (the shape of CUBIC, Ha, Rhee & Xu 2008). So it spends its time just under the server's limit. A
 * `Retry-After` or an empty quota stops all new requests until then.
 */

import { setTimeout as sleep } from "node:timers/promises"

/** Rounds of replies without a refusal until it dares one more a round. */
const PATIENCE = 20

export class Gate {
  readonly most: number
  #limit: number
  /** Where quick recovery ends. */
  #plateau: number
  /** Since the last refusal. */
  #replies = 0
  #active = 0
  #pausedUntil = 0
  #lastCut = Number.NEGATIVE_INFINITY
  readonly #waiting: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(concurrency: { start: number; most: number }) {
    this.most = concurrency.most
    this.#limit = Math.min(concurrency.start, concurrency.most)
    this.#plateau = concurrency.most
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  get active(): number {
    return this.#active
  }

  /** Waits for a place. @throws the signal's reason */
  async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#open()) {
      this.#active++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener("abort", stop)
        resolve()
      }
      const stop = () => {
        const at = this.#waiting.indexOf(go)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal.reason)
      }
      signal.addEventListener("abort", stop, { once: true })
      this.#waiting.push(go)
      this.#wake()
    })
  }

  leave(): void {
    this.#active--
    this.#wake()
  }

  /** A reply came. */
  succeeded(): void {
    this.#replies++
    if (this.#limit < this.#plateau) this.#limit = Math.min(this.#limit + 1, this.#plateau)
    else {
      const boldness = Math.min(1, this.#replies / (PATIENCE * this.#limit))
      this.#limit = Math.min(this.most, this.#limit + boldness / this.#limit)
    }
    this.#wake()
  }

  /**
   * The server said: too fast. To be told before `leave`, so that the place is not given away at the old number.
   * @param wait milliseconds until it wants to hear again; null when it did not say
   * @param sentAt when the refused request was sent, `performance.now()`
   */
  throttled(wait: number | null, sentAt: number): void {
    if (sentAt > this.#lastCut) {
      this.#plateau = Math.max(1, 0.9 * this.limit, this.limit - 1)
      this.#limit = Math.max(1, this.#limit / 2)
      this.#replies = 0
      this.#lastCut = performance.now()
    }
    if (wait !== null) this.pause(wait)
  }

  /** No new request for `wait` milliseconds. */
  pause(wait: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + wait)
  }

  #open(): boolean {
    return this.#active < this.limit && performance.now() >= this.#pausedUntil
  }

  #wake(): void {
    while (this.#waiting.length > 0 && this.#open()) {
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

/** Exponential, with full jitter (Brooker 2015): uniform between 0 and `base · 2^attempt`, `most` at most. Milliseconds. */
export function backoff(attempt: number, random: () => number, base = 500, most = 30_000): number {
  return random() * Math.min(most, base * 2 ** attempt)
}

export async function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal })
}
