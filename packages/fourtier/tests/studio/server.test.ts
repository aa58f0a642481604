/** Protects the studio's server: whom it answers, what of the disk it shows, and that nothing that is sent to it breaks it. */

import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { encodeClip } from "../video/encode.ts"
import { scratchFolder } from "../video/fixtures.ts"
import { ask, asker, studioOf, until } from "./client.ts"
import { malformed } from "./malformed.ts"

const folder = scratchFolder()
const data = join(folder, "clips")
const secret = "not for the page"
const LONGEST = 200_000

let studio: Awaited<ReturnType<typeof studioOf>>
let page: ReturnType<typeof asker>
let address: string
let video: Buffer
beforeAll(async () => {
  const grey = (_: number, pixels: Uint8Array) => pixels.fill(90)
  video = readFileSync(encodeClip(join(data, "wave/a b.mp4"), { frames: 12, paint: grey }))
  writeFileSync(join(folder, "secret.mp4"), secret)
  symlinkSync(join(folder, "secret.mp4"), join(data, "wave/link.mp4"))
  writeFileSync(join(data, "wave/broken.mp4"), "no video")
  studio = await studioOf(folder, data, LONGEST)
  address = studio.server.address
  page = asker(studio.server)
})
afterAll(() => studio.close())

const clipSchema = z.object({ id: z.string(), name: z.string(), label: z.string().nullable(), removed: z.boolean() })
const clips = async () => z.array(clipSchema).parse((await page.get("/api/clips")).value)
const clip = async (name: string) => (await clips()).find((one) => one.name === name) ?? expect.fail(`no ${name}`)
const uploads = () => {
  const path = join(data, ".fourtier-studio/uploads")
  return existsSync(path) ? readdirSync(path) : []
}

describe("who is answered", () => {
  it("nobody without the token, neither for the page nor for what is behind it", async () => {
    for (const path of ["/", "/assets/app.js", "/api/state", "/api/clips", "/api/events", "/report", "/api/bundle/x"]) {
      expect((await ask(address, path)).status).toBe(401)
      expect((await ask(address, path, { headers: { authorization: "Bearer wrong" } })).status).toBe(401)
      expect((await ask(address, `${path}?token=wrong`)).status).toBe(401)
    }
  })

  it("the opened address puts the token into a cookie, which reads and does not write", async () => {
    const opened = await ask(address, `/?token=${studio.server.token}`)
    expect([opened.status, opened.headers.location]).toEqual([303, "/"])
    const [set] = opened.headers["set-cookie"] ?? []
    expect(set).toMatch(/HttpOnly/)
    expect(set).toMatch(/SameSite=Strict/)
    const cookie = set.split(";")[0]
    const shown = await ask(address, "/", { headers: { cookie } })
    expect(shown.text).toContain(`{"kind":"server","token":"${studio.server.token}"}`)
    expect((await ask(address, "/api/state", { headers: { cookie } })).status).toBe(200)
    const headers = { cookie, "content-type": "application/json" }
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      expect((await ask(address, "/api/train", { method, headers, body: "{}" })).status).toBe(401)
    }
  })

  it("no other name than its own, so that no page elsewhere can have its name resolve to it", async () => {
    const { port } = new URL(address)
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1.evil.example",
      "0.0.0.0",
      "[::ffff:7f00:1]",
    ]) {
      const { status } = await ask(address, "/api/state", { headers: { ...page.own, host } })
      expect([host, status]).toEqual([host, 403])
    }
    const { status } = await ask(address, "/api/state", { headers: { ...page.own, host: "localhost:9" } })
    expect(status).toBe(200)
  })

  it.each([
    ["another origin", { origin: "http://evil.example" }],
    ["no origin", { origin: "null" }],
    ["the same name on another port", { origin: "http://127.0.0.1:1" }],
    ["another site, as browsers say", { "sec-fetch-site": "cross-site" }],
    ["another port, as browsers say", { "sec-fetch-site": "same-site" }],
  ])("changes that a page of %s asks for are refused", async (_, more) => {
    const headers = { ...page.own, ...more, "content-type": "application/json" }
    const { status, text } = await ask(address, "/api/classes", { method: "PUT", headers, body: '["x"]' })
    expect([status, JSON.parse(text).where]).toEqual([403, "origin"])
  })

  it("a form of another page, whose body is no JSON, changes nothing", async () => {
    const headers = { ...page.own, "content-type": "text/plain" }
    expect((await ask(address, "/api/classes", { method: "PUT", headers, body: '["x"]' })).status).toBe(415)
  })
})

