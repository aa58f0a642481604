/** Protects live sources: they are found by name, cut and restored connections go on, and what is wrong is said in words. */

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { type AddressInfo, createServer as createTcpServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { listCameras, liveSource } from "../../src/deploy/live/address.ts"
import { openCapture } from "../../src/deploy/live/capture.ts"
import { liveConnections } from "../../src/deploy/live/connections.ts"
import { LiveClock } from "../../src/deploy/live/live-clock.ts"
import { encodeClip } from "../video/encode.ts"
import { RtspServer } from "./rtsp-server.ts"

const FPS = 25
let folder: string
const file = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-live-"))
  const paint = (frame: number, pixels: Uint8Array) => pixels.fill(frame % 50 < 25 ? 220 : 20)
  encodeClip(file("clip.mp4"), { frames: 50, fps: FPS, paint, options: { g: "12", bf: "0" } })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe("names of sources", () => {
  it("are told apart, and no password is shown", async () => {
    expect(await liveSource(file("clip.mp4"))).toMatchObject({ kind: "file", format: null })
    expect(await liveSource("-")).toMatchObject({ kind: "pipe", url: "pipe:0" })
    expect(await liveSource("/dev/video3")).toMatchObject({ kind: "camera", url: "/dev/video3" })
    const { name, url } = await liveSource("rtsp://user:pa%40ss@10.0.0.7:554/main?token=abc")
    expect([name, url]).toEqual([
      "rtsp://user:***@10.0.0.7:554/main?…",
      "rtsp://user:pa%40ss@10.0.0.7:554/main?token=abc",
    ])
  })

  it("that are none are refused in words", async () => {
    await expect(liveSource("ftp://host/a")).rejects.toThrow(/no source of video is opened by ftp:[\s\S]*rtsp:\/\//)
    await expect(liveSource("rtsp://a b/")).rejects.toThrow(/cannot be read/)
    await expect(liveSource(file("none.mp4"))).rejects.toThrow(/no such file[\s\S]*--list/)
    await expect(liveSource(folder)).rejects.toThrow(/is a folder/)
    if ((await listCameras()).length === 0) await expect(liveSource("camera")).rejects.toThrow(/no such camera/)
  })
})

describe("a connection", () => {
  it("to a stream that is cut twice goes on each time it is there again, with times that rise", async () => {
    const server = new RtspServer(file("clip.mp4"), FPS)
    await server.listen()
    const stop = new AbortController()
    const losses: string[] = []
    const times: number[] = []
    let connections = 0
    const onLoss = (error: Error, seconds: number) => {
      losses.push(`${error.message.split("\n")[0]} (${seconds} s)`)
      if (server.accepted === connections) void server.listen()
    }
    for await (const { frames, source } of liveConnections(server.url, { signal: stop.signal, onLoss })) {
      connections++
      expect(source).toMatchObject({ width: 64, height: 48, codec: "h264", duration: null })
      let count = 0
      for await (const { time, picture } of frames) {
        times.push(time)
        expect(picture.data.length).toBe(64 * 48 * 3)
        if (++count === 10 && connections < 3) await server.cut()
        if (count === 10 && connections === 3) stop.abort()
      }
    }
    await server.cut()
    expect(connections).toBe(3)
    expect(times.every((time, i) => i === 0 || time > times[i - 1])).toBe(true)
    expect(times.length).toBeGreaterThanOrEqual(30)
    expect(losses.filter((line) => line.endsWith("(1 s)"))).toHaveLength(2)
  })

  it("that cannot be made is an error, unless it is waited for; no attempt is made where none can do better", async () => {
    const closed = createTcpServer()
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const first = (address: string, options = {}) => liveConnections(address, options)[Symbol.asyncIterator]().next()
    await expect(first(`rtsp://127.0.0.1:${port}/`)).rejects.toThrow(/nobody listens there[\s\S]*start the server/)
    const stop = new AbortController()
    let lost = 0
    const onLoss = () => {
      if (++lost === 2) stop.abort()
    }
    expect(await first(`http://127.0.0.1:${port}/`, { wait: true, signal: stop.signal, onLoss })).toMatchObject({
      done: true,
    })
    expect(lost).toBe(2)
    await writeFile(file("text.mp4"), "this is not a video")
    await expect(first(file("text.mp4"), { wait: true })).rejects.toThrow(/text\.mp4: cannot be read as video/)
  })

  it("by HTTP: what the server says is told", async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/secret" ? 401 : request.url === "/none" ? 404 : 200
      response.end(request.url === "/page" ? "<html>not a video</html>" : "")
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const at = (path: string) =>
      liveConnections(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
        [Symbol.asyncIterator]()
        .next()
    await expect(at("/secret")).rejects.toThrow(/user name and a password/)
    await expect(at("/none")).rejects.toThrow(/no such stream/)
    await expect(at("/page")).rejects.toThrow(/no video[\s\S]*not a page/)
    server.close()
  })

  it("to a file is played at its own speed, or a multiple of it; as fast as possible every frame comes", async () => {
    const played = async (pace: number | "max") => {
      let [count, first] = [0, 0]
      for await (const { frames } of liveConnections(file("clip.mp4"), { pace, size: { width: 32, height: 32 } })) {
        for await (const { picture } of frames) {
          first ||= performance.now()
          expect(picture).toMatchObject({ width: 32, height: 32 })
          count++
        }
      }
      return { count, seconds: (performance.now() - first) / 1000 }
    }
    const own = await played(1)
    expect(own.seconds).toBeGreaterThan(1.7)
    expect((await played(4)).seconds).toBeLessThan(own.seconds)
    expect((await played("max")).count).toBe(50)
  })

  it("to a device is opened by its format", async () => {
    const source = { kind: "camera" as const, format: "lavfi", options: {}, name: "test picture" }
    const stop = new AbortController()
    const job = { size: null, pace: null, live: true }
    const capture = await openCapture({ ...job, source: { ...source, url: "testsrc=size=64x48:rate=25" } }, stop.signal)
    if ("error" in capture) throw capture.error
    expect(capture.opened).toMatchObject({ width: 64, height: 48 })
    for await (const { picture } of capture.frames()) {
      expect(picture.width).toBe(64)
      break
    }
    const none = { kind: "camera" as const, url: "/dev/video99", format: "v4l2", options: {}, name: "camera 99" }
    const failed = await openCapture({ ...job, source: none }, stop.signal)
    if (process.platform === "linux") {
      expect(failed).toMatchObject({
        passing: true,
        error: { message: expect.stringMatching(/camera 99: the camera is not there/) },
      })
    }
  })
})

describe("a source's clock", () => {
  it("that jumps is bridged by the time at which frames come; a file's own pauses stay", () => {
    let now = 0
    const live = new LiveClock(0.001, 25, false, () => now)
    const at = (pts: number | null, arrived: number) => {
      now = arrived
      return live.timeOf(pts)
    }
    expect([at(5000, 0), at(5040, 41), at(99_000, 80), at(99_040, 121), at(10, 160), at(null, 200)]).toEqual([
      0,
      0.04,
      expect.closeTo(0.079, 9),
      expect.closeTo(0.119, 9),
      expect.closeTo(0.158, 9),
      expect.closeTo(0.198, 9),
    ])
    const recorded = new LiveClock(0.001, 25, true, () => 0)
    expect([0, 60_000, 60_000].map((pts) => recorded.timeOf(pts))).toEqual([0, 60, 60.04])
  })
})
