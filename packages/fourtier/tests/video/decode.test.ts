/** Protects: the right frames, at the right times, with the right pixels, from every kind of file. */

import { renameSync } from "node:fs"
import { join } from "node:path"
import { resize } from "@fourtier/core/frames"
import { AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG, AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M } from "node-av"
import { describe, expect, test } from "vitest"
import { VideoFile } from "../../src/video/backend.ts"
import { decodeFrames } from "../../src/video/decode.ts"
import { buildFrameTable } from "../../src/video/frametable.ts"
import { type ClipRecipe, makeClip, readNumber, readNumbers, scratchFolder, wholeFile } from "./fixtures.ts"

const folder = scratchFolder()

/** name → recipe; the ending is the container. */
const kinds: Record<string, ClipRecipe> = {
  "h264.mp4": { options: { g: "12", bf: "3" } },
  "h264-open-gop.mkv": { options: { g: "12", bf: "3", "x264-params": "open-gop=1" } },
  "h264.ts": { options: { g: "12", bf: "2" } },
  "h264-long-gop.mp4": { frames: 120, options: { g: "250", bf: "3" } },
  "hevc.mp4": {
    codec: "libx265",
    width: 128,
    height: 96,
    options: { g: "12", bf: "3", "x265-params": "log-level=none" },
  },
  "vp9.webm": { codec: "libvpx-vp9", options: { g: "10", deadline: "realtime", "cpu-used": "8" } },
  "vp9-hidden.webm": {
    codec: "libvpx-vp9",
    options: { g: "30", "lag-in-frames": "16", "auto-alt-ref": "1", "cpu-used": "5" },
  },
  "vp8-hidden.webm": {
    codec: "libvpx",
    options: { g: "30", "lag-in-frames": "16", "auto-alt-ref": "1", "cpu-used": "5" },
  },
  "xvid.avi": { codec: "mpeg4", options: { g: "12", bf: "2" } },
  "xvid-no-b.avi": { codec: "mpeg4", options: { g: "12", bf: "0" } },
  "mpeg4.mp4": { codec: "mpeg4", options: { g: "12", bf: "2" } },
  "mpeg2.mpg": { codec: "mpeg2video", options: { g: "12", bf: "2" } },
  "mjpeg.avi": { codec: "mjpeg", pixelFormat: "yuvj420p" },
  "ffv1-odd.mkv": { codec: "ffv1", width: 67, height: 49 },
  "h264-odd-444.mp4": { width: 67, height: 49, pixelFormat: "yuv444p" },
  "h264-gray.mp4": { pixelFormat: "gray" },
  "h264-10-bit.mp4": { pixelFormat: "yuv420p10le" },
  "h264-422-10-bit.mp4": { pixelFormat: "yuv422p10le" },
  "alpha.mov": { codec: "qtrle", pixelFormat: "argb" },
  "vp9-alpha.webm": {
    codec: "libvpx-vp9",
    pixelFormat: "yuva420p",
    options: { deadline: "realtime", "cpu-used": "8" },
  },
}

describe("every kind of file gives the frames asked for", () => {
  test.each(Object.entries(kinds))("%s", (name, recipe) => {
    const path = makeClip(join(folder, name), recipe)
    const count = recipe.frames ?? 30
    const all = decodeFrames(wholeFile(path), ({ times }) => [...times.keys()])
    expect(readNumbers(all)).toEqual(Array.from({ length: count }, (_, i) => i))
    expect(all.padded).toBe(0)
    expect([all.width, all.height]).toEqual([recipe.width ?? 64, recipe.height ?? 48])

    const clip = { ...wholeFile(path), frames: count, fps: 25 }
    const area = all.width * all.height * 3
    for (const indices of [[0], [count - 1], [3, 4, 17], [29, 2, 2, 11], [13, 25]]) {
      const some = decodeFrames(clip, { indices })
      expect(some.frameIndices).toEqual(indices)
      const same = indices.every((index, t) =>
        Buffer.from(some.data.subarray(t * area, (t + 1) * area)).equals(
          all.data.subarray(index * area, (index + 1) * area),
        ),
      )
      expect(same, `frames ${indices} are bit for bit those of decoding everything`).toBe(true)
    }
  })
})

