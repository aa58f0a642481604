/** What a failed HTTP request means for the run: one reading of status codes and bodies for all providers that speak HTTP. */

import { formatSeconds } from "@fourtier/core"
import type { z } from "zod"
import { resetAfter, retryAfter } from "../../util/rate-headers.ts"
import { ProviderError } from "../provider.ts"
import { redirectFix } from "./redirects.ts"
import { isRecord, readWords, type ServerWords } from "./server-words.ts"

/** The account can pay for nothing more, whatever status says so. */
const OUT_OF_MONEY =
  /insufficient[_ ](quota|funds?|credits?|balance|user[_ ]quota)|billing|exceeded your current quota|out of (credits?|quota)|(no|not enough|add|purchase|buy) (more )?credits?|credits? (balance|limit|are exhausted|exhausted)|balance (is )?(too low|insufficient|not enough|exhausted)|quota (is )?(used up|exhausted|has been (reached|exhausted))|payment required|spend(ing)? limit|arrear|account[_ ](is[_ ])?(deactivated|suspended|disabled|inactive|not[_ ]active|blocked)/i
/** A limit by the day or month: waiting within a run does not help. */
const PER_DAY = /per[-_ ]?(day|month)|daily|monthly|\b(RPD|TPD)\b/i
/** A limit by the minute, for which some servers use the words of an empty account. */
const PER_MINUTE = /per[-_ ]?(min(ute)?|sec(ond)?)\b|PerMinute|\b(RPM|TPM)\b/i
const REFUSED = /content_policy|content_filter|content management policy|moderation|safety/i
const TOO_FAST = /rate[-_ ]?limit|too many requests|resource_exhausted|throttl/i
const NOT_ALLOWED =
  /(invalid|incorrect|missing|expired|no) (api[-_ ]?)?(key|token)|invalid_api_key|unauthori[sz]ed|authentication/i

const ADD_CREDIT = "add credit or raise the account's limit, then run again; answers so far are kept"
const CHECK_KEY = "check the API key (the variable or file named in the settings) and its permissions"

/** A server that wants to be left alone for longer has used up an account's quota: a run does not wait for that. */
const LONGEST_WAIT_MS = 3_600_000

/**
 * The error of a reply that is none.
 * @param status HTTP status outside 200–299
 * @param body the reply's text
 * @param address where the request went, without secrets
 */
export function statusError(status: number, headers: Headers, body: string, address: string): ProviderError {
  const redirect = redirectFix(status, headers)
  if (redirect !== null) {
    return new ProviderError("stop", `${address} answered ${status}, a redirect to ${redirect.to}`, {
      fix: redirect.fix,
      status,
    })
  }
  return verdictOf(status, headers, readWords(body), `${address} answered ${status}`)
}

function verdictOf(status: number, headers: Headers, words: ServerWords, what: string): ProviderError {
  const text = words.message === "" ? what : `${what}: ${words.message}`
  const both = `${words.codes} ${words.message}`
  const limited = status === 429 || status === 503
  const wait = retryAfter(headers) ?? words.retryAfter ?? (status === 429 ? resetAfter(headers) : null)
  const stop = (fix: string, more = "") => new ProviderError("stop", `${text}${more}`, { fix, status })
  if (status === 402 || isOutOfMoney(both, limited)) return stop(ADD_CREDIT)
  if (limited && wait !== null && wait > LONGEST_WAIT_MS) {
    const asks = ` (it asks for a wait of ${formatSeconds(wait / 1000)})`
    return stop("run again when the quota is renewed; answers so far are kept", asks)
  }
  if (status === 429 || (status === 503 && wait !== null)) {
    return new ProviderError("throttled", text, { retryAfter: wait, status })
  }
  if ((status === 401 || status === 403) && !REFUSED.test(both)) return stop(CHECK_KEY)
  if (status === 404) return stop("check the name of the model and the base URL")
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return new ProviderError("retry", text, { retryAfter: wait, status })
  }
  return new ProviderError("rejected", text, { status })
}

/** The error of words without a status, when they say that the account can pay for nothing more; otherwise null. */
export function accountError(detail: string, what: string): ProviderError | null {
  return isOutOfMoney(detail, false) ? new ProviderError("stop", `${what}: ${detail}`, { fix: ADD_CREDIT }) : null
}

function isOutOfMoney(words: string, limited: boolean): boolean {
  if (limited && PER_DAY.test(words)) return true
  return OUT_OF_MONEY.test(words) && !PER_MINUTE.test(words)
}

/**
 * The error that a reply holds although its status says that all is well; null when it holds none.
 * @param value the reply's JSON, or the part of it that may hold an error
 */
export function hiddenError(value: unknown, headers: Headers, address: string): ProviderError | null {
  const [first] = Array.isArray(value) ? value : [value]
  if (!isRecord(first)) return null
  const { error, errors, message, detail } = first
  if (![error, errors, message, detail].some((part) => part !== undefined && part !== null && part !== "")) return null
  const words = readWords(JSON.stringify(value))
  if (words.message === "") return null
  const what = `${address} sent an error instead of an answer`
  if (words.status !== null) return verdictOf(words.status, headers, words, what)
  const both = `${words.codes} ${words.message}`
  const status = NOT_ALLOWED.test(both) ? 401 : TOO_FAST.test(both) ? 429 : 500
  return verdictOf(status, headers, words, what)
}

/**
 * Reads the JSON of a successful reply.
 * @param expected what the reply should be, for the error
 * @throws ProviderError: of an error in the reply; `retry` when it is not JSON, or not as the schema says
 */
export function parseReply<T>(
  schema: z.ZodType<T>,
  reply: { text: string; headers: Headers; address: string; expected: string },
): T {
  const { text, headers, address, expected } = reply
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const start = readWords(text).message.slice(0, 200)
    throw new ProviderError("retry", `${address} sent a reply that is not JSON: ${start}`, { cause: error })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const hidden = hiddenError(value, headers, address)
  if (hidden) throw hidden
  throw new ProviderError("retry", `${address} sent a reply that is not ${expected}: ${text.slice(0, 200)}`)
}
