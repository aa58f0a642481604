/** Protects `fourtier watch`: lines, JSON and what it tells others, from files and pipes; that it ends at once, and says what is wrong. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { once } from "node:events"
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { tableLines } from "../../packages/fourtier/src/cli/actions/watch-views.ts"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "../examples/bundle.ts"
import { built, LAUNCHER, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-watch-"))
const bundle = join(folder, "bundle")
const video = join(folder, "video.mp4")
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  await writeBundle(bundle)
  // dark, and bright from second 2 to 4
  const paint = (frame: number, pixels: Uint8Array) => pixels.fill(frame >= 50 && frame < 100 ? 220 : 20)
  encodeClip(video, { frames: 150, paint })
})

const OPTIONS = ["--window", "0.4", "--step", "0.2", "--least", "0.4"]

function start(source: string, ...args: string[]) {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined }
  const child = spawn(process.execPath, [LAUNCHER, "watch", bundle, source, ...OPTIONS, ...args], { env })
  return { child, done: ended(child) }
}

async function ended(
  child: ChildProcessWithoutNullStreams,
): Promise<{ code: number | null; out: string; err: string }> {
  let [out, err] = ["", ""]
  child.stdout.on("data", (data) => {
    out += String(data)
  })
  child.stderr.on("data", (data) => {
    err += String(data)
  })
  const [code] = await once(child, "close")
  return { code, out, err }
}

describe.skipIf(!built)("fourtier watch", () => {
  it("says what begins and ends in a file: plain lines, or lines of JSON with every answer", async () => {
    const { code, out, err } = await start(video, "--pace", "max").done
    expect([code, err]).toEqual([0, `${video}: 64×48, 25 frames/s, h264\n`])
    expect(out).toMatch(
      /^ {2}0:00\.\d {2}start {2}dark {22}\d+ %\n[\s\S]*start {2}bright[\s\S]*end {4}bright +after [12]\.\d s/,
    )
    const json = await start(video, "--pace", "max", "--json", "--answers").done
    const lines = json.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({ event: "connected", width: 64, codec: "h264" })
    const events = lines.filter(({ event }) => event === "start" || event === "end")
    expect(events.map(({ event, label }) => `${event} ${label}`)).toEqual([
      ...["start dark", "end dark", "start bright", "end bright", "start dark", "end dark"],
    ])
    const [, , bright] = events
    expect(bright).toMatchObject({ at: null, time: expect.closeTo(2.4, 0), source: video })
    const answers = lines.filter(({ event }) => event === "answer")
    expect(answers.length).toBeGreaterThan(20)
    expect(answers[0]).toMatchObject({ top: [{ label: "dark" }, { label: "bright" }], unknown: false, dropped: 0 })
  })

  it("reads a pipe at its own speed, and runs a command and posts for each start and end", async () => {
    const posts: { event: string; label: string; at: string }[] = []
    const server = createServer((request, response) => {
      request.on("data", (data) => posts.push(JSON.parse(String(data))))
      request.on("end", () => response.end())
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const log = join(folder, "log.txt")
    const began = performance.now()
    const { child, done } = start("-", "--exec", `echo "$FOURTIER_EVENT $FOURTIER_LABEL" >> "${log}"`, "--post", url)
    createReadStream(video).pipe(child.stdin)
    const { code, err } = await done
    server.close()
    expect([code, err]).toEqual([0, expect.stringMatching(/^standard input: 64×48/)])
    expect((performance.now() - began) / 1000).toBeGreaterThan(5)
    const told = ["start dark", "end dark", "start bright", "end bright", "start dark", "end dark"]
    expect(readFileSync(log, "utf8").trim().split("\n")).toEqual(told)
    expect(posts.map(({ event, label }) => `${event} ${label}`)).toEqual(told)
    expect(Math.abs(Date.parse(posts[0].at) - Date.now())).toBeLessThan(60_000)
  })

  it("tells once what a command and a server do wrong, and goes on", async () => {
    const { code, out, err } = await start(video, "--pace", "max", "--exec", "exit 3", "--post", "http://127.0.0.1:9/")
      .done
    expect(code).toBe(0)
    expect(out.trim().split("\n")).toHaveLength(6)
    expect(err.match(/--exec fails: ends with code 3/g)).toHaveLength(1)
    expect(err.match(/--post fails: (?!fetch failed)/g)).toHaveLength(1)
  })

  it("ends within two seconds of Ctrl-C, with the end of what was under way told", async () => {
    const ready = join(folder, "ready")
    const { child, done } = start(video, "--exec", `echo x > "${ready}"`)
    while (!existsSync(ready)) await new Promise((resolve) => setTimeout(resolve, 50))
    const stopped = performance.now()
    child.kill("SIGINT")
    const { out } = await done
    expect((performance.now() - stopped) / 1000).toBeLessThan(2)
    expect(out).toMatch(/start {2}dark[\s\S]*end {4}dark/)
  })

  it("says what is wrong with its arguments and sources", () => {
    const text = join(folder, "text.mp4")
    writeFileSync(text, "this is not a video")
    const cases: [args: string[], message: RegExp][] = [
      [[bundle], /<source>: is missing[\s\S]*--list/],
      [[bundle, join(folder, "none.mp4")], /no such file/],
      [[bundle, video, "--answers"], /--answers: goes with --json/],
      [[bundle, video, "--post", "host"], /--post: no address/],
      [[bundle, video, "--pace", "0"], /expected: a number above 0, or max/],
      [[bundle, text], /cannot be read as video[\s\S]*fourtier doctor/],
    ]
    const [{ code, out, err }, ...answers] = several(
      [["--list"], ...cases.map(([args]) => args)].map((args) => ["watch", ...args]),
    )
    for (const [i, [args, message]] of cases.entries()) {
      expect([args, answers[i].code, answers[i].err]).toEqual([args, 1, expect.stringMatching(message)])
    }
    expect(code).toBe(0)
    expect(out === "" ? err : out).toMatch(/no cameras found|camera:0/)
  })
})

describe("the table", () => {
  it("fits 80 columns, whatever the names are", () => {
    const event = {
      event: "start" as const,
      label: "a label that goes on and on and on and on",
      time: 3725.5,
      at: null,
    }
    const row = { start: { ...event, probability: 1, seconds: null, source: "" }, end: null }
    const guess = (label: string, probability: number) => ({ label, probability })
    const top = [guess(event.label, 0.91), guess("walk", 0.06), guess("kick", 0.01)]
    const answer = {
      time: 1,
      top,
      probabilities: new Float32Array(),
      background: 0,
      unknown: false,
      padded: 0,
      latency: 0.21,
      dropped: 12,
    }
    const shown = {
      source: "rtsp://user:***@camera.example.org/a/long/path/to/the/main/stream: 1920×1080, 25 frames/s, h264",
    }
    const lines = tableLines({ ...shown, state: "", answer, rate: 3.9, rows: [row], actions: 41, up: 7384 }, 79)
    expect(lines.filter((line) => line.length > 79)).toEqual([])
    expect(lines.join("\n")).toMatch(
      /41 actions in 2 h 3 min[\s\S]*91 %[\s\S]*latency 0\.21 s +3\.9 answers\/s +12 frames dropped/,
    )
    expect(
      tableLines(
        { ...shown, state: "", answer: { ...answer, unknown: true }, rate: 1, rows: [], actions: 0, up: 1 },
        79,
      ),
    ).toContain("  nothing that the model knows")
  })
})