describe("times", () => {
  test("of a variable frame rate come from the file, and picking by time follows them", () => {
    const at = (frame: number) => (frame < 10 ? frame * 40 : 400 + (frame - 10) * 200)
    const path = makeClip(join(folder, "vfr.mp4"), { frames: 20, times: at })
    let seen: readonly number[] = []
    decodeFrames(wholeFile(path), (frames) => {
      seen = [...frames.times]
      return [0]
    })
    expect(seen.map((time) => Math.round(time * 1000))).toEqual(Array.from({ length: 20 }, (_, i) => at(i)))
    const picked = decodeFrames(wholeFile(path), { times: [0, 0.399, 0.4, 1.1] })
    expect(picked.frameIndices).toEqual([0, 9, 10, 13])
    expect(readNumbers(picked)).toEqual([0, 9, 10, 13])
  })

  test.each(["mp4", "mkv", "avi", "ts"])("a window of a %s holds the frames that start in it", (ending) => {
    const codec = ending === "avi" ? "mpeg4" : "libx264"
    const path = makeClip(join(folder, `window.${ending}`), { codec, frames: 100, options: { g: "20", bf: "2" } })
    const clip = { path, start: 2, end: 3, frames: 0, fps: 0 }
    const inside = decodeFrames(clip, ({ times }) => [...times.keys()])
    expect(readNumbers(inside)).toEqual(Array.from({ length: 25 }, (_, i) => 50 + i))
    expect(inside.times[0]).toBe(0)
  })
})

describe("padding", () => {
  test("frames past the end become the last one and are counted", () => {
    const path = makeClip(join(folder, "short.mp4"), { frames: 5 })
    const decoded = decodeFrames(wholeFile(path), { indices: [0, 3, 4, 7, 9] })
    expect(readNumbers(decoded)).toEqual([0, 3, 4, 4, 4])
    expect(decoded.padded).toBe(2)
  })

  test("a file with fewer frames than its manifest says is padded too", () => {
    const path = makeClip(join(folder, "fewer.ts"), { frames: 10 })
    const decoded = decodeFrames({ ...wholeFile(path), frames: 14, fps: 25 }, { indices: [2, 9, 12] })
    expect(readNumbers(decoded)).toEqual([2, 9, 9])
    expect(decoded.padded).toBe(1)
  })
})

