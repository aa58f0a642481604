/** Protects: frames have the times that the file gives them, in every container; long files are looked through once. */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, test, vi } from "vitest"
import { VideoFile } from "../../src/video/backend.ts"
import { decodeFrames } from "../../src/video/decode.ts"
import { clipOfFile, probeFile } from "../../src/video/probe.ts"
import { type ClipRecipe, makeClip, readNumbers, scratchFolder, wholeFile } from "./fixtures.ts"

const folder = scratchFolder()

/** Ten frames a second, then, from frame 20, fifty. */
const times = (frame: number) => (frame < 20 ? frame * 100 : 2000 + (frame - 20) * 20)
const PACKET = 188

/** Numbers and times of a clip's frames, decoded with what was measured and without. */
function framesOf(path: string, start: number | null = null, end: number | null = null) {
  const measured = clipOfFile(path, { start, end })
  const [known, unknown] = [measured, { ...wholeFile(path), start, end }].map((clip) => {
    const decoded = decodeFrames(clip, (frames) => [...frames.times.keys()])
    return { numbers: readNumbers(decoded), times: decoded.times.map((time) => Math.round(time * 1000)) }
  })
  expect(known).toEqual(unknown)
  expect(measured.frames).toBe(known.numbers.length)
  return { ...known, duration: measured.duration, notes: measured.notes }
}

describe("a variable frame rate", () => {
  const kinds: [string, ClipRecipe][] = [
    ["vfr.ts", { options: { bf: "2", g: "15" } }],
    ["vfr-mpeg4.mp4", { codec: "mpeg4", options: { bf: "0", g: "15" } }],
    ["vfr-mpeg4.mkv", { codec: "mpeg4", options: { bf: "0", g: "15" } }],
    ["vfr-flv1.flv", { codec: "flv", options: { g: "15" } }],
  ]
  test.each(kinds)("%s", (name, recipe) => {
    const path = makeClip(join(folder, name), { ...recipe, frames: 60, times })
    const whole = framesOf(path)
    expect(whole.numbers).toEqual(Array.from({ length: 60 }, (_, i) => i))
    expect(whole.times).toEqual(whole.numbers.map(times))
    const window = framesOf(path, 1.95, 2.19)
    expect(window.numbers).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
    expect(decodeFrames(clipOfFile(path), { times: [0.5, 2.03, 2.5] }).frameIndices).toEqual([5, 21, 45])
  })
})

describe("breaks in the time base", () => {
  const path = makeClip(join(folder, "part.ts"), { frames: 100, options: { bf: "2", g: "25", crf: "30" } })
  const bytes = readFileSync(path)

  test("two transport streams joined last as long as both", () => {
    const joined = join(folder, "joined.ts")
    writeFileSync(joined, Buffer.concat([bytes, bytes]))
    const { numbers, duration, notes } = framesOf(joined)
    expect(numbers).toEqual([...Array(100).keys(), ...Array(100).keys()])
    expect(duration).toBeCloseTo(8, 2)
    expect(notes).toEqual(["its clock breaks once: the parts are joined end to end"])
    expect(framesOf(joined, 5, 5.4).numbers).toEqual(Array.from({ length: 10 }, (_, i) => 25 + i))
  })

  test("lost packets leave a gap, and the frames after it keep their times", () => {
    const lost = join(folder, "lost.ts")
    const packets = Math.floor(bytes.length / PACKET)
    const [from, to] = [0.3, 0.6].map((share) => Math.floor(packets * share) * PACKET)
    writeFileSync(lost, Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]))
    const { numbers, times: found, duration } = framesOf(lost)
    expect(numbers.length).toBeLessThan(90)
    expect(duration).toBeCloseTo(4, 1)
    expect(numbers.slice(-10)).toEqual(Array.from({ length: 10 }, (_, i) => 90 + i))
    expect(found.slice(-10)).toEqual(numbers.slice(-10).map((number) => number * 40))
  })

  test.each([
    ["h264", "hevc"],
    ["hevc", "h264"],
    ["h264", "mpeg2video"],
  ])("of a stream of %s joined to one of %s the first part is used, and the rest is said", (first, second) => {
    const parts = { h264: path, hevc: join(folder, "hevc.ts"), mpeg2video: join(folder, "mpeg2.ts") }
    const common = { width: 128, height: 96, frames: 50 }
    if (second === "hevc")
      makeClip(parts.hevc, { ...common, codec: "libx265", options: { "x265-params": "log-level=none" } })
    if (second === "mpeg2video") makeClip(parts.mpeg2video, { ...common, codec: "mpeg2video" })
    const [own, next] = [first, second].map(
      (codec) => parts[codec === "h264" ? "h264" : codec === "hevc" ? "hevc" : "mpeg2video"],
    )
    const joined = join(folder, `${first}-${second}.ts`)
    writeFileSync(joined, Buffer.concat([readFileSync(own), readFileSync(next)]))
    const { frames } = clipOfFile(own)
    const { numbers, notes } = framesOf(joined)
    // the demuxer drops the packets that are still open when the new tables come
    expect(numbers.length).toBeGreaterThanOrEqual(frames - 3)
    expect(numbers.slice(0, -5)).toEqual(framesOf(own).numbers.slice(0, numbers.length - 5))
    expect(notes?.join()).toMatch(new RegExp(`its codec changes from ${first} to ${second}: what follows is not used`))
  })
})

/** Checksum of a table of a transport stream (ISO/IEC 13818-1, Annex A). */
function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0)
  }
  return crc >>> 0
}

