/** What an HTTP reply means for the run: one reading of status codes and headers for all providers that speak HTTP. */

import { messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { ProviderError } from "./provider.ts"

const errorBody = z.object({
  error: z.union([
    z.string(),
    z.object({
      message: z.string().optional(),
      code: z.union([z.string(), z.number()]).nullish(),
      type: z.string().nullish(),
    }),
  ]),
})

const OUT_OF_MONEY = /insufficient_quota|insufficient (funds|credit)|billing|exceeded your current quota/i
const REFUSED = /content_policy|content_filter|content management policy|moderation|safety/i

/**
 * @param status HTTP status outside 200–299
 * @param body the reply's text
 * @param address where the request went, without secrets
 */
export function statusVerdict(status: number, headers: Headers, body: string, address: string): ProviderError {
  const { message, code } = readBody(body)
  const text = `${address} answered ${status}${message ? `: ${message}` : ""}`
  const both = `${code} ${message}`
  if (status === 402 || (status === 429 && OUT_OF_MONEY.test(both))) {
    return new ProviderError("stop", text, {
      fix: "add credit or raise the account's limit, then run again: nothing is lost",
    })
  }
  if (status === 429) return new ProviderError("throttled", text, { retryAfter: retryAfter(headers) })
  if (status === 401 || status === 403) {
    if (REFUSED.test(both)) return new ProviderError("rejected", text)
    return new ProviderError("stop", text, {
      fix: "check the key (environment variable or file named in the config) and its rights",
    })
  }
  if (status === 404) return new ProviderError("stop", text, { fix: "check the model's name and the base URL" })
  if (status === 503 && retryAfter(headers) !== null) {
    return new ProviderError("throttled", text, { retryAfter: retryAfter(headers) })
  }
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return new ProviderError("retry", text, { retryAfter: retryAfter(headers) })
  }
  return new ProviderError("rejected", text)
}

/**
 * A sound reply's JSON.
 * @param lack what an error says of JSON that the schema does not take
 * @throws ProviderError `retry` for that, and for what is not JSON
 */
export function parseReply<T>(schema: z.ZodType<T>, text: string, address: string, lack: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ProviderError("retry", `${address} sent something that is not JSON: ${text.slice(0, 80)}`, {
      cause: error,
    })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProviderError("retry", `${address} sent JSON ${lack}: ${text.slice(0, 200)}`)
}

function readBody(body: string): { message: string; code: string } {
  try {
    const parsed = errorBody.safeParse(JSON.parse(body))
    if (parsed.success) {
      const { error } = parsed.data
      return typeof error === "string"
        ? { message: error, code: "" }
        : { message: error.message ?? "", code: String(error.code ?? error.type ?? "") }
    }
  } catch {
    return { message: body.replace(/\s+/g, " ").trim().slice(0, 200), code: "" }
  }
  return { message: body.slice(0, 200), code: "" }
}

/** `retry-after-ms`, or `Retry-After` in seconds or as a date; null when absent or unreadable. Ten minutes at most. */
export function retryAfter(headers: Headers): number | null {
  const exact = Number.parseFloat(headers.get("retry-after-ms") ?? "")
  if (exact >= 0) return Math.min(exact, 600_000)
  const value = headers.get("retry-after")
  if (value === null) return null
  const seconds = Number(value)
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(wait) ? null : Math.min(Math.max(0, wait), 600_000)
}

/** Milliseconds until the quota is full again, when `x-ratelimit-remaining-*` says that none is left. */
export function quotaPause(headers: Headers): number | undefined {
  let pause: number | undefined
  for (const what of ["requests", "tokens"]) {
    if (headers.get(`x-ratelimit-remaining-${what}`) !== "0") continue
    const reset = duration(headers.get(`x-ratelimit-reset-${what}`) ?? "")
    if (reset !== null) pause = Math.max(pause ?? 0, reset)
  }
  return pause
}

/** "1s", "6m0s", "120ms", "1.5" (seconds) in milliseconds; null when it is none of these. */
export function duration(text: string): number | null {
  const plain = Number(text)
  if (text.trim() !== "" && Number.isFinite(plain)) return plain * 1000
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)]
  if (parts.length === 0) return null
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0)
}

/** A failure below HTTP: connection refused or reset, DNS, time-out. */
export function networkVerdict(error: unknown, address: string, timeoutSeconds: number): ProviderError {
  if (error instanceof ProviderError) return error
  const name = error instanceof Error ? error.name : ""
  const late = name === "TimeoutError" || /timed? ?out/i.test(messageOf(error))
  const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause)})` : ""
  const text = late
    ? `${address} gave no answer within ${timeoutSeconds} s`
    : `${address} could not be reached: ${messageOf(error)}${cause}`
  return new ProviderError("retry", text, { cause: error })
}

/** An address for people to read: no user name, password or query. */
export function plainAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname.replace(/\/$/, "")}`
}

/** Whether requests to this address stay on this machine. */
export function isLocal(url: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname)
}
