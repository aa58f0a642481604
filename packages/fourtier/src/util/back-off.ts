/** How long to wait before a failed request is tried again. What servers ask for is in rate-headers.ts. */

import { setTimeout as sleep } from "node:timers/promises"

export interface BackOff {
  /** Longest wait before the first retry, milliseconds; doubles with each further one. */
  base?: number
  /** Upper limit of a wait, milliseconds. */
  max?: number
  /** Draws the part of the wait that is kept, from 0 to 1. */
  jitter?: () => number
}

/**
 * Milliseconds to wait before retry number `attempt` (0 is the first): `jitter · min(max, base · 2^attempt)`. By default
 * the wait is uniform between 0 and that limit, so that clients that failed together do not come back together ("full
 * jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 * @example
 * backOff(3, { base: 1000, jitter: noJitter }) // 8000
 */
export function backOff(attempt: number, options: BackOff = {}): number {
  const { base = 500, max = 30_000, jitter = Math.random } = options
  return jitter() * Math.min(max, base * 2 ** attempt)
}

/** For waits that are announced to the user: the whole wait, none of it left to chance. */
export const noJitter = () => 1

export interface RetryOptions {
  /** Attempts after the first. */
  retries: number
  /** Milliseconds to wait after failure number `attempt` (0 is the first); null when no retry can succeed. */
  wait(error: unknown, attempt: number): number | null
  signal?: AbortSignal
}

/**
 * Runs `work` until it succeeds.
 * @throws the last error, when `retries` are used up or `wait` returns null; the signal's reason when aborted
 * @example
 * const text = await retry(() => download(url), { retries: 4, wait: (_, attempt) => backOff(attempt) })
 */
export async function retry<T>(work: () => Promise<T>, { retries, wait, signal }: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const milliseconds = attempt < retries ? wait(error, attempt) : null
      if (milliseconds === null) throw error
      await pause(milliseconds, signal)
    }
  }
}

/** Waits. @throws the signal's reason when aborted */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error
  })
}
