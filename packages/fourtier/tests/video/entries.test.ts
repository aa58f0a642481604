/** Protects: a key flag is only a claim, and what a stream says once holds to its end. Frames come out as decoded from the start. */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { decodeFrames } from "../../src/video/decode.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { joinDescriptions, joinFlv } from "./boxes.ts"
import { encodeClip } from "./encode.ts"
import { type ClipRecipe, makeClip, readNumbers, scratchFolder, wholeFile } from "./fixtures.ts"

const folder = scratchFolder()

/** Picks frames one by one, each as if it were the only one. */
function singly(path: string, indices: readonly number[]): { numbers: number[]; padded: number } {
  const clip = clipOfFile(path)
  const picks = indices.map((index) => decodeFrames(clip, { indices: [index] }))
  return { numbers: picks.flatMap(readNumbers), padded: picks.reduce((sum, { padded }) => sum + padded, 0) }
}

/** Replaces every occurrence of a box's name or another short text. */
function patched(path: string, from: string, to: string): string {
  const bytes = readFileSync(path)
  const found: number[] = []
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) found.push(at)
  expect(found.length, `${from} is in ${path}`).toBeGreaterThan(0)
  for (const at of found) bytes.write(to, at, "latin1")
  const target = path.replace(/(\.\w+)$/, `-${to}$1`)
  writeFileSync(target, bytes)
  return target
}

const PICKS = [3, 14, 26, 31, 39, 47, 55, 58]

describe("streams without true key frames", () => {
  test.each(["mp4", "mkv", "ts"])("intra refresh in a %s: every frame is the one asked for", (ending) => {
    const recipe = { frames: 60, options: { bf: "0", g: "15", "x264-params": "intra-refresh=1" } }
    const path = makeClip(join(folder, `refresh.${ending}`), recipe)
    expect(singly(path, PICKS)).toEqual({ numbers: PICKS, padded: 0 })
    const window = decodeFrames({ ...wholeFile(path), start: 1.2, end: 1.8 }, ({ times }) => [...times.keys()])
    expect(readNumbers(window)).toEqual(Array.from({ length: 15 }, (_, i) => 30 + i))
    expect(window.padded).toBe(0)
  })

  const kinds: Record<string, ClipRecipe> = {
    hevc: { codec: "libx265", width: 128, height: 96, options: { g: "30", bf: "3", "x265-params": "log-level=none" } },
    h264: { options: { g: "30", bf: "3" } },
    vp9: { codec: "libvpx-vp9", options: { g: "30", deadline: "realtime", "cpu-used": "8" } },
    mpeg4: { codec: "mpeg4", options: { g: "30", bf: "2" } },
  }
  test.each(Object.entries(kinds))("%s with every sample marked as a sync sample", (name, recipe) => {
    // without the table of sync samples all are (ISO/IEC 14496-12, 8.6.2)
    const path = patched(makeClip(join(folder, `${name}.mp4`), { ...recipe, frames: 60 }), "stss", "free")
    expect(singly(path, PICKS)).toEqual({ numbers: PICKS, padded: 0 })
    const window = decodeFrames({ ...wholeFile(path), start: 1.8, end: 2.2 }, ({ times }) => [...times.keys()])
    expect(readNumbers(window)).toEqual(Array.from({ length: 10 }, (_, i) => 45 + i))
  })
})

test("what only the first packet says holds for frames decoded from a later key frame", () => {
  // Decoders read 4:4:4 of x264 before build 151 differently (its CABAC contexts); only the first packet names the build. This
  // stream is of a later build: read as an older one its key frames have errors, wherever decoding begins.
  const path = encodeClip(join(folder, "444.mp4"), {
    frames: 40,
    width: 128,
    height: 96,
    pixelFormat: "yuv444p",
    options: { g: "10", crf: "12", "x264-params": "partitions=i8x8" },
    paint: (frame, pixels, stride) => {
      for (let i = 0; i < pixels.length; i++) {
        const [x, y] = [Math.floor((i % stride) / 3), Math.floor(i / stride)]
        pixels[i] = [x * 5 + frame * 3, y * 7 - frame, (x * y) >> 4][(i % stride) % 3] & 255
      }
    },
  })
  const build = /x264 - core (\d+)/.exec(readFileSync(path, "latin1"))?.[0] ?? ""
  const older = patched(path, build, "x264 - core 142")
  const indices = [10, 20, 30]
  expect(singly(path, indices).padded).toBe(0)
  expect(singly(older, indices).padded).toBe(3)
})

describe("parameters that change in the middle and are announced once", () => {
  const parts = (ending: string) => [
    makeClip(join(folder, `one.${ending}`), { frames: 40, options: { bf: "0", g: "10" } }),
    makeClip(join(folder, `two.${ending}`), {
      frames: 40,
      options: { bf: "0", g: "10", "x264-params": "cabac=0:8x8dct=0:ref=1" },
    }),
  ]
  const indices = [5, 19, 33, 38, 41, 55, 62, 79]
  const numbers = indices.map((index) => index % 40)

  test.each([
    ["by a second sample description", "mp4"],
    ["by a second header in FLV", "flv"],
  ])("%s", (_, ending) => {
    const [one, two] = parts(ending)
    const path = join(folder, `both.${ending}`)
    if (ending === "mp4") joinDescriptions(one, two, path)
    else joinFlv(one, two, path, 1600)
    const clip = clipOfFile(path)
    expect([clip.frames, clip.notes]).toEqual([80, undefined])
    expect(singly(path, indices)).toEqual({ numbers, padded: 0 })
    const together = decodeFrames(clip, { indices: [62, 5, 38] })
    expect([readNumbers(together), together.padded]).toEqual([[22, 5, 38], 0])
    const window = decodeFrames({ ...wholeFile(path), start: 2.6, end: 2.8 }, ({ times }) => [...times.keys()])
    expect([readNumbers(window), window.padded]).toEqual([[25, 26, 27, 28, 29], 0])
  })
})

describe("damage in the middle of a file", () => {
  const path = makeClip(join(folder, "whole.mp4"), { frames: 60, options: { g: "20", bf: "0", crf: "10" } })
  const bytes = readFileSync(path)
  const middle = Math.floor(bytes.length * 0.45)
  const damaged = join(folder, "damaged.mp4")
  writeFileSync(
    damaged,
    Buffer.concat([bytes.subarray(0, middle), Buffer.alloc(60, 0xa5), bytes.subarray(middle + 60)]),
  )

  test("is told by the doctor, with the frames, and the clip stays", () => {
    expect(clipOfFile(path).notes).toBeUndefined()
    const { frames, notes } = clipOfFile(damaged)
    expect(frames).toBe(60)
    expect(notes).toEqual([expect.stringMatching(/^\d+ of 60 frames do not decode without errors: \d+/)])
  })

  test("is counted when such a frame is picked, and other frames are exact", () => {
    const [note] = clipOfFile(damaged).notes ?? []
    const bad = Number(/: (\d+)/.exec(note)?.[1])
    expect(decodeFrames(clipOfFile(damaged), { indices: [bad] }).padded).toBe(1)
    expect(singly(damaged, [0, 1, 45, 58])).toEqual({ numbers: [0, 1, 45, 58], padded: 0 })
  })
})
