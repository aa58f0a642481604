/** A request without a reply says why, to the last cause, and shows no secret; proxies of the environment are used. */

import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createServer as createHttp } from "node:http"
import { createServer as createHttps } from "node:https"
import { type AddressInfo, connect, type Server } from "node:net"
import { join } from "node:path"
import { afterEach, expect, it, describe as suite, vi } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import type { DescribeOptions } from "../../src/describe/options.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { readAddress } from "../../src/describe/providers/address.ts"
import { networkError } from "../../src/describe/providers/network-errors.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { proxyFor } from "../../src/util/proxy.ts"
import { clips, scratch, strips } from "./fixtures.ts"
import { completion, scripted } from "./scripted.ts"

const folder = scratch()
const kinds = ["openai", "http"] as const
let caches = 0

afterEach(() => {
  vi.unstubAllEnvs()
})

async function ask(kind: (typeof kinds)[number], url: string, more: Partial<DescribeOptions> = {}) {
  const provider = await openProvider(
    kind === "openai" ? { kind, model: "gpt-4o", baseUrl: url } : { kind, model: "own", url },
  )
  const cachePath = join(folder, `network-${caches++}.jsonl`)
  return describe({
    clips: clips(5),
    prompts: resolvePrompts("paper"),
    strips,
    provider,
    cachePath,
    retries: 1,
    backoff: 1,
    ...more,
  })
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createHttp()
  const port = await open(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function open(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return address.port
}

/** A certificate for localhost and vlm.example that nobody trusts; null without openssl. */
function selfSigned(): { key: Buffer; cert: Buffer } | null {
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name))
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert]
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:vlm.example"]
  if (spawnSync("openssl", [...words, ...names]).status !== 0) return null
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

const certificate = selfSigned()

suite.each(kinds)("a server that cannot be asked, provider %s", (kind) => {
  it("refuses the connection: the run ends at once", async () => {
    const begin = performance.now()
    const url = `http://127.0.0.1:${await closedPort()}/v1`
    await expect(ask(kind, url, { retries: 8, backoff: 5000 })).rejects.toThrow(
      /refused the connection: .*ECONNREFUSED 127\.0\.0\.1:\d+[\s\S]*start the server/,
    )
    expect(performance.now() - begin).toBeLessThan(3000)
  })

  it("speaks no TLS", async () => {
    const { port } = await scripted(() => ({ body: {} }))
    await expect(ask(kind, `https://127.0.0.1:${port}/v1`)).rejects.toThrow(
      /does not speak TLS as expected: .*wrong version number[\s\S]*http:\/\/ instead of https:\/\//i,
    )
  })

  it.skipIf(!certificate)("has a certificate that is not trusted", async () => {
    const server = createHttps(certificate ?? {}, (_, response) => response.end("{}"))
    const port = await open(server)
    await expect(ask(kind, `https://localhost:${port}/v1`)).rejects.toThrow(
      /certificate that is not trusted here \(TLS\): .*self.signed[\s\S]*NODE_EXTRA_CA_CERTS/,
    )
    server.close()
  })

  it("shows neither password nor key of its address, and sends them", async () => {
    const refused = `http://someone:pass-word-1@127.0.0.1:${await closedPort()}/v1?api_key=secret-2`
    const failure = ask(kind, refused)
    await expect(failure).rejects.toThrow(/http:\/\/127\.0\.0\.1:\d+\/v1 refused/)
    await expect(failure).rejects.not.toThrow(/pass-word-1|someone|secret-2/)
    const { port, received } = await scripted(({ headers }) => ({
      status: 403,
      body: { error: { message: `no entry for ${headers.authorization}, pass-word-1, secret-2` } },
    }))
    const denied = ask(kind, `http://someone:pass-word-1@127.0.0.1:${port}/v1?api_key=secret-2`)
    await expect(denied).rejects.toThrow(/no entry for Basic \[key\], \[key\], \[key\]/)
    expect(received[0].headers.authorization).toBe(`Basic ${Buffer.from("someone:pass-word-1").toString("base64")}`)
    expect(received[0].path).toMatch(/^\/v1(\/chat\/completions)?\?api_key=secret-2$/)
  })
})

suite("causes", () => {
  const coded = (message: string, code: string) => Object.assign(new Error(message), { code })

  it.each<[string, Error, "stop" | "retry", RegExp]>([
    ["DNS", coded("getaddrinfo ENOTFOUND nowhere", "ENOTFOUND"), "stop", /not known \(DNS\): .*ENOTFOUND nowhere/],
    ["DNS for the moment", coded("getaddrinfo EAI_AGAIN x", "EAI_AGAIN"), "retry", /EAI_AGAIN/],
    ["expired", coded("certificate has expired", "CERT_HAS_EXPIRED"), "stop", /not valid today \(TLS\).*has expired/],
    ["another name", coded("Host: x. is not cert's", "ERR_TLS_CERT_ALTNAME_INVALID"), "stop", /another host name/],
    ["no route", coded("connect EHOSTUNREACH 10.0.0.1:80", "EHOSTUNREACH"), "retry", /EHOSTUNREACH 10/],
    ["reset", coded("read ECONNRESET", "ECONNRESET"), "retry", /ECONNRESET/],
    ["closed", coded("other side closed", "UND_ERR_SOCKET"), "retry", /other side closed \(UND_ERR_SOCKET\)/],
    ["a port that fetch does not use", new Error("bad port"), "stop", /cannot be used: bad port/],
    ["no HTTP", coded("Parse Error: Expected HTTP/", "HPE_INVALID_CONSTANT"), "stop", /does not speak HTTP/],
  ])("%s", (_, cause, verdict, text) => {
    const error = networkError(new TypeError("fetch failed", { cause }), "http://x", 1)
    expect([error.verdict, error.message]).toEqual([verdict, expect.stringMatching(text)])
    expect(error.message).not.toMatch(/fetch failed/)
  })

  it("names every address that was tried", () => {
    const tried = [
      coded("connect ECONNREFUSED ::1:1", "ECONNREFUSED"),
      coded("connect ECONNREFUSED 127.0.0.1:1", "ECONNREFUSED"),
    ]
    const cause = Object.assign(new AggregateError(tried, ""), { code: "ECONNREFUSED" })
    const error = networkError(new TypeError("fetch failed", { cause }), "http://localhost:1", 1)
    expect(error.message).toMatch(/ECONNREFUSED ::1:1: connect ECONNREFUSED 127\.0\.0\.1:1$/)
  })
})

