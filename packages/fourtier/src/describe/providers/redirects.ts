/**
 * Redirects of servers. Images and keys go where the user's settings say and nowhere else: a redirect is followed within the same server
 * alone, and where it keeps the request as it is (307, 308). Any other one is passed on as it came, and becomes an error that says where to.
 */

import { proxiedFetch } from "../../util/proxy.ts"

/** Redirects that one request may take. */
const MOST = 3

/** As `fetch`; redirects as above. A reply that is a redirect still has its status and `location`, as a whole address. */
export async function fetchHere(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  let target = new URL(input instanceof Request ? input.url : input)
  let source = input
  for (let taken = 0; ; taken++) {
    const response = await proxiedFetch(source, { ...init, redirect: "manual" })
    const location = response.headers.get("location")
    if (response.status < 300 || response.status > 399 || location === null || !URL.canParse(location, target.href)) {
      return response
    }
    const next = new URL(location, target)
    const same = next.origin === target.origin && (response.status === 307 || response.status === 308)
    if (!same || taken >= MOST || input instanceof Request) return withLocation(response, next)
    await response.body?.cancel()
    target = next
    source = next
  }
}

function withLocation({ status, headers }: Response, { href }: URL): Response {
  const kept = new Headers(headers)
  kept.set("location", href)
  for (const name of ["content-encoding", "content-length"]) kept.delete(name)
  return new Response(null, { status, headers: kept })
}

/** What to do about a redirect that was not followed; null where the reply is none. */
export function redirectFix(status: number, headers: Headers): { to: string; fix: string } | null {
  const location = headers.get("location")
  if (status < 300 || status > 399 || location === null || !URL.canParse(location)) return null
  const { origin, pathname } = new URL(location)
  const base = `${origin}${pathname.replace(/\/chat\/completions\/?$/, "")}`
  return {
    to: `${origin}${pathname}`,
    fix: `nothing was sent there; if that is your server, name it: ${base}. A page to log in at means that the address is not the API's`,
  }
}
