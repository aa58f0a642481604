/** Protects a server that recognises: threads do the work, the event loop goes on, answers are those of one thread, memory is flat. */

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { FrameRecognizer } from "@fourtier/core/bundle"
import { transformOf } from "@fourtier/core/frames"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { node } from "../../../../tests/cli/command.ts"
import { writeBundle } from "../../../../tests/examples/bundle.ts"
import { readBundle } from "../../src/deploy/folder.ts"
import { Recognizer } from "../../src/deploy/recognizer.ts"
import { clipOfFile, loadViews } from "../../src/video/index.ts"
import { encodeClip } from "../video/encode.ts"

let folder: string
let recognizer: Recognizer
const file = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-recognizer-"))
  await writeBundle(file("bundle"))
  for (const [name, frames, level] of [
    ["bright.mp4", 9, 220],
    ["dark.mp4", 9, 20],
    ["one.mp4", 1, 220],
    ["two.mp4", 2, 220],
  ] as const) {
    encodeClip(file(name), { width: 320, height: 240, frames, paint: (_, pixels) => pixels.fill(level) })
  }
  await writeFile(file("text.mp4"), "this is not a video")
  recognizer = await Recognizer.load(file("bundle"), { workers: 2, threads: 1 })
})
afterAll(async () => {
  await recognizer.release()
  await rm(folder, { recursive: true, force: true })
})

describe("a recogniser", () => {
  it("answers as the model in this thread does", async () => {
    const bundle = await readBundle(file("bundle"))
    const here = await FrameRecognizer.load(join(file("bundle"), "model.onnx"), bundle, { threads: 1 })
    const job = {
      clip: clipOfFile(file("bright.mp4")),
      sampling: bundle.sampling,
      transform: transformOf(bundle.steps),
    }
    const { views } = loadViews({ ...job, seed: null, scaleWhileDecoding: true })
    const row = await here.predictView(views[0])
    await here.release()
    expect((await recognizer.predict(file("bright.mp4"))).probabilities).toEqual(row)
    expect(await recognizer.predictFrames(views[0])).toEqual(row)
    expect(views[0].length).toBeGreaterThan(0) // the caller's frames are still the caller's
  })

  it("counts frames that stand in for others", async () => {
    const padded = async (name: string) => (await recognizer.predict(file(name))).padded
    expect([await padded("one.mp4"), await padded("two.mp4"), await padded("bright.mp4")]).toEqual([3, 2, 0])
  })

  it("takes plain paths and measured clips, keeps their order, and yields the error of each that cannot be read", async () => {
    const inputs = [file("dark.mp4"), file("text.mp4"), clipOfFile(file("bright.mp4")), file("none.mp4")]
    const found: string[] = []
    for await (const outcome of recognizer.predictAll(inputs)) {
      expect(outcome.clip).toBe(inputs[found.length])
      found.push("error" in outcome ? outcome.error.message : outcome.recognition.top[0].label)
    }
    expect(found).toEqual([
      "dark",
      expect.stringMatching(/text\.mp4: cannot be used as video/),
      "bright",
      expect.stringMatching(/none\.mp4: cannot be used as video[\s\S]*missing/),
    ])
    await expect(recognizer.predict(file("text.mp4"))).rejects.toThrow(/text\.mp4: cannot be used as video/)
  })

  it("with 50 requests under way, the event loop is late by at most 50 ms in 95 of 100 turns, and memory is flat", async () => {
    const files = Array.from({ length: 50 }, (_, i) => file(i % 2 === 0 ? "bright.mp4" : "dark.mp4"))
    const round = () => Promise.all(files.map((one) => recognizer.predict(one, { top: 1 })))
    await round()
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const labels = (await round()).map(({ top }) => top[0].label)
    delay.disable()
    expect(labels).toEqual(files.map((_, i) => (i % 2 === 0 ? "bright" : "dark")))
    expect(delay.percentile(95) / 1e6).toBeLessThanOrEqual(50)
    const before = process.memoryUsage().rss
    for (let i = 0; i < 4; i++) await round()
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(60)
  })

  it("fails what waits when it is released, and keeps no process alive", async () => {
    const other = await Recognizer.load(file("bundle"), { workers: 1 })
    const waiting = Promise.allSettled(Array.from({ length: 8 }, () => other.predict(file("bright.mp4"))))
    await other.release()
    expect(new Set((await waiting).map(({ status }) => status)).has("rejected")).toBe(true)
    const dist = join(import.meta.dirname, "../../dist/deploy/index.js")
    const code = `const { Recognizer } = await import(${JSON.stringify(dist)})
      const recognizer = await Recognizer.load(${JSON.stringify(file("bundle"))})
      console.log((await recognizer.predict(${JSON.stringify(file("dark.mp4"))})).top[0].label)`
    const { code: status, out, err } = node(["--input-type=module", "--eval", code])
    expect([status, out, err]).toEqual([0, "dark\n", ""])
  })
})
