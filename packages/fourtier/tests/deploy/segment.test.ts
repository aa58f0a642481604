/** Protects spans of long video: windows as `predict` sees them, however the file is cut for decoding; cuts at the right moments. */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { FrameRecognizer } from "@fourtier/core/bundle"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { writeBundle } from "../../../../tests/examples/bundle.ts"
import { Recognizer } from "../../src/deploy/recognizer.ts"
import { judgeVideo, segmentVideo } from "../../src/deploy/segment.ts"
import { drawSpans } from "../../src/deploy/segment-drawn.ts"
import { loadForStream } from "../../src/deploy/stream.ts"
import { decodeFrames } from "../../src/video/decode.ts"
import { VideoReader } from "../../src/video/reader.ts"
import { encodeClip } from "../video/encode.ts"

let folder: string
let stream: FrameRecognizer
const file = (name: string) => join(folder, name)
const FPS = 25

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-segment-"))
  await writeBundle(file("bundle"))
  // dark, and bright from second 10 to 20 and from 40 to 41
  const bright = (second: number) => (second >= 10 && second < 20) || (second >= 40 && second < 41)
  encodeClip(file("long.mp4"), {
    width: 64,
    height: 48,
    frames: 60 * FPS,
    paint: (frame, pixels) => pixels.fill(bright(frame / FPS) ? 220 : 20),
  })
  encodeClip(file("short.mp4"), { width: 64, height: 48, frames: 12, paint: (_, pixels) => pixels.fill(220) })
  stream = await loadForStream(file("bundle"), { threads: 1 })
})
afterAll(async () => {
  await stream.release()
  await rm(folder, { recursive: true, force: true })
})

describe("a long video", () => {
  it("has spans where things happen, from when to when, and none that are too short", async () => {
    const seen: number[] = []
    const { duration, spans } = await segmentVideo(stream, file("long.mp4"), {
      ...{ window: 2, step: 0.5, least: 1.5 },
      onProgress: (seconds) => void seen.push(seconds),
    })
    expect(duration).toBeCloseTo(60, 1)
    expect(spans.map(({ label }) => label)).toEqual(["dark", "bright", "dark"])
    const bright = spans[1]
    expect([bright.start, bright.end].map(Math.round)).toEqual([10, 20])
    expect(bright.score).toBeGreaterThan(0.7)
    expect(seen.length).toBeGreaterThan(2)
    expect(seen.at(-1)).toBe(duration)
  })

  it("is judged window by window as clips of it are, across the stretches that are decoded", async () => {
    const { windows } = await judgeVideo(stream, file("long.mp4"), { window: 2, step: 0.4 })
    const recognizer = await Recognizer.load(file("bundle"), { workers: 1, threads: 1 })
    for (let i = 0; i < windows.length; i += 9) {
      const { time, probabilities } = windows[i]
      const clip = await recognizer.predict(file("long.mp4"), { start: time - 1, end: time + 1 })
      expect(Math.abs(probabilities[0] - clip.probabilities[0])).toBeLessThan(1e-4)
    }
    await recognizer.release()
  })

  it("is drawn with a caption for as long as its spans last, and as it was in between", async () => {
    const video = await VideoReader.open(file("short.mp4"))
    await drawSpans(video, file("drawn.mp4"), [{ label: "bright", start: 0.08, end: 0.24, score: 0.9 }])
    await video.close()
    const clip = (name: string) => ({ path: file(name), start: null, end: null, frames: 0, fps: 0 })
    const indices = [0, 1, 2, 5, 6, 11]
    const [before, after] = ["short.mp4", "drawn.mp4"].map((name) => decodeFrames(clip(name), { indices }))
    const area = before.data.length / indices.length
    const changed = indices.filter((_, i) => {
      return [...before.data.subarray(i * area, (i + 1) * area)].some((v, at) => v - after.data[i * area + at] > 100)
    })
    expect(changed).toEqual([2, 5])
  })

  it("shorter than a window is judged as a whole, and one that cannot be read is named", async () => {
    const { windows } = await judgeVideo(stream, file("short.mp4"), { window: 2, step: 0.5 })
    expect(windows).toHaveLength(1)
    const { spans } = await segmentVideo(stream, file("short.mp4"), { window: 2, step: 0.5, least: 0 })
    expect(spans).toMatchObject([{ label: "bright" }])
    await expect(segmentVideo(stream, file("none.mp4"))).rejects.toThrow(/none\.mp4/)
  })
})