describe("what browsers are told", () => {
  it("the page is isolated, so that WASM has threads, and runs nothing but its own files", async () => {
    const { headers } = await ask(address, "/", { headers: page.own })
    expect(headers["cross-origin-opener-policy"]).toBe("same-origin")
    expect(headers["cross-origin-embedder-policy"]).toBe("require-corp")
    expect(headers["x-content-type-options"]).toBe("nosniff")
    const policy = String(headers["content-security-policy"])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy.match(/script-src [^;]+/)?.[0]).toBe("script-src 'self' 'wasm-unsafe-eval'")
  })

  it("a video is a video whatever it holds, by ranges, and no page", async () => {
    const { id } = await clip("wave/a b.mp4")
    const path = `/api/clips/${id}/media`
    const part = await ask(address, path, { headers: { ...page.own, range: "bytes=4-7" } })
    expect([part.status, part.text, part.headers["content-range"]]).toEqual([206, "ftyp", `bytes 4-7/${video.length}`])
    expect(part.headers["content-type"]).toBe("video/mp4")
    expect(part.headers["content-security-policy"]).toContain("sandbox")
    expect((await ask(address, path, { headers: { ...page.own, range: "bytes=900000-" } })).status).toBe(416)
    expect((await ask(address, path, { headers: page.own })).text).toBe(video.toString("latin1"))
    expect((await ask(address, path, { method: "HEAD", headers: page.own })).headers["content-length"]).toBe(
      String(video.length),
    )
  })
})

describe("what of the disk is shown", () => {
  it.each([
    "/../../secret.mp4",
    "/..%2f..%2fsecret.mp4",
    "/%2e%2e/%2e%2e/secret.mp4",
    "/assets/../../../secret.mp4",
    "/assets/..%5c..%5csecret.mp4",
    "/assets/....//....//secret.mp4",
    "//etc/passwd",
    "/etc/passwd%00.js",
    "/api/clips/..%2f..%2fsecret.mp4/media",
    "/api/clips/%2e%2e/media",
    "/api/clips/%00/media",
    "/api/clips/%E0%A4%A/media",
    "/api/bundle/..%2f..%2fsecret.mp4",
    "/api/bundle/../../secret.mp4",
    "/api/bundle/%2e%2e%2fclips%2fwave%2fa%20b.mp4",
    "/api/bundle/%E0%A4%A",
    "file:///etc/passwd",
  ])("nothing at %s", async (path) => {
    const { status, text } = await ask(address, path, { headers: page.own })
    expect(text).not.toContain(secret)
    expect(text).not.toContain("root:")
    expect([400, 403, 404]).toContain(status)
  })

  it("no link that leads out of the data folder", async () => {
    const { id } = await clip("wave/link.mp4")
    const { status, text } = await ask(address, `/api/clips/${id}/media`, { headers: page.own })
    expect([status, text.includes(secret)]).toEqual([403, false])
  })

  it("no file of the studio's own, although it lies in the data folder", async () => {
    expect((await clips()).map(({ name }) => name).filter((name) => name.includes("fourtier-studio"))).toEqual([])
  })
})

