/** What a failed HTTP request means for the run: one reading of status codes for all providers that speak HTTP. */

import { messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { retryAfter } from "../../util/back-off.ts"
import { ProviderError } from "../provider.ts"

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
 * The error of a reply that is none.
 * @param status HTTP status outside 200–299
 * @param body the reply's text
 * @param address where the request went, without secrets
 */
export function statusError(status: number, headers: Headers, body: string, address: string): ProviderError {
  const { message, code } = readBody(body)
  const text = `${address} answered ${status}${message ? `: ${message}` : ""}`
  const both = `${code} ${message}`
  if (status === 402 || (status === 429 && OUT_OF_MONEY.test(both))) {
    return new ProviderError("stop", text, {
      fix: "add credit or raise the account's limit, then run again; answers so far are kept",
    })
  }
  if (status === 429) return new ProviderError("throttled", text, { retryAfter: retryAfter(headers) })
  if (status === 401 || status === 403) {
    if (REFUSED.test(both)) return new ProviderError("rejected", text)
    return new ProviderError("stop", text, {
      fix: "check the API key (the variable or file named in the settings) and its permissions",
    })
  }
  if (status === 404) return new ProviderError("stop", text, { fix: "check the name of the model and the base URL" })
  if (status === 503 && retryAfter(headers) !== null) {
    return new ProviderError("throttled", text, { retryAfter: retryAfter(headers) })
  }
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return new ProviderError("retry", text, { retryAfter: retryAfter(headers) })
  }
  return new ProviderError("rejected", text)
}

/**
 * Reads the JSON of a successful reply.
 * @param expected what the reply should be, for the error
 * @throws ProviderError `retry` when it is not JSON, or not as the schema says
 */
export function parseReply<T>(schema: z.ZodType<T>, text: string, address: string, expected: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ProviderError("retry", `${address} sent a reply that is not JSON: ${text.slice(0, 80)}`, { cause: error })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ProviderError("retry", `${address} sent a reply that is not ${expected}: ${text.slice(0, 200)}`)
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

/** The error of a request without a reply: connection refused or reset, unknown host, timeout. */
export function networkError(error: unknown, address: string, timeoutSeconds: number): ProviderError {
  if (error instanceof ProviderError) return error
  const name = error instanceof Error ? error.name : ""
  const late = name === "TimeoutError" || /timed? ?out/i.test(messageOf(error))
  const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause)})` : ""
  const text = late
    ? `${address} did not answer within ${timeoutSeconds} s`
    : `${address} could not be reached: ${messageOf(error)}${cause}`
  return new ProviderError("retry", text, { cause: error })
}

/** An address for people to read, without user name, password and query. */
export function plainAddress(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname.replace(/\/$/, "")}`
}

/** Whether requests to this address stay on this machine. */
export function isLocal(url: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname)
}
