/** Protects encoded and annotated video: pictures, times and sizes as they went in, nothing half-written, marks where they belong. */

import { existsSync, readdirSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { annotateVideo } from "../../src/video/annotate.ts"
import { decodeFrames, eachFrame, frameTimesOf } from "../../src/video/decode.ts"
import { VideoEncoder } from "../../src/video/encode.ts"
import { VideoReader } from "../../src/video/reader.ts"
import { encodeClip } from "./encode.ts"

let folder: string
const file = (name: string) => join(folder, name)
const whole = (path: string) => ({ path, start: null, end: null, frames: 0, fps: 0 })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-annotate-"))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Mean of a channel of a picture. */
const mean = (rgb: Uint8Array, channel: number) => {
  let sum = 0
  for (let i = channel; i < rgb.length; i += 3) sum += rgb[i]
  return sum / (rgb.length / 3)
}

describe("an encoded video", () => {
  it("has the colours, the odd sizes made even, and the uneven times that went in", () => {
    const [width, height] = [63, 47]
    const encoder = VideoEncoder.open(file("uneven.mp4"), { width, height, crf: 5 })
    const colours = [
      [200, 40, 40],
      [40, 200, 40],
      [40, 40, 200],
      [128, 128, 128],
    ]
    const times = [0, 0.04, 0.3, 0.5]
    for (const [i, time] of times.entries()) {
      const picture = Uint8Array.from({ length: width * height * 3 }, (_, place) => colours[i][place % 3])
      encoder.write(picture, time)
    }
    expect(existsSync(file("uneven.mp4"))).toBe(false)
    encoder.finish(0.75)
    const table = frameTimesOf(file("uneven.mp4"))
    expect([...table.times].map((time) => Number(time.toFixed(3)))).toEqual(times)
    expect(table.duration).toBeCloseTo(0.75, 2)
    const { data, width: w, height: h } = decodeFrames(whole(file("uneven.mp4")), { indices: [0, 1, 2, 3] })
    expect([w, h]).toEqual([64, 48])
    for (const [i, colour] of colours.entries()) {
      const picture = data.subarray(i * w * h * 3, (i + 1) * w * h * 3)
      for (const channel of [0, 1, 2]) expect(Math.abs(mean(picture, channel) - colour[channel])).toBeLessThan(4)
    }
  })

  it("appears whole or not at all; wrong pictures and times are named", () => {
    const before = readdirSync(folder)
    const open = () => VideoEncoder.open(file("never.mp4"), { width: 16, height: 16 })
    const picture = new Uint8Array(16 * 16 * 3)
    const [small, back, empty, given] = [open(), open(), open(), open()]
    expect(() => small.write(new Uint8Array(3), 0)).toThrow(/another size[\s\S]*16·16·3[\s\S]*3/)
    back.write(picture, 1)
    expect(() => back.write(picture, 0.5)).toThrow(/order of their times[\s\S]*later than 1 s[\s\S]*0\.5/)
    expect(() => empty.write(picture, Number.NaN)).toThrow(/order of their times/)
    given.write(picture, 0)
    for (const encoder of [small, back, empty, given]) encoder.abort()
    expect(() => open().finish()).toThrow(/without a picture/)
    expect(() => given.write(picture, 1)).toThrow(/given up/)
    expect(readdirSync(folder)).toEqual(before)
    for (const side of [0, -4, 2.5, Number.NaN, 20_000]) {
      expect(() => VideoEncoder.open(file("never.mp4"), { width: side, height: 16 })).toThrow(/no size for a video/)
    }
    expect(() => VideoEncoder.open(join(folder, "no", "such", "folder.mp4"), { width: 16, height: 16 })).toThrow(
      /cannot be written/,
    )
  })
})

describe("a video that is read", () => {
  /** Each frame's brightness says its number. */
  const numbered = (name: string, frames: number) =>
    encodeClip(file(name), {
      ...{ width: 64, height: 48, frames, options: { g: "12", crf: "4" } },
      paint: (frame, pixels) => pixels.fill(10 + 4 * frame),
    })

  it("gives every frame once, in order, however it is asked", async () => {
    const path = numbered("numbered.mp4", 50)
    const seen: number[] = []
    const { duration } = eachFrame(whole(path), ({ index, time, data }) => {
      expect(time).toBeCloseTo(index / 25, 3)
      expect(Math.abs(mean(data, 0) - (10 + 4 * index))).toBeLessThan(3)
      seen.push(index)
    })
    expect(seen).toEqual([...Array(50).keys()])
    expect(duration).toBeCloseTo(2, 2)

    const reader = await VideoReader.open(path)
    expect([reader.width, reader.height, reader.times.length]).toEqual([64, 48, 50])
    expect([-1, 0, 0.041, 1, 99].map((time) => reader.frameAt(time))).toEqual([0, 0, 1, 25, 49])
    const read: number[] = []
    for await (const { index, picture } of reader.frames([3, 17, 18, 49], { size: { longSide: 32 } })) {
      expect([picture.width, picture.height]).toEqual([32, 24])
      expect(Math.abs(mean(picture.data, 1) - (10 + 4 * index))).toBeLessThan(3)
      read.push(index)
    }
    expect(read).toEqual([3, 17, 18, 49])
    await reader.close()
    await expect(VideoReader.open(file("none.mp4"))).rejects.toThrow(/none\.mp4/)
  })

  it("is copied with boxes, labels and captions at their times, and told how far it is", async () => {
    const path = encodeClip(file("dark.mp4"), {
      ...{ width: 160, height: 120, frames: 40 },
      paint: (_, pixels) => pixels.fill(20),
    })
    const reader = await VideoReader.open(path)
    const progress: number[] = []
    const green = [0, 255, 0] as const
    await annotateVideo(
      reader,
      file("drawn.mp4"),
      (time) =>
        time < 0.8
          ? [{ box: [0.25, 0.5, 0.75, 0.9], colour: green, texts: ["walk 83 %"] }]
          : [{ caption: "somebody walks from one side of this picture to the other one" }],
      { onProgress: (frames, of) => void progress.push(frames / of) },
    )
    expect(progress.at(-1)).toBe(1)
    const { data, width, height } = decodeFrames(whole(file("drawn.mp4")), { indices: [5, 30] })
    const at = (frame: number, x: number, y: number) =>
      data.subarray(((frame * height + Math.round(y * height)) * width + Math.round(x * width)) * 3).subarray(0, 3)
    const [red, greenOf] = at(0, 0.253, 0.7)
    expect([red < 80, greenOf > 150]).toEqual([true, true])
    expect(at(0, 0.5, 0.7)[1]).toBeLessThan(60)
    // the plate stands above the box; the caption at the lower edge, in the second half alone
    expect(at(0, 0.27, 0.46)[1]).toBeGreaterThan(120)
    const whiteBelow = (frame: number) => {
      const rows = data.subarray(
        (frame * height + Math.round(0.75 * height)) * width * 3,
        (frame + 1) * height * width * 3,
      )
      return rows.some((value, i) => i % 3 === 0 && value > 200)
    }
    expect([whiteBelow(0), whiteBelow(1)]).toEqual([false, true])
    const rounded = (times: Float64Array) => [...times].map((time) => Number(time.toFixed(4)))
    expect(rounded(frameTimesOf(file("drawn.mp4")).times)).toEqual(rounded(reader.times))

    const controller = new AbortController()
    controller.abort()
    const stopped = annotateVideo(reader, file("stopped.mp4"), () => [], { signal: controller.signal })
    await expect(stopped).rejects.toThrow(/abort/i)
    expect(readdirSync(folder).filter((name) => name.includes("stopped"))).toEqual([])
    await reader.close()
  })
})
