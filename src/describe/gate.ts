/**
 * How many requests may be under way: adapts to what the server bears.
 *
 * A refusal for speed (429) halves the number, once per round trip. Below 90 % of the number at which the last refusal came
 * it recovers by one a reply, above that by one a whole round of replies (after CUBIC's two regimes, Ha, Rhee & Xu 2008), so
 * that it spends its time just under the server's limit. A `Retry-After` or an empty quota stops all new requests until
 * then.
 */

import { setTimeout as sleep } from "node:timers/promises"

export class Gate {
  readonly most: number
  #limit: number
  #ceiling: number
  #active = 0
  #pausedUntil = 0
  #lastCut = Number.NEGATIVE_INFINITY
  readonly #waiting: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(concurrency: { start: number; most: number }) {
    this.most = concurrency.most
    this.#limit = Math.min(concurrency.start, concurrency.most)
    this.#ceiling = concurrency.most
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
    if (this.#limit < 0.9 * this.#ceiling) this.#limit = Math.min(this.#limit + 1, this.#ceiling)
    else this.#limit = Math.min(this.most, this.#limit + 1 / this.#limit)
    if (this.#limit > this.#ceiling) this.#ceiling = this.#limit
    this.#wake()
  }

  /**
   * The server said: too fast.
   * @param wait milliseconds until it wants to hear again; null when it did not say
   * @param sentAt when the refused request was sent, `performance.now()`
   */
  throttled(wait: number | null, sentAt: number): void {
    if (sentAt > this.#lastCut) {
      this.#ceiling = this.#limit
      this.#limit = Math.max(1, this.#limit / 2)
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