test("a second video stream that begins where the first one ends is said", () => {
  const first = readFileSync(makeClip(join(folder, "pid-a.ts"), { frames: 30 }))
  const second = readFileSync(makeClip(join(folder, "pid-b.ts"), { frames: 30, codec: "mpeg2video" }))
  // another number for the video's packets, 300 for 256, in their headers and in the program's table
  for (let at = 0; at < second.length; at += PACKET) {
    const header = second.readUInt16BE(at + 1)
    const pid = header & 0x1fff
    if (pid === 256) second.writeUInt16BE((header & 0xe000) | 300, at + 1)
    const table = at + 5
    if (pid < 32 || pid >= 8191 || second[table] !== 2) continue
    const end = table + 3 + (second.readUInt16BE(table + 1) & 0xfff) - 4
    for (let place = table; place < end - 1; place++) {
      if ((second.readUInt16BE(place) & 0x1fff) === 256) second.writeUInt16BE(0xe000 | 300, place)
    }
    second.writeUInt32BE(checksum(second.subarray(table, end)), end)
  }
  const joined = join(folder, "pids.ts")
  writeFileSync(joined, Buffer.concat([first, second]))
  const { frames, notes } = clipOfFile(joined)
  expect([frames, notes]).toEqual([30, ["2 video streams: the one of 64×48 is taken, not mpeg2video"]])
})

test.each(["mp4", "mkv"])("a last frame of ten seconds counts in full: %s", (ending) => {
  const recipe = { frames: 75, times: (i: number) => i * 40, lastDuration: 10_010, options: { bf: "0", g: "25" } }
  const path = makeClip(join(folder, `last.${ending}`), recipe)
  expect(clipOfFile(path).duration).toBeCloseTo(12.97, 2)
  expect(clipOfFile(path, { start: 2, end: 5 })).toMatchObject({ frames: 25, duration: expect.closeTo(3, 2) })
})

describe("packets that only say when they are decoded", () => {
  const recipe: ClipRecipe = { frames: 60, options: { bf: "3", g: "20" } }

  test("an MP4 without composition offsets gives frames in the order in which they are shown", () => {
    const path = makeClip(join(folder, "offsets.mp4"), recipe)
    const bytes = readFileSync(path)
    for (const name of ["ctts", "edts"]) bytes.write("free", bytes.indexOf(name), "latin1")
    writeFileSync(path, bytes)
    const { numbers, times: found } = framesOf(path)
    expect(numbers).toEqual(Array.from({ length: 60 }, (_, i) => i))
    expect(found).toEqual(numbers.map((number) => number * 40))
    expect(readNumbers(decodeFrames(clipOfFile(path), { indices: [7, 22, 41] }))).toEqual([7, 22, 41])
  })

  test.each(["mxf", "asf", "avi"])("so does an %s file of H.264", (ending) => {
    const flags = ending === "mxf" ? "-global_header" : "0"
    const path = makeClip(join(folder, `order.${ending}`), { ...recipe, options: { ...recipe.options, flags } })
    const { numbers, times: found } = framesOf(path)
    expect(numbers).toEqual(Array.from({ length: 60 }, (_, i) => i))
    expect(found).toEqual(numbers.map((number) => number * 40))
    expect(framesOf(path, 1, 1.4).numbers).toEqual(Array.from({ length: 10 }, (_, i) => 25 + i))
  })
})

test("temporal layers of HEVC: what a lower layer does not need, a higher one may", () => {
  const recipe: ClipRecipe = {
    codec: "libx265",
    width: 128,
    height: 96,
    frames: 60,
    options: { g: "60", bf: "4", "x265-params": "log-level=none:temporal-layers=3:b-pyramid=1" },
  }
  const path = makeClip(join(folder, "layers.mp4"), recipe)
  const clip = clipOfFile(path)
  for (const index of [5, 18, 31, 46]) {
    const decoded = decodeFrames(clip, { indices: [index] })
    expect([readNumbers(decoded), decoded.padded]).toEqual([[index], 0])
  }
})

describe("windows of a long file", () => {
  afterEach(() => vi.restoreAllMocks())
  const windows = Array.from({ length: 12 }, (_, i) => ({ start: i, end: i + 1 }))

  /** How many frames come out of the decoder while something is done. */
  function framesDecoded(action: () => void): number {
    const { decode } = VideoFile.prototype
    let count = 0
    vi.spyOn(VideoFile.prototype, "decode").mockImplementation(function (this: VideoFile, run, onFrame) {
      return decode.call(this, run, (frame) => {
        count++
        return onFrame(frame)
      })
    })
    action()
    vi.restoreAllMocks()
    return count
  }

  test.each([
    ["long.ts", "libx264"],
    ["long.avi", "mpeg4"],
    ["long.mpg", "mpeg2video"],
  ])("%s: one look through the file measures all, and taking frames of all needs one at most", (name, codec) => {
    const path = makeClip(join(folder, name), { codec, frames: 255, options: { g: "25", bf: "2" } })
    expect(framesDecoded(() => probeFile(path, windows))).toBe(255)
    const numbers: number[] = []
    const taken = framesDecoded(() => {
      for (const { start, end } of windows.slice(0, 10)) {
        const clip = { path, start, end, frames: 25, fps: 25 }
        numbers.push(...readNumbers(decodeFrames(clip, { indices: [3, 20] })))
      }
    })
    expect(taken).toBeLessThanOrEqual(255 + 10 * 25)
    expect(numbers).toEqual(windows.slice(0, 10).flatMap(({ start }) => [start * 25 + 3, start * 25 + 20]))
  })
})
