/** Servers of this program: how they listen, under which names they answer, and what each answer tells a browser. */

import type { Server } from "node:http"
import { hostname, networkInterfaces } from "node:os"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { createAdaptorServer } from "@hono/node-server"
import type { Env, Hono, MiddlewareHandler } from "hono"
import { secureHeaders } from "hono/secure-headers"

/** Where servers listen that are for this machine alone. */
export const LOOPBACK = "127.0.0.1"

const LOOPBACK_NAMES: readonly string[] = [LOOPBACK, "localhost", "[::1]"]

/** Addresses that mean every network of the machine. */
const EVERYWHERE: readonly string[] = ["0.0.0.0", "::"]

export interface Listening {
  /** For example `http://127.0.0.1:40123/`. */
  address: string
  /** Ends all connections, those that stream included. */
  close(): Promise<void>
}

export interface ListenOptions {
  /** 0: any that is free. */
  port: number
  /** `127.0.0.1` by default. */
  host?: string
  /** Bytes: a request that announces a longer body is not asked to send it (`Expect: 100-continue`). */
  longest?: number
}

/**
 * Serves an app until it is closed.
 * @throws FourtierError where it cannot listen there
 */
export async function listen<E extends Env>(
  app: Hono<E>,
  { port, host = LOOPBACK, longest }: ListenOptions,
): Promise<Listening> {
  const server = createAdaptorServer({ fetch: app.fetch })
  if (!isPlain(server)) throw new Error("internal error: not a server of HTTP/1")
  // uploads take as long as they take: who sends nothing for a while is told by the handler that reads
  server.requestTimeout = 0
  server.on("checkContinue", (request, response) => {
    if (longest === undefined || Number(request.headers["content-length"] ?? 0) <= longest) response.writeContinue()
    server.emit("request", request, response)
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(port, host, resolve)
    })
  } catch (error) {
    throw new FourtierError(
      {
        where: host === LOOPBACK ? "--port" : "--host, --port",
        what: "cannot listen there",
        found: messageOf(error),
        fix: "choose another port, or 0 for any",
      },
      { cause: error },
    )
  }
  const bound = server.address()
  const number = typeof bound === "object" && bound !== null ? bound.port : port
  const name = EVERYWHERE.includes(host) ? LOOPBACK : host.includes(":") ? `[${host}]` : host
  return {
    address: `http://${name}:${number}/`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

function isPlain(server: ReturnType<typeof createAdaptorServer>): server is Server {
  return "requestTimeout" in server
}

/** The names under which a server that listens on `host` is asked for; a name that resolves to it elsewhere is none of them. */
export function namesOf(host: string): ReadonlySet<string> {
  if (host === LOOPBACK) return new Set(LOOPBACK_NAMES)
  const addresses = Object.values(networkInterfaces())
    .flatMap((own) => own ?? [])
    .map(({ address }) => address)
  const own = EVERYWHERE.includes(host) ? [...addresses, hostname(), `${hostname()}.local`] : [host]
  return new Set([...LOOPBACK_NAMES, ...own.map((name) => (name.includes(":") ? `[${name}]` : name).toLowerCase())])
}

/** The name in a header `Host`, without the port; null where it is none. */
export function hostIn(header: string | undefined): string | null {
  if (header === undefined || !URL.canParse(`http://${header}`)) return null
  const { hostname: name, pathname, search, username } = new URL(`http://${header}`)
  return pathname === "/" && search === "" && username === "" ? name : null
}

/** Refuses whoever asks under another name: a page elsewhere whose name was made to resolve to this address. */
export function askedAs(names: ReadonlySet<string>): MiddlewareHandler {
  return async (context, next) => {
    const name = hostIn(context.req.header("host"))
    if (name !== null && names.has(name)) return next()
    return context.text(`ask for ${[...names].join(" or ")}`, 403)
  }
}

/** What every answer has: nothing is stored, guessed, framed, or read by pages of others. */
export function ownHeaders(more: Parameters<typeof secureHeaders>[0] = {}): MiddlewareHandler {
  const secure = secureHeaders({
    strictTransportSecurity: false,
    xDownloadOptions: false,
    xXssProtection: false,
    xPermittedCrossDomainPolicies: false,
    xFrameOptions: "DENY",
    // an answer that says something else of itself knows better
    overwrite: false,
    ...more,
  })
  return async (context, next) => {
    await secure(context, next)
    context.header("Cache-Control", context.res.headers.get("Cache-Control") ?? "no-store")
  }
}
