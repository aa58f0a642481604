/** Protects: strips hold the right frames side by side; key frames equal those of recorded answers. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { evenTimes, keyFrameIndices } from "@fourtier/core/frames"
import sharp from "sharp"
import { expect, test } from "vitest"
import { z } from "zod"
import { hasShared, shared } from "../../../../tests/shared.ts"
import { doctor } from "../../src/video/doctor.ts"
import { makeStrip, writeStrip } from "../../src/video/keyframes.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { hasStrip, writeStrips } from "../../src/video/strips.ts"
import { encodeClip } from "./encode.ts"
import { makeClip, readNumber, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const recorded = shared("data", "ut_interaction")

async function numbersOf(jpeg: Buffer | string, frames: number): Promise<number[]> {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
  const width = info.width / frames
  return Array.from({ length: frames }, (_, k) => {
    const rows = Array.from({ length: info.height }, (_, y) =>
      data.subarray((y * info.width + k * width) * 3, (y * info.width + (k + 1) * width) * 3),
    )
    return readNumber(Buffer.concat(rows), width, info.height)
  })
}

test("a strip holds the segment centres side by side, in time order", async () => {
  const clip = clipOfFile(makeClip(join(folder, "a.mp4"), { frames: 50, width: 66 }))
  const strip = await makeStrip(clip)
  expect(strip).toMatchObject({ width: 5 * 66, height: 48, keyFrames: [5, 15, 25, 35, 45], padded: 0 })
  expect(await numbersOf(strip.jpeg, 5)).toEqual([5, 15, 25, 35, 45])
  const small = await makeStrip(clip, { frames: 3, height: 24 })
  expect(small).toMatchObject({ width: 3 * 33, height: 24, keyFrames: [8, 25, 41] })
  expect(await numbersOf(small.jpeg, 3)).toEqual([8, 25, 41])
})

test("a strip of more frames than the clip has repeats them", async () => {
  const clip = clipOfFile(makeClip(join(folder, "b.mp4"), { frames: 2 }))
  const strip = await writeStrip(clip, join(folder, "out", "b.jpg"))
  expect(strip).toMatchObject({ keyFrames: [0, 0, 1, 1, 1], padded: 3 })
  expect(await numbersOf(join(folder, "out", "b.jpg"), 5)).toEqual([0, 0, 1, 1, 1])
})

test("a strip of a region shows that part of every frame alone, at the height asked for", async () => {
  const path = join(folder, "halves.mp4")
  const paint = (_: number, pixels: Uint8Array, stride: number) => {
    for (let i = 0; i < pixels.length; i++) pixels[i] = i % stride < stride / 2 ? 20 : 220
  }
  const clip = clipOfFile(encodeClip(path, { frames: 10, paint }))
  const right = await makeStrip(clip, { frames: 2, region: [0.5, 0.25, 1, 0.75], height: 96 })
  expect(right).toMatchObject({ width: 2 * 128, height: 96 })
  const { channels } = await sharp(right.jpeg).stats()
  for (const { mean, stdev } of channels) expect([mean > 200, stdev < 12]).toEqual([true, true])
  expect(await makeStrip(clip, { frames: 2, region: [0, 0.5, 0.25, 2] })).toMatchObject({ width: 2 * 16, height: 24 })
  await expect(makeStrip(clip, { region: [0.5, 0, 0.5, 1] })).rejects.toThrow(/holds nothing of the picture/)
})

test("strips of many clips are written under their ids", async () => {
  const clips = [30, 40].map((frames) => ({
    ...clipOfFile(makeClip(join(folder, `${frames}.mp4`), { frames })),
    id: `set/${frames}`,
  }))
  const written: string[] = []
  for await (const { clip, path } of writeStrips(clips, join(folder, "strips"), { workers: 1 }))
    written.push(`${clip.id} ${path}`)
  expect(written).toEqual(clips.map(({ id }) => `${id} ${join(folder, "strips", `${id}.jpg`)}`))
  expect(await numbersOf(join(folder, "strips", "set", "40.jpg"), 5)).toEqual([4, 12, 20, 28, 36])
})

test("a strip too wide for JPEG is an error that says so", async () => {
  const clip = clipOfFile(makeClip(join(folder, "c.mp4"), { frames: 2 }))
  await expect(makeStrip(clip, { frames: 1100 })).rejects.toThrow(/too wide/)
})

test.skipIf(!hasShared("key frames of recorded answers", "data", "ut_interaction"))(
  "key frames of 120 real clips equal those of the recorded answers",
  async () => {
    const { manifest } = await doctor(recorded, join(folder, "ut.jsonl"), silent)
    const lineSchema = z.object({ path: z.string(), key_frames: z.array(z.number()) })
    const lines = readFileSync(join(recorded, "descriptions.jsonl"), "utf8").trim().split("\n")
    const wanted = new Map(
      lines.map((line) => lineSchema.parse(JSON.parse(line))).map((line) => [line.path, line.key_frames]),
    )
    expect(manifest.clips).toHaveLength(120)
    expect(manifest.quarantine).toEqual([])
    for (const { relative, frames, fps } of manifest.clips) {
      expect(keyFrameIndices(evenTimes(frames, fps), 5), relative).toEqual(wanted.get(relative))
    }
  },
)

test("a strip counts as there only for the content and the settings that it was made of", async () => {
  const strips = join(folder, "noted")
  const clip = clipOfFile(join(folder, "40.mp4"))
  const named = { ...clip, id: "one" }
  for await (const _ of writeStrips([named], strips, { workers: 1 }));
  expect(await hasStrip(strips, named)).toBe(true)
  expect(await hasStrip(strips, { ...named, hash: "0".repeat(64) })).toBe(false)
  expect(await hasStrip(strips, named, { frames: 4 })).toBe(false)
  expect(await hasStrip(strips, { ...named, id: "two" })).toBe(false)
  expect(await numbersOf(join(strips, "one.jpg"), 5)).toEqual([4, 12, 20, 28, 36])
})