describe("pictures", () => {
  test.each([90, 180, 270])("are turned by %d degrees", (rotation) => {
    const recipe: ClipRecipe = { width: 64, height: 48, frames: 2, options: { crf: "1" } }
    const flat = decodeFrames(wholeFile(makeClip(join(folder, "upright.mp4"), recipe)), { indices: [1] })
    const path = makeClip(join(folder, `turned-${rotation}.mp4`), { ...recipe, rotation })
    const turned = decodeFrames(wholeFile(path), { indices: [1] })
    expect([turned.width, turned.height]).toEqual(rotation === 180 ? [64, 48] : [48, 64])
    for (const [x, y] of [
      [3, 5],
      [40, 20],
      [63, 47],
    ]) {
      const [u, v] = rotation === 90 ? [47 - y, x] : rotation === 180 ? [63 - x, 47 - y] : [y, 63 - x]
      const from = (y * 64 + x) * 3
      const to = (v * turned.width + u) * 3
      expect([...turned.data.subarray(to, to + 3)]).toEqual([...flat.data.subarray(from, from + 3)])
    }
  })

  test.each([
    ["BT.601, limited range", AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG],
    ["BT.709, limited range", AVCOL_SPC_BT709, AVCOL_RANGE_MPEG],
    ["BT.709, full range", AVCOL_SPC_BT709, AVCOL_RANGE_JPEG],
  ])("have the right colours: %s", (name, space, range) => {
    const path = makeClip(join(folder, `${name.replace(/\W/g, "")}.mp4`), {
      frames: 2,
      color: { space, range },
      options: { crf: "4" },
      background: () => [200, 40, 90],
    })
    const { data } = decodeFrames(wholeFile(path), { indices: [0] })
    const at = (36 * 64 + 30) * 3
    for (const [c, value] of [200, 40, 90].entries()) expect(Math.abs(data[at + c] - value)).toBeLessThanOrEqual(4)
  })

  test("grey stays grey", () => {
    const path = makeClip(join(folder, "grey.mp4"), { pixelFormat: "gray", frames: 2 })
    const { data } = decodeFrames(wholeFile(path), { indices: [0, 1] })
    for (let i = 0; i < data.length; i += 3) expect(data[i] === data[i + 1] && data[i] === data[i + 2]).toBe(true)
  })

  test("scale while decoding, about as the resize step does", () => {
    const path = makeClip(join(folder, "scaled.mp4"), { width: 100, height: 60, frames: 3, rotation: 90 })
    const whole = decodeFrames(wholeFile(path), { indices: [2] })
    const small = decodeFrames(wholeFile(path), { indices: [2] }, { size: { shortSide: 30 } })
    expect([small.width, small.height]).toEqual([30, 50])
    const reference = resize({ data: whole.data, count: 1, width: whole.width, height: whole.height }, 30, 50)
    let sum = 0
    for (const [i, value] of reference.data.entries()) sum += Math.abs(value - small.data[i])
    expect(sum / reference.data.length).toBeLessThan(4)
  })

  test.each([62, 66, 70, 321])("are the same every time at a width of %d", (width) => {
    const pixelFormat = width % 2 === 1 ? "yuv444p" : "yuv420p"
    const path = makeClip(join(folder, `width-${width}.mp4`), { width, frames: 3, pixelFormat })
    const [a, b] = [0, 1].map(() => decodeFrames(wholeFile(path), { indices: [0, 2] }).data)
    expect(Buffer.from(a).equals(b)).toBe(true)
    for (let y = 24; y < 48; y++) expect(a[(y * width + width - 1) * 3 + 1]).toBeGreaterThan(90)
  })
})

test.each(["mp4", "avi", "ts"])("a %s too large to keep in memory is read twice, with the same result", (ending) => {
  const codec = ending === "avi" ? "mpeg4" : "libx264"
  const path = makeClip(join(folder, `large.${ending}`), { codec, frames: 60, options: { g: "10", bf: "2" } })
  const file = VideoFile.open(path, { keepBytes: 1000 })
  try {
    for (const window of [
      { start: null, end: null },
      { start: 1, end: 2 },
    ]) {
      const table = buildFrameTable(file, { ...window, frames: 0, fps: 0 })
      const first = window.start === null ? 0 : 25
      const pixels = new Uint8Array(64 * 48 * 3)
      const numbers: number[] = []
      for (let repeat = 0; repeat < 2; repeat++) {
        file.decode({ first: 0, last: Number.POSITIVE_INFINITY, wanted: null }, (frame) => {
          frame.writeRgb(pixels, 64, 48)
          numbers.push(readNumber(pixels, 64, 48))
          return true
        })
      }
      const half = numbers.slice(numbers.length / 2)
      expect(numbers.slice(0, numbers.length / 2)).toEqual(half)
      expect(half).toContain(first)
      expect(table.times).toHaveLength(window.start === null ? 60 : 25)
    }
  } finally {
    file.close()
  }
})

test("names with spaces and any Unicode, colons and percent signs", () => {
  for (const name of ["two words.mp4", "прыжок 跳 ✓.mp4", "a:b%03d.mp4", "file:x.mp4", "-dash.mp4"]) {
    const path = makeClip(join(folder, "made.mp4"), { frames: 2 })
    const odd = join(folder, name)
    renameSync(path, odd)
    expect(readNumbers(decodeFrames(wholeFile(odd), { indices: [1] }))).toEqual([1])
  }
})