describe("uploads", () => {
  it("names keep no folders and hide nothing, and none is written over", async () => {
    const names = [
      ["../../../evil.mp4", "evil.mp4"],
      ["..\\..\\evil.mp4", "evil-2.mp4"],
      [".hidden.mp4", "hidden.mp4"],
      ["con.mp4", "clipcon.mp4"],
      ["a\u0000b\nc.webm", "a_b_c.webm"],
      [`${"x".repeat(300)}.mp4`, `${"x".repeat(100)}.mp4`],
      ["<img src=x onerror=alert(1)>.mp4", "_img src=x onerror=alert(1)_.mp4"],
    ]
    for (const [given, kept] of names) {
      const { status, value } = await page.upload(given, "jump", video)
      expect([given, status, value]).toEqual([given, 201, expect.objectContaining({ name: `jump/${kept}` })])
      expect(readFileSync(join(data, "jump", kept)).equals(video)).toBe(true)
    }
    expect(existsSync(join(folder, "evil.mp4"))).toBe(false)
    expect((await page.upload("run.sh", null, video)).status).toBe(415)
    expect((await page.upload("", null, video)).status).toBe(415)
    expect((await page.upload("empty.mp4", null, new Uint8Array())).status).toBe(400)
  })

  it("HTML in labels is data: it is told as JSON and kept as it is", async () => {
    const label = "</script><script>alert(1)</script>"
    const { value } = await page.upload("html.mp4", label, video)
    expect(value).toMatchObject({ label })
    const reply = await ask(address, "/api/clips", { headers: page.own })
    expect(reply.headers["content-type"]).toMatch(/^application\/json/)
    expect((await ask(address, "/", { headers: page.own })).text).not.toContain("alert(1)")
  })

  it("a header that announces 10 GB is answered at once, before anything is sent", async () => {
    const { port } = new URL(address)
    const begun = performance.now()
    const told = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), "127.0.0.1")
      socket.on("error", reject)
      socket.write(
        `POST /api/clips?name=big.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${studio.server.token}\r\n` +
          `Content-Length: 10737418240\r\n\r\n`,
      )
      socket.once("data", (bytes) => {
        socket.destroy()
        resolve(String(bytes))
      })
    })
    expect(told).toMatch(/^HTTP\/1\.1 413 /)
    expect(performance.now() - begun).toBeLessThan(2000)
    expect(uploads()).toEqual([])
  })

  it("a body that says nothing of its length is counted, and ends at the limit", async () => {
    const headers = { ...page.own, "transfer-encoding": "chunked" }
    const body = Buffer.alloc(LONGEST + 1)
    const { status } = await ask(address, "/api/clips?name=long.mp4", { method: "POST", headers, body }).catch(() => ({
      status: 413,
    }))
    expect(status).toBe(413)
    expect(uploads()).toEqual([])
    expect((await clips()).some(({ name }) => name.includes("long"))).toBe(false)
  })

  it("one that is cut in the middle leaves nothing", async () => {
    const { port } = new URL(address)
    const before = (await clips()).length
    const socket = connect(Number(port), "127.0.0.1")
    socket.write(
      `POST /api/clips?name=cut.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${studio.server.token}\r\n` +
        `Content-Length: 100000\r\n\r\n${"x".repeat(5000)}`,
    )
    await until(() => uploads().length === 1)
    socket.destroy()
    await until(() => uploads().length === 0)
    expect((await clips()).length).toBe(before)
    expect(existsSync(join(data, "cut.mp4"))).toBe(false)
  })
})

