/**
 * Who is answered: whoever asks under a name of this server and has its token, and for what changes something, a page of this very
 * server. The token stands in the address that is opened, and then in a cookie; changes want it in a header too, which pages of others
 * cannot set.
 */

import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import type { MiddlewareHandler } from "hono"
import { getCookie, setCookie } from "hono/cookie"
import { hostIn } from "../util/serving.ts"
import { Refusal } from "./refusal.ts"

export function newToken(): string {
  return randomBytes(32).toString("base64url")
}

/** Cookies are shared by all ports of a name: each data folder's studio has its own. */
export function cookieOf(token: string): string {
  return `fourtier-studio-${digest(token).toString("hex").slice(0, 8)}`
}

const digest = (text: string) => createHash("sha256").update(text).digest()

export function isToken(given: string | undefined, token: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

/** @throws Refusal for a name of others: a page whose name was made to resolve to this address */
export function guardName(names: ReadonlySet<string>): MiddlewareHandler {
  return (context, next) => {
    const name = hostIn(context.req.header("host"))
    if (name !== null && names.has(name)) return next()
    throw new Refusal(403, {
      where: "host",
      what: "this server is not called that",
      expected: [...names].join(", "),
      found: context.req.header("host") ?? "none",
      fix: "open the address that fourtier studio has printed",
    })
  }
}

/** Takes the token of an opened address into a cookie, and opens the page without it. */
export function takeToken(token: string): MiddlewareHandler {
  return (context, next) => {
    if (!isToken(context.req.query("token"), token) || context.req.path !== "/") return next()
    setCookie(context, cookieOf(token), token, { httpOnly: true, sameSite: "Strict", path: "/" })
    return Promise.resolve(context.redirect("/", 303))
  }
}

/** @throws Refusal without the token, and for changes that pages of others ask for */
export function guardToken(token: string): MiddlewareHandler {
  return (context, next) => {
    const { req } = context
    const changes = req.method !== "GET" && req.method !== "HEAD"
    const bearer = /^Bearer (.+)$/i.exec(req.header("authorization") ?? "")?.[1]
    const mayRead = isToken(bearer, token) || (!changes && isToken(getCookie(context, cookieOf(token)), token))
    if (!mayRead) {
      throw new Refusal(401, {
        where: "authorization",
        what: "the token is missing or wrong",
        fix: "open the address that fourtier studio has printed, with its ?token=…",
      })
    }
    const origin = req.header("origin")
    const site = req.header("sec-fetch-site")
    const own = origin === undefined || origin === `http://${req.header("host")}`
    if (!changes || (own && (site === undefined || site === "same-origin"))) return next()
    throw new Refusal(403, {
      where: "origin",
      what: "a page elsewhere may change nothing here",
      found: origin ?? site ?? "",
      fix: "open the address that fourtier studio has printed",
    })
  }
}
