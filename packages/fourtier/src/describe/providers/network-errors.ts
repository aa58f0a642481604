/** Requests without a reply: what went wrong on the way, with the whole chain of causes, and whether waiting may help. */

import { messageOf } from "@fourtier/tensor"
import { ProviderError } from "../provider.ts"

/** Errors around the one that matters. */
const WRAPPERS = /^(fetch failed|Connection error\.?|Request timed out\.?|)$/

/**
 * Every cause in a chain of errors, from the outermost to the innermost, with its code.
 * @example
 * causesOf(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED ::1:80") })) // "connect ECONNREFUSED ::1:80"
 */
export function causesOf(error: unknown): { text: string; codes: string[] } {
  const texts: string[] = []
  const codes: string[] = []
  const seen = new Set<unknown>()
  const visit = (value: unknown): void => {
    if (value === undefined || value === null || seen.has(value)) return
    seen.add(value)
    const code = codeOf(value)
    if (code !== null) codes.push(code)
    const message = messageOf(value).trim()
    const text = code !== null && !message.includes(code) ? `${message} (${code})`.trim() : message
    if (!texts.includes(text)) texts.push(text)
    if (value instanceof AggregateError) for (const inner of value.errors) visit(inner)
    if (value instanceof Error) visit(value.cause)
  }
  visit(error)
  const telling = texts.filter((text) => !WRAPPERS.test(text) && !/^\(\w+\)$/.test(text))
  return { text: (telling.length > 0 ? telling : texts).join(": "), codes }
}

function codeOf(value: unknown): string | null {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string"
    ? value.code
    : null
}

interface Kind {
  matches: RegExp
  what: string
  fix: string
}

/** Failures that no retry within a run mends, by the codes of their causes. */
const FINAL: readonly Kind[] = [
  {
    matches: /^ERR_PROXY/,
    what: "cannot be reached through the proxy",
    fix: "check the variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
  },
  {
    matches: /^ECONNREFUSED$/,
    what: "refused the connection",
    fix: "start the server, or correct host and port of the address; answers so far are kept",
  },
  {
    matches: /^(ENOTFOUND|EAI_NONAME|ENODATA)$/,
    what: "has a host name that is not known (DNS)",
    fix: "correct the host name of the address, or check the network's name server",
  },
  {
    matches: /^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/,
    what: "does not speak TLS as expected",
    fix: "if the server speaks plain HTTP on this port, write http:// instead of https://",
  },
  {
    matches: /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    what: "has a certificate that is not valid today (TLS)",
    fix: "renew the server's certificate, or set this machine's clock",
  },
  {
    matches: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    what: "has a certificate for another host name (TLS)",
    fix: "use the host name that the certificate is made out to",
  },
  {
    matches: /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|ERR_TLS_|ERR_SSL_)/,
    what: "has a certificate that is not trusted here (TLS)",
    fix: "name the file of its certificate authority in the variable NODE_EXTRA_CA_CERTS",
  },
  {
    matches: /^(HPE_|ERR_INVALID_URL)/,
    what: "does not speak HTTP",
    fix: "check the address: its port, and http:// or https://",
  },
]

/** The error of a request without a reply: connection refused or reset, unknown host, bad certificate, timeout. */
export function networkError(error: unknown, address: string, timeoutSeconds: number): ProviderError {
  if (error instanceof ProviderError) return error
  if (error instanceof Error && error.name === "TimeoutError") {
    return new ProviderError("retry", `${address} did not answer within ${timeoutSeconds} s`, { cause: error })
  }
  const { text, codes } = causesOf(error)
  if (/\bbad port\b|Invalid URL|Failed to parse URL/.test(text)) {
    return new ProviderError("stop", `${address} cannot be used: ${text}`, { cause: error, fix: "correct the address" })
  }
  const kind = FINAL.find(({ matches }) => codes.some((code) => matches.test(code)))
  if (kind) return new ProviderError("stop", `${address} ${kind.what}: ${text}`, { cause: error, fix: kind.fix })
  return new ProviderError("retry", `${address} could not be reached: ${text}`, { cause: error })
}
