/** Waiting times: how long retries wait. */

import { expect, it } from "vitest"
import { backOff, noJitter, pause, retry } from "../../src/util/back-off.ts"

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
