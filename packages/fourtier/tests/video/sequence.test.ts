/**
 * A folder of pictures is a video: every frame at its time, exactly as the picture shows it, gaps included. Datasets of extracted
 * frames are used through this without being made videos first.
 */

import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import sharp from "sharp"
import { beforeAll, describe, expect, it } from "vitest"
import { clipOfFile, decodeFrames, frameTimesOf, VideoReader } from "../../src/video/index.ts"
import { placeOf } from "../../src/video/place.ts"
import { hashPlace, probeFile } from "../../src/video/probe.ts"
import { gapsOf, sequenceAddress, sequenceAt, sequencePattern } from "../../src/video/sequence.ts"
import { scratchFolder } from "./fixtures.ts"

const scratch = scratchFolder()

/** A picture that is its number, in every pixel. */
const shade = (number: number) => [number * 3, 255 - number * 2, 40]

async function pictures(name: string, numbers: readonly number[], nameOf: (number: number) => string) {
  const folder = join(scratch, name)
  mkdirSync(folder, { recursive: true })
  for (const number of numbers) {
    const [r, g, b] = shade(number)
    const image = sharp({ create: { width: 32, height: 24, channels: 3, background: { r, g, b } } })
    await image.toFile(join(folder, nameOf(number)))
  }
  return folder
}

const pngName = (number: number) => `abc_${`${number}`.padStart(6, "0")}.png`
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)
let whole = ""
let gappy = ""
beforeAll(async () => {
  whole = sequenceAddress(await pictures("abc", upTo(60), pngName), "abc_%06d.png", 30)
  const some = upTo(60).filter((number) => number < 20 || number > 24)
  gappy = sequenceAddress(await pictures("gaps", some, pngName), "abc_%06d.png", 30)
})

describe("the names of a folder's pictures", () => {
  it.each([
    [["abc_000001.jpg", "abc_000002.jpg", "list.txt"], "abc_%06d.jpg"],
    [["1.png", "2.png", "10.png"], "%d.png"],
    [["img_00001.jpg", "img_00002.jpg", "cover_1.jpg"], "img_%05d.jpg"],
    [["a.txt"], null],
  ])("%j: %s", (names, pattern) => {
    expect(sequencePattern(names)).toBe(pattern)
  })
})

describe("a folder of pictures as a video", () => {
  it("has a frame for each, at the rate that is given", () => {
    const { times, duration } = frameTimesOf(whole)
    expect(times).toHaveLength(60)
    expect(times[31]).toBeCloseTo(31 / 30, 9)
    expect(duration).toBeCloseTo(2, 9)
    const [measure] = probeFile(whole, [{ start: null, end: null }]).measures
    expect(measure).toMatchObject({ frames: 60, fps: 30, width: 32, height: 24, codec: "png" })
  })

  it("decodes each to the picture's own pixels, in any order and within a window", () => {
    const { data, padded } = decodeFrames(clipOfFile(whole, { start: 1, end: 1.5 }), { indices: [14, 0, 3] })
    expect(padded).toBe(0)
    const own = (i: number) => [...data.subarray(i * 32 * 24 * 3, i * 32 * 24 * 3 + 3)]
    // the picture at second 1 is the 31st
    expect([own(0), own(1), own(2)]).toEqual([shade(45), shade(31), shade(34)])
  })

  it("keeps the others' times where some are missing, and counts these", () => {
    expect(gapsOf(sequenceAt(gappy))).toBe(5)
    const { times } = frameTimesOf(gappy)
    expect(times).toHaveLength(55)
    expect(times[19]).toBeCloseTo(24 / 30, 9)
    const { data } = decodeFrames(clipOfFile(gappy), { times: [0.7, 1] })
    expect([...data.subarray(0, 3)]).toEqual(shade(19))
    expect([...data.subarray(-3)]).toEqual(shade(31))
  })

  it("is read like a long video", async () => {
    const reader = await VideoReader.open(gappy)
    const found: number[][] = []
    for await (const { picture } of reader.frames([0, 25, 54])) found.push([...picture.data.subarray(0, 3)])
    await reader.close()
    expect(found).toEqual([shade(1), shade(31), shade(60)])
  })

  it("is another one when a picture changes", async () => {
    const folder = await pictures("changing", upTo(3), pngName)
    const address = sequenceAddress(folder, "abc_%06d.png", 30)
    const before = hashPlace(placeOf(address))
    expect(hashPlace(placeOf(address))).toBe(before)
    expect(hashPlace(placeOf(sequenceAddress(folder, "abc_%06d.png", 25)))).not.toBe(before)
    rmSync(join(folder, pngName(2)))
    utimesSync(folder, 1, 1)
    expect(hashPlace(placeOf(address))).not.toBe(before)
  })

  it("a picture that does not decode costs only itself; a folder without any is named", async () => {
    const folder = await pictures("broken", upTo(12), pngName)
    writeFileSync(join(folder, pngName(5)), "no picture")
    const address = sequenceAddress(folder, "abc_%06d.png", 30)
    const [measure] = probeFile(address, [{ start: null, end: null }]).measures
    expect(measure).toMatchObject({ frames: 12, notes: [expect.stringMatching(/1 of 12 frames/)] })
    const empty = probeFile(join(folder, "other_%03d.png@30"), [{ start: null, end: null }])
    expect(empty.measures).toEqual([{ reason: expect.stringMatching(/no pictures of such names/) }])
    expect(probeFile(join(scratch, "nowhere/%d.png@30"), [{ start: null, end: null }]).measures).toEqual([
      { reason: "the file is missing" },
    ])
  })
})
