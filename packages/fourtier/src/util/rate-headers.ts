/** What a server's headers say about waiting: Retry-After, and the rate-limit headers in the forms that servers use. */

/**
 * Milliseconds after which a server wants to be asked again: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110,
 * Section 10.2.3), or as a duration such as "2s"; of several the longest. Null when absent, unreadable, or not in the future: how long to wait is then for the caller to choose.
 * @example
 * retryAfter(new Headers({ "retry-after": "2.5" })) // 2500
 */
export function retryAfter(headers: Headers): number | null {
  const exact = positive(Number.parseFloat(headers.get("retry-after-ms") ?? ""))
  if (exact !== null) return exact
  const value = headers.get("retry-after")
  if (value === null || value.trim() === "") return null
  // a header sent twice is joined with commas, which also stand in dates
  const parts = /^[^,]*[a-z]{3},/i.test(value) ? [value] : value.split(",")
  const waits = parts.map((part) => positive(parseDuration(part.trim()) ?? Date.parse(part) - Date.now()) ?? 0)
  return positive(Math.max(...waits))
}

interface Quota {
  /** Whether nothing is left; null when the headers do not say. */
  used: boolean | null
  /** Milliseconds until it is full again. */
  reset: number
}

/** What is counted, in OpenAI's and in Anthropic's names; "" is the one counter of OpenRouter and of the IETF draft. */
const COUNTERS = ["-requests", "-tokens", "-input-tokens", "-output-tokens", ""]

/**
 * The quotas that headers tell of: `x-ratelimit-{remaining,reset}-requests` and `-tokens`
 * (https://platform.openai.com/docs/guides/rate-limits), `anthropic-ratelimit-requests-{remaining,reset}`, `ratelimit-reset` and
 * `ratelimit: "name";r=0;t=30` (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers).
 */
function quotasOf(headers: Headers): Quota[] {
  const quotas: Quota[] = []
  const add = (remaining: string | null | undefined, reset: string | null | undefined) => {
    const wait = reset ? readReset(reset) : null
    const left =
      remaining === null || remaining === undefined || remaining.trim() === "" ? Number.NaN : Number(remaining)
    if (wait !== null) quotas.push({ used: Number.isNaN(left) ? null : left <= 0, reset: wait })
  }
  for (const what of COUNTERS) {
    add(headers.get(`x-ratelimit-remaining${what}`), headers.get(`x-ratelimit-reset${what}`))
    add(headers.get(`anthropic-ratelimit${what}-remaining`), headers.get(`anthropic-ratelimit${what}-reset`))
    add(headers.get(`ratelimit-remaining${what}`), headers.get(`ratelimit-reset${what}`))
  }
  for (const part of (headers.get("ratelimit") ?? "").split(/,(?=\s*")/)) {
    add(/\b(?:r|remaining)=(\d+)/.exec(part)?.[1], /\b(?:t|reset)=(\d+)/.exec(part)?.[1])
  }
  return quotas
}

/**
 * Milliseconds until the quota is full again, when the headers of a reply say that none of it is left.
 * @example
 * quotaPause(new Headers({ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s" })) // 2000
 */
export function quotaPause(headers: Headers): number | undefined {
  const used = quotasOf(headers).filter((quota) => quota.used === true)
  return used.length === 0 ? undefined : Math.max(...used.map(({ reset }) => reset))
}

/**
 * Milliseconds to wait after a 429 without Retry-After: until the quota that is used up is full again; where the headers name none as
 * used up, until the first is.
 * @example
 * resetAfter(new Headers({ "x-ratelimit-reset-tokens": "6s" })) // 6000
 */
export function resetAfter(headers: Headers): number | null {
  const resets = quotasOf(headers).map(({ reset }) => reset)
  return quotaPause(headers) ?? (resets.length === 0 ? null : Math.min(...resets))
}

/** A reset as a duration, as seconds, as a date, or as seconds or milliseconds since 1970; null unless in the future. */
function readReset(text: string): number | null {
  const number = Number(text)
  if (text.trim() !== "" && number >= 1e12) return positive(number - Date.now())
  if (text.trim() !== "" && number >= 1e9) return positive(number * 1000 - Date.now())
  if (/^\d{4}-\d\d-\d\dT|^[A-Z][a-z]{2}, /.test(text)) return positive(Date.parse(text) - Date.now())
  return positive(parseDuration(text) ?? 0)
}

/** "1s", "6m0s", "120ms", "1.5" (seconds), "PT1M30S" (ISO 8601) in milliseconds; null for anything else. */
export function parseDuration(text: string): number | null {
  const plain = Number(text)
  if (text.trim() !== "" && Number.isFinite(plain)) return plain * 1000
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  const plainText = text
    .trim()
    .toLowerCase()
    .replace(/^p(?:(\d+d))?t?(?=\d|$)/, "$1")
  const parts = [...plainText.matchAll(/([\d.]+) ?(ms|s|m|h|d)/g)]
  if (parts.length === 0 || !/^(?:[\d.]+ ?(?:ms|s|m|h|d)[a-z]*[ ,]*)+$/.test(plainText)) return null
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0)
}

function positive(value: number): number | null {
  return value > 0 && Number.isFinite(value) ? value : null
}
