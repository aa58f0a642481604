/**
 * `fetch` through the proxy that the environment names, as curl and most tools read it: `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`,
 * also in lower case, which goes first; hosts in `NO_PROXY` and this machine are asked directly. Node's own `fetch` knows no proxies
 * before Node 24.
 */

import { request as httpRequest, type IncomingMessage } from "node:http"
import { request as httpsRequest } from "node:https"
import { isIP, type Socket } from "node:net"
import { connect as tlsConnect } from "node:tls"

type Environment = Readonly<Record<string, string | undefined>>

/** Whether requests to this address stay on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1\])$/.test(hostname)
}

/**
 * The proxy for an address; null when it is asked directly.
 * @throws Error with the code ERR_PROXY when the variable names no HTTP proxy
 * @example
 * proxyFor(new URL("https://host/v1"), { HTTPS_PROXY: "http://proxy:3128" })?.host // "proxy:3128"
 */
export function proxyFor(url: URL, environment: Environment = process.env): URL | null {
  const get = (name: string) => environment[name] || environment[name.toUpperCase()] || undefined
  const named = get(url.protocol === "https:" ? "https_proxy" : "http_proxy") ?? get("all_proxy")
  if (named === undefined || isLoopback(url) || isExcluded(url, get("no_proxy") ?? "")) return null
  const text = named.includes("://") ? named : `http://${named}`
  const proxy = URL.canParse(text) ? new URL(text) : null
  if (proxy && /^https?:$/.test(proxy.protocol)) return proxy
  throw proxyError(`not an HTTP proxy: ${proxy ? describeProxy(proxy) : "the variable is no address"}`)
}

/** A proxy for people to read, without user name and password. */
export function describeProxy({ protocol, host }: URL): string {
  return `the proxy ${protocol}//${host}`
}

/** `NO_PROXY`: names, with or without a leading dot, of hosts and of all hosts below them; with a port where there is one; `*`. */
function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const port = url.port || (url.protocol === "https:" ? "443" : "80")
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true
      const [, name, wanted] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
      if (wanted !== undefined && wanted !== port) return false
      const bare = name.replace(/^\*?\./, "")
      return host === bare || host.endsWith(`.${bare}`)
    })
}

/**
 * As `fetch`, through the environment's proxy where there is one.
 * @example
 * const response = await proxiedFetch("https://host/v1/models")
 */
export async function proxiedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const proxy = proxyFor(new URL(input instanceof Request ? input.url : input))
  return proxy === null ? fetch(input, init) : fetchThrough(proxy, new Request(input, init))
}

async function fetchThrough(proxy: URL, request: Request): Promise<Response> {
  const body = Buffer.from(await request.arrayBuffer())
  const target = new URL(request.url)
  const { method, signal } = request
  const headers: Record<string, string> = { ...Object.fromEntries(request.headers), "accept-encoding": "identity" }
  if (body.length > 0) headers["content-length"] = String(body.length)
  const secure = target.protocol === "https:"
  const socket = secure ? await openTunnel(proxy, target, signal) : null
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = socket
      ? httpsRequest(target, {
          method,
          headers,
          signal,
          createConnection: () => tlsConnect({ socket, ...nameOf(target) }),
        })
      : httpRequest({
          ...placeOf(proxy),
          method,
          signal,
          path: target.href,
          headers: { ...headers, ...credentialsOf(proxy), host: target.host },
        })
    outgoing.once("response", resolve)
    outgoing.once("error", (error) => reject(secure || signal.aborted ? error : failureOf(proxy, error)))
    outgoing.end(body)
  })
  const chunks: Buffer[] = []
  for await (const chunk of reply) chunks.push(chunk)
  const status = reply.statusCode ?? 502
  if (!secure && status === 407) throw proxyError(`${describeProxy(proxy)} asks for user name and password (407)`)
  const whole = [204, 205, 304].includes(status) ? null : Buffer.concat(chunks)
  return new Response(whole, { status, headers: pairsOf(reply) })
}

/** A connection to `target` through the proxy (CONNECT, RFC 9110, Section 9.3.6). */
async function openTunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  const host = `${target.hostname}:${target.port || 443}`
  return new Promise((resolve, reject) => {
    const begin = proxy.protocol === "https:" ? httpsRequest : httpRequest
    const headers = { host, ...credentialsOf(proxy) }
    const outgoing = begin({ ...placeOf(proxy), method: "CONNECT", path: host, headers, signal, agent: false })
    outgoing.once("connect", ({ statusCode, statusMessage }, socket) => {
      if (statusCode === 200) return resolve(socket)
      socket.destroy()
      const text = `${describeProxy(proxy)} answered ${statusCode} ${statusMessage ?? ""}`.trim()
      reject((statusCode ?? 0) >= 500 ? new Error(text) : proxyError(text))
    })
    outgoing.once("error", (error) => reject(signal.aborted ? signal.reason : failureOf(proxy, error)))
    outgoing.end()
  })
}

function placeOf({ hostname, port, protocol }: URL): { host: string; port: number } {
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (protocol === "https:" ? 443 : 80) }
}

function credentialsOf({ username, password }: URL): Record<string, string> {
  if (username === "") return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` }
}

function pairsOf({ rawHeaders }: IncomingMessage): [string, string][] {
  return rawHeaders.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, rawHeaders[i + 1]]] : []))
}

/** For the server's certificate; an IP address is no name that a server could be asked for by. */
function nameOf({ hostname }: URL): { host: string; servername?: string } {
  const host = hostname.replace(/^\[|\]$/g, "")
  return isIP(host) === 0 ? { host, servername: host } : { host }
}

/** What went wrong on the way to the proxy: final when there is none, otherwise as it came. */
function failureOf(proxy: URL, error: NodeJS.ErrnoException): Error {
  const absent = error.code === "ECONNREFUSED" || error.code === "ENOTFOUND"
  return absent ? proxyError(`${describeProxy(proxy)} does not answer`, error) : error
}

function proxyError(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: "ERR_PROXY" })
}