suite("proxies of the environment", () => {
  it.each<[string, Record<string, string>, string | undefined]>([
    ["https://a.example/v1", { HTTPS_PROXY: "http://p:3128" }, "p:3128"],
    ["https://a.example/v1", { https_proxy: "q:1", HTTPS_PROXY: "http://p:3128" }, "q:1"],
    ["https://a.example/v1", { HTTP_PROXY: "http://p:3128" }, undefined],
    ["http://a.example/v1", { HTTP_PROXY: "http://p:3128" }, "p:3128"],
    ["http://a.example/v1", { ALL_PROXY: "http://p:3128" }, "p:3128"],
    ["https://a.example/v1", { ALL_PROXY: "http://p:3128", NO_PROXY: "b.example,.example" }, undefined],
    ["https://a.example/v1", { ALL_PROXY: "http://p:3128", NO_PROXY: "a.example:8080" }, "p:3128"],
    ["https://notexample/v1", { ALL_PROXY: "http://p:3128", NO_PROXY: "example" }, "p:3128"],
    ["https://a.example/v1", { ALL_PROXY: "http://p:3128", NO_PROXY: "*" }, undefined],
    ["http://127.0.0.1:8/v1", { HTTP_PROXY: "http://p:3128" }, undefined],
    ["http://localhost:8/v1", { HTTP_PROXY: "http://p:3128" }, undefined],
  ])("%s with %j", (url, environment, host) => {
    expect(proxyFor(new URL(url), environment)?.host).toBe(host)
  })

  it("are told where images are sent, without their password", () => {
    const environment = { HTTPS_PROXY: "http://me:secret@p:3128" }
    expect(readAddress("https://a.example/v1", environment).destination).toBe(
      "https://a.example/v1 through the proxy http://p:3128",
    )
  })

  it.each(kinds)("carry plain HTTP, provider %s", async (kind) => {
    const { port, received } = await scripted(() => ({ body: { ...completion(), text: "a hug" } }))
    vi.stubEnv("OPENAI_API_KEY", "sk-test-key")
    vi.stubEnv("http_proxy", `http://me:secret@127.0.0.1:${port}`)
    expect((await ask(kind, "http://vlm.example/v1")).answers.size).toBe(5)
    expect(received[0].path).toMatch(/^http:\/\/vlm\.example\/v1/)
    expect(received[0].headers.host).toBe("vlm.example")
    expect(received[0].headers["proxy-authorization"]).toMatch(/^Basic /)
  })

  it.skipIf(!certificate).each(kinds)("carry TLS through a tunnel, provider %s", async (kind) => {
    const server = createHttps(certificate ?? {}, (_, response) => {
      response.end(JSON.stringify({ ...completion(), text: "a hug" }))
    })
    const target = await open(server)
    const proxy = createHttp()
    const asked: string[] = []
    proxy.on("connect", (request, socket) => {
      asked.push(request.url ?? "")
      const upstream = connect(target, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        socket.pipe(upstream).pipe(socket)
      })
    })
    vi.stubEnv("OPENAI_API_KEY", "sk-test-key")
    vi.stubEnv("https_proxy", `http://127.0.0.1:${await open(proxy)}`)
    await expect(ask(kind, "https://vlm.example/v1")).rejects.toThrow(/not trusted here \(TLS\): .*self.signed/)
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0")
    expect((await ask(kind, "https://vlm.example/v1")).answers.size).toBe(5)
    expect(new Set(asked)).toEqual(new Set(["vlm.example:443"]))
    proxy.closeAllConnections()
    for (const each of [server, proxy]) each.close()
  })

  it("say that they refuse, are not there, or are of no kind that is known", async () => {
    vi.stubEnv("OPENAI_API_KEY", "sk-test-key")
    vi.stubEnv("http_proxy", `http://127.0.0.1:${await closedPort()}`)
    await expect(ask("openai", "http://vlm.example/v1")).rejects.toThrow(
      /cannot be reached through the proxy: the proxy http:\/\/127\.0\.0\.1:\d+ does not answer.*ECONNREFUSED[\s\S]*HTTPS_PROXY/,
    )
    vi.stubEnv("http_proxy", "socks5://127.0.0.1:9")
    await expect(ask("http", "http://vlm.example/v1")).rejects.toThrow(/not an HTTP proxy: .*socks5:\/\/127\.0\.0\.1:9/)
  })
})