describe("requests that are wrong", () => {
  const wrong: [method: string, path: string, body: string, where: RegExp][] = [
    ["PATCH", "/api/clips", "{", /^body$/],
    ["PATCH", "/api/clips", "[]", /^body$/],
    ["PATCH", "/api/clips", '{"ids":["none"],"label":"x"}', /^ids$/],
    ["PATCH", "/api/clips", '{"ids":[],"label":"x"}', /^body$/],
    ["PATCH", "/api/clips", '{"ids":["a"],"label":7}', /^body: label$/],
    ["PATCH", "/api/clips", '{"ids":["a"],"__proto__":{"x":1},"more":1}', /^body$/],
    ["PUT", "/api/classes", '{"a":1}', /^body$/],
    ["PUT", "/api/classes", '[""]', /^label$/],
    ["POST", "/api/train", '{"epochs":-1,"resume":false}', /^body: epochs$/],
    ["POST", "/api/describe", '{"ids":"all"}', /^body: ids$/],
    ["POST", "/api/describe", "{}", /^describe$/],
    ["PUT", "/api/clips/none/answers", "[]", /^clip$/],
    ["POST", "/api/clips/none/cut", '[{"start":0,"end":1,"label":null}]', /^clip$/],
    ["POST", "/api/nothing", "{}", /^address$/],
    ["PATCH", "/api/state", "{}", /^address$/],
  ]

  it.each(wrong)("%s %s %s is told what is wrong with it", async (method, path, body, where) => {
    const headers = { ...page.own, "content-type": "application/json" }
    const { status, text } = await ask(address, path, { method, headers, body })
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(JSON.parse(text)).toMatchObject({ where: expect.stringMatching(where), what: expect.any(String) })
  })

  it("a hundred malformed ones later, no two alike, it answers as before", async () => {
    const { port } = new URL(address)
    const requests = malformed(studio.server.token)
    expect(new Set(requests).size).toBeGreaterThanOrEqual(100)
    const before = await clips()
    const answers: string[] = []
    while (answers.length < requests.length) {
      const some = requests.slice(answers.length, answers.length + 20)
      answers.push(...(await Promise.all(some.map((bytes) => rawAnswer(Number(port), bytes)))))
    }
    const taken = requests.filter((_, i) => /^HTTP\/1\.1 [23]/.test(answers[i]))
    expect(taken).toEqual([])
    expect(answers.filter((answer) => /^HTTP\/1\.1 500/.test(answer))).toEqual([])
    expect(await clips()).toEqual(before)
  })

  it("a JSON body that is too long is not read", async () => {
    const headers = { ...page.own, "content-type": "application/json", "content-length": String(2 ** 30) }
    const { port } = new URL(address)
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const answer = await rawAnswer(Number(port), `PATCH /api/clips HTTP/1.1\r\nHost: 127.0.0.1\r\n${head.join("")}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })
})

it("files that cannot be used are named with the reason, and the others measured", async () => {
  const full = async () => {
    const { value } = await page.get("/api/clips")
    return new Map(
      z
        .array(z.looseObject({ name: z.string() }))
        .parse(value)
        .map((one) => [one.name, one]),
    )
  }
  await until(async () => (await full()).get("wave/broken.mp4")?.problem !== null)
  const found = await full()
  expect(found.get("wave/a b.mp4")).toMatchObject({ seconds: 0.48, width: 64, height: 48, problem: null })
  expect(found.get("wave/broken.mp4")?.problem).toMatch(/\w/)
})

it("a strip shows a clip's key frames, and is made once", async () => {
  const { id } = await clip("wave/a b.mp4")
  await until(async () => (await ask(address, `/api/clips/${id}/strip`, { headers: page.own })).status === 200)
  const { text, headers } = await ask(address, `/api/clips/${id}/strip`, { headers: page.own })
  expect([headers["content-type"], text.slice(0, 3)]).toEqual(["image/jpeg", "\u00ff\u00d8\u00ff"])
})

it("answers are written by hand where nobody is asked, and read by everything that reads answers", async () => {
  const { id } = await clip("wave/a b.mp4")
  const path = `/api/clips/${id}/answers`
  await page.send(path, "PUT", [{ prompt: "A", text: "waving" }])
  const { value } = await page.send(path, "PUT", [
    { prompt: "A", text: "waving a hand" },
    { prompt: "B", text: "an arm" },
  ])
  expect(value).toEqual([
    { prompt: "A", text: "waving a hand", byHand: true, flags: [] },
    { prompt: "B", text: "an arm", byHand: true, flags: [] },
  ])
  const lines = readFileSync(join(data, "descriptions.jsonl"), "utf8").trim().split("\n")
  expect(JSON.parse(lines.at(-1) ?? "")).toEqual({
    path: "wave/a b.mp4",
    prompt: "B",
    answer: "an arm",
    model: "by hand",
  })
  expect((await page.send(path, "PUT", [{ prompt: "Z", text: "x" }])).value).toMatchObject({ where: "prompt" })
})

it("one studio at a time works with a data folder", async () => {
  await expect(studioOf(folder, data)).rejects.toThrow(/using this folder/)
})

it("events tell of every change", async () => {
  const reply = await fetch(new URL("/api/events", address), { headers: page.own })
  expect(reply.headers.get("content-type")).toMatch(/^text\/event-stream/)
  const reader = reply.body?.getReader()
  const { id } = await clip("wave/a b.mp4")
  await page.send("/api/clips", "PATCH", { ids: [id], label: "bow" })
  let text = ""
  while (!text.includes('"label":"bow"')) text += Buffer.from((await reader?.read())?.value ?? []).toString()
  await reader?.cancel()
  expect(text).toMatch(/data: \{"kind":"classes","classes":\[.*"bow"/)
})

/** What comes back for these bytes. */
function rawAnswer(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    let text = ""
    const done = () => {
      socket.destroy()
      resolve(text)
    }
    socket.on("data", (part) => {
      text += String(part)
      done()
    })
    socket.on("error", done)
    socket.on("close", done)
    socket.setTimeout(3000, done)
    socket.write(bytes, "latin1")
  })
}
