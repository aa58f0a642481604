/** What servers ask for in their headers, in every form they use; a time that is not in the future is no time. */

import { expect, it } from "vitest"
import { parseDuration, quotaPause, resetAfter, retryAfter } from "../../src/util/rate-headers.ts"

const date = (ms: number) => new Date(Date.now() + ms)

it("reads Retry-After in seconds, as a date and in milliseconds", () => {
  const of = (headers: Record<string, string>) => retryAfter(new Headers(headers))
  expect(of({ "retry-after": "2.5" })).toBe(2500)
  expect(of({ "retry-after-ms": "40", "retry-after": "1" })).toBe(40)
  expect(of({ "retry-after-ms": "0", "retry-after": "1" })).toBe(1000)
  const wait = of({ "retry-after": date(5000).toUTCString() })
  expect(wait).toBeGreaterThan(3000)
  expect(wait).toBeLessThanOrEqual(5000)
  expect(of({ "retry-after": "86400" })).toBe(86_400_000)
})

it.each([
  ["2s", 2000],
  ["1, 3", 3000],
  ["PT1M30S", 90_000],
  ["1500 ms", 1500],
])("takes Retry-After %j as it is meant", (value, wait) => {
  expect(retryAfter(new Headers({ "retry-after": value }))).toBe(wait)
})

it.each(["0", "-5", "0.0", "soon", "", " ", "Infinity", "NaN", new Date(0).toUTCString(), "-1e9"])(
  "takes Retry-After %j for no time",
  (value) => {
    expect(retryAfter(new Headers({ "retry-after": value }))).toBeNull()
    expect(retryAfter(new Headers({ "retry-after-ms": value }))).toBeNull()
  },
)

it("pauses for the quota that takes longest to be full again, when it is used up", () => {
  const of = (headers: Record<string, string>) => quotaPause(new Headers(headers))
  const requests = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s" }
  expect(of(requests)).toBe(2000)
  expect(of({ ...requests, "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m" })).toBe(60_000)
  expect(of({ ...requests, "x-ratelimit-remaining-requests": "4" })).toBeUndefined()
  expect(of({ ...requests, "x-ratelimit-reset-requests": "-2s" })).toBeUndefined()
})

it.each<[string, Record<string, string>, number]>([
  ["OpenAI", { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7s" }, 7000],
  ["OpenAI, tokens short", { "x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s" }, 360_000],
  ["no remaining", { "x-ratelimit-reset-requests": "250ms" }, 250],
  ["Anthropic", { "anthropic-ratelimit-tokens-reset": date(9000).toISOString() }, 9000],
  ["milliseconds since 1970", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(Date.now() + 8000) }, 8000],
  ["seconds since 1970", { "x-ratelimit-reset": String(Math.round(Date.now() / 1000) + 30) }, 30_000],
  ["IETF draft", { "ratelimit-remaining": "0", "ratelimit-reset": "20" }, 20_000],
  ["IETF draft, one header", { ratelimit: '"burst";r=0;t=3, "daily";r=100;t=9000' }, 3000],
  [
    "two, one used up",
    { "x-ratelimit-reset-tokens": "1s", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s" },
    3000,
  ],
])("reads the reset headers of a 429: %s", (_, headers, expected) => {
  const wait = resetAfter(new Headers(headers)) ?? 0
  expect(Math.abs(wait - expected)).toBeLessThan(2000)
  if (expected < 1000) expect(wait).toBe(expected)
})

it("takes resets in the past, and none, for no time", () => {
  for (const reset of ["0", "-3s", "0s", date(-9000).toISOString(), String(Date.now() - 9000), "x"]) {
    expect(resetAfter(new Headers({ "x-ratelimit-reset-requests": reset }))).toBeNull()
  }
  expect(resetAfter(new Headers())).toBeNull()
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
