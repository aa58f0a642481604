/** Addresses of servers: where requests go, what people may read of them, and the secrets that they hold. */

import { describeProxy, isLoopback, proxyFor } from "../../util/proxy.ts"

export interface Address {
  /** For requests: without user name, password and query. */
  url: string
  query: Record<string, string>
  /** For people to read, without secrets. */
  plain: string
  /** The header of a user name and password in the address; null without one. */
  authorization: string | null
  /** Must not appear in any message. */
  secrets: string[]
  /** Whether requests stay on this machine. */
  local: boolean
  /** Where images are sent, for people to read. */
  destination: string
}

/**
 * Takes the address of a server apart.
 * @example
 * readAddress("https://me:secret@host/v1").plain // "https://host/v1"
 */
export function readAddress(text: string, environment: NodeJS.ProcessEnv = process.env): Address {
  const url = new URL(text)
  const { username, password, protocol, host, pathname } = url
  const query = Object.fromEntries(url.searchParams)
  const plain = `${protocol}//${host}${pathname.replace(/\/$/, "")}`
  const [user, word] = [username, password].map(decoded)
  const authorization = username === "" ? null : `Basic ${Buffer.from(`${user}:${word}`).toString("base64")}`
  const secrets = [text, password, word, ...(authorization ? [authorization.slice("Basic ".length)] : [])]
  for (const [name, value] of Object.entries(query)) if (/key|token|secret|sig/i.test(name)) secrets.push(value)
  const local = isLoopback(url)
  const destination = local ? `${plain} (this machine)` : `${plain}${routeOf(url, environment)}`
  const kept = secrets.filter((secret) => secret.length >= 4 && secret !== plain && secret !== `${plain}/`)
  return { url: `${protocol}//${host}${pathname}`, query, plain, authorization, secrets: kept, local, destination }
}

/** A variable that names no proxy becomes an error with the first request, not with an estimate. */
function routeOf(url: URL, environment: NodeJS.ProcessEnv): string {
  try {
    const proxy = proxyFor(url, environment)
    return proxy ? ` through ${describeProxy(proxy)}` : ""
  } catch {
    return ""
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
