/** Waiting times: how long retries wait, and what servers ask for, in every form they use. */

import { expect, it } from "vitest"
import { backOff, noJitter, parseDuration, pause, quotaPause, retry, retryAfter } from "../../src/util/back-off.ts"

it("doubles the wait with each attempt, up to a limit", () => {
  const waits = (options: object) => [0, 1, 2, 20].map((attempt) => backOff(attempt, { jitter: noJitter, ...options }))
  expect(waits({})).toEqual([500, 1000, 2000, 30_000])
  expect(waits({ base: 10, max: 35 })).toEqual([10, 20, 35, 35])
})

it("draws the wait between nothing and that limit", () => {
  expect(backOff(2, { jitter: () => 0.25 })).toBe(500)
  const drawn = Array.from({ length: 100 }, () => backOff(1))
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...drawn)).toBeLessThanOrEqual(1000)
  expect(new Set(drawn).size).toBeGreaterThan(50)
})

it("retries until the work succeeds, the retries are used up, or no retry can succeed", async () => {
  const failing = (failures: number) => {
    let calls = 0
    return async () => {
      if (calls++ < failures) throw new Error(`failure ${calls}`)
      return calls
    }
  }
  const attempts: number[] = []
  const wait = (_: unknown, attempt: number) => {
    attempts.push(attempt)
    return 0
  }
  expect(await retry(failing(3), { retries: 3, wait })).toBe(4)
  expect(attempts).toEqual([0, 1, 2])
  await expect(retry(failing(3), { retries: 2, wait })).rejects.toThrow("failure 3")
  await expect(retry(failing(3), { retries: 9, wait: () => null })).rejects.toThrow("failure 1")
})

it("ends a wait with the signal's reason", async () => {
  const abort = new AbortController()
  const waiting = pause(10_000, abort.signal)
  abort.abort(new Error("enough"))
  await expect(waiting).rejects.toThrow("enough")
})

it("reads Retry-After in seconds, as a date and in milliseconds, and never waits over ten minutes", () => {
  const of = (headers: Record<string, string>) => retryAfter(new Headers(headers))
  expect(of({ "retry-after": "2.5" })).toBe(2500)
  expect(of({ "retry-after-ms": "40", "retry-after": "1" })).toBe(40)
  const date = of({ "retry-after": new Date(Date.now() + 5000).toUTCString() })
  expect(date).toBeGreaterThan(3000)
  expect(date).toBeLessThanOrEqual(5000)
  expect(of({ "retry-after": new Date(0).toUTCString() })).toBe(0)
  expect([of({ "retry-after": "86400" }), of({ "retry-after-ms": "1e9" })]).toEqual([600_000, 600_000])
  expect([of({}), of({ "retry-after": "soon" })]).toEqual([null, null])
})

it("pauses for the quota that takes longest to be full again, when it is used up", () => {
  const of = (headers: Record<string, string>) => quotaPause(new Headers(headers))
  const requests = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s" }
  expect(of(requests)).toBe(2000)
  expect(of({ ...requests, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m" })).toBe(60_000)
  expect(of({ ...requests, "x-ratelimit-remaining-requests": "4" })).toBeUndefined()
})

it("reads durations as servers write them", () => {
  expect(["1s", "6m0s", "120ms", "1.5", "1h2m", "x", ""].map(parseDuration)).toEqual([
    1000,
    360_000,
    120,
    1500,
    3_720_000,
    null,
    null,
  ])
})
