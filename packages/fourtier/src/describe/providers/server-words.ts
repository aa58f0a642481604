/** What a server says went wrong, in whatever JSON it says it: the words, the codes, and how long it wants to be left alone. */

import { parseDuration } from "../../util/rate-headers.ts"

export interface ServerWords {
  /** The server's own words, shortened; "" when there are none. */
  message: string
  /** Codes and types beside them. */
  codes: string
  /** An HTTP status inside the body. */
  status: number | null
  /** Milliseconds to wait, where the body says so (Google's RetryInfo, OpenAI's "Please try again in 1.2s"). */
  retryAfter: number | null
}

/** Where words stand: OpenAI `error.message`, vLLM `message`, FastAPI `detail[].msg`, OAuth `error_description`, RFC 9457 `title`. */
const WORDS = [
  "error",
  "errors",
  "title",
  "message",
  "detail",
  "msg",
  "error_message",
  "error_msg",
  "error_description",
]
const MORE_WORDS = ["description", "reason", "fault", "faultstring", "metadata", "raw", "Message"]
const CODES = ["code", "type", "status", "error_code", "quotaId", "reason"]

/** OpenAI, Groq: "Please try again in 7m12.5s." */
const TRY_AGAIN = /(?:try again|retry) (?:in|after) ((?:[\d.]+ ?(?:ms|s|m|h)[a-z]*\s?)+)/i

/** Longest message that is passed on. */
const LONGEST = 500

/**
 * Reads the body of a failure.
 * @example
 * readWords('{"detail":[{"loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}').message // "body.seed: Extra …"
 */
export function readWords(body: string): ServerWords {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { message: plainText(body), codes: "", status: null, retryAfter: null }
  }
  const found = { codes: new Set<string>(), status: null }
  const message =
    wordsIn(value, found, 0) || (isRecord(value) && Object.keys(value).length === 0 ? "" : plainText(body))
  const delay = /"retryDelay"\s*:\s*"([^"]+)"/.exec(body)?.[1] ?? TRY_AGAIN.exec(message)?.[1]
  return {
    message: message.length > LONGEST ? `${message.slice(0, LONGEST)}…` : message,
    codes: [...found.codes].join(" "),
    status: found.status,
    retryAfter: delay === undefined ? null : parseDuration(delay),
  }
}

interface Found {
  codes: Set<string>
  status: number | null
}

function wordsIn(value: unknown, found: Found, depth: number): string {
  if (depth > 6 || value === null || value === undefined) return ""
  if (typeof value === "string") return unpacked(value, found, depth)
  if (Array.isArray(value)) return distinct(value.map((item) => wordsIn(item, found, depth + 1)).slice(0, 4), "; ")
  if (!isRecord(value)) return ""
  for (const name of CODES) {
    const code = value[name]
    if (typeof code !== "string" && typeof code !== "number") continue
    found.codes.add(String(code))
    if (Number(code) >= 400 && Number(code) <= 599) found.status ??= Number(code)
  }
  if (Array.isArray(value.details)) for (const item of value.details) wordsIn(item, found, depth + 1)
  if (Array.isArray(value.violations)) for (const item of value.violations) wordsIn(item, found, depth + 1)
  const texts = [...WORDS, ...MORE_WORDS].map((name) => wordsIn(value[name], found, depth + 1))
  const place = Array.isArray(value.loc) ? `${value.loc.join(".")}: ` : ""
  const message = distinct(texts, ": ")
  return message === "" ? "" : `${place}${message}`
}

/** Some gateways put another server's JSON into a string. */
function unpacked(text: string, found: Found, depth: number): string {
  if (/^\s*[[{]/.test(text)) {
    try {
      return wordsIn(JSON.parse(text), found, depth + 1) || plainText(text)
    } catch {
      return plainText(text)
    }
  }
  return plainText(text)
}

/** Non-empty texts, none twice and none that another contains. */
function distinct(texts: readonly string[], between: string): string {
  const kept: string[] = []
  for (const text of texts) if (text !== "" && !kept.some((other) => other.includes(text))) kept.push(text)
  return kept.join(between)
}

/** A page's or a log's text in one line. */
function plainText(text: string): string {
  return text
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, " ")
    .replace(/<\/?[a-z!][^>]*>/gi, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, LONGEST)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
