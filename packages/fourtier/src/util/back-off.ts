/** How long to wait before a failed request is tried again: by exponential back-off, or as long as the server asks for. */

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

/** A server that asks for more is asked again after ten minutes all the same. */
const MAX_RETRY_AFTER_MS = 600_000

/**
 * Milliseconds after which a server wants to be asked again: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110,
 * Section 10.2.3). Ten minutes at most; null when absent or unreadable.
 * @example
 * retryAfter(new Headers({ "retry-after": "2.5" })) // 2500
 */
export function retryAfter(headers: Headers): number | null {
  const exact = Number.parseFloat(headers.get("retry-after-ms") ?? "")
  if (exact >= 0) return Math.min(exact, MAX_RETRY_AFTER_MS)
  const value = headers.get("retry-after")
  if (value === null) return null
  const seconds = Number(value)
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(wait) ? null : Math.min(Math.max(0, wait), MAX_RETRY_AFTER_MS)
}

/**
 * Milliseconds until the quota is full again, when `x-ratelimit-remaining-*` says that none is left
 * (https://platform.openai.com/docs/guides/rate-limits).
 */
export function quotaPause(headers: Headers): number | undefined {
  let longest: number | undefined
  for (const what of ["requests", "tokens"]) {
    if (headers.get(`x-ratelimit-remaining-${what}`) !== "0") continue
    const reset = parseDuration(headers.get(`x-ratelimit-reset-${what}`) ?? "")
    if (reset !== null) longest = Math.max(longest ?? 0, reset)
  }
  return longest
}

/** "1s", "6m0s", "120ms", "1.5" (seconds) in milliseconds; null for anything else. */
export function parseDuration(text: string): number | null {
  const plain = Number(text)
  if (text.trim() !== "" && Number.isFinite(plain)) return plain * 1000
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)]
  if (parts.length === 0) return null
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0)
}
