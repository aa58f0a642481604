/**
 * Protects detection in videos: people followed by number, judged at key times as single moments are, nothing searched twice, and drawn
 * where they are. What finds people here knows them by their colour.
 */

import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { FrameDetector } from "@fourtier/core/bundle"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type DetectedMoment, detectActions, keyTimesOf, trackPeople } from "../../src/deploy/detect.ts"
import { drawDetections, topLabels } from "../../src/deploy/detect-drawn.ts"
import { detectAt, loadDetector } from "../../src/deploy/detector.ts"
import type { PersonBox } from "../../src/people/boxes.ts"
import type { PersonDetector } from "../../src/people/detector.ts"
import { findPeople } from "../../src/people/find.ts"
import type { PeopleAt } from "../../src/people/track.ts"
import { decodeFrames } from "../../src/video/decode.ts"
import { VideoReader } from "../../src/video/reader.ts"
import { encodeClip } from "../video/encode.ts"
import { ACTIONS, writeDetectorBundle } from "./detector-bundle.ts"

const [WIDTH, HEIGHT, FPS] = [128, 96, 25]

/** Two people of 20×60 pixels: a red one who walks to the right, a blue one who walks to the left, one passing above the other. */
const placesAt = (seconds: number) => ({ red: 10 + 22 * seconds, blue: 100 - 22 * seconds })

/** Paints them; the red one is not there between these seconds. */
function paintPeople(hidden: readonly [number, number] = [9, 9]) {
  return (frame: number, pixels: Uint8Array, stride: number) => {
    pixels.fill(30)
    const seconds = frame / FPS
    const { red, blue } = placesAt(seconds)
    const block = (left: number, top: number, colour: readonly number[]) => {
      for (let y = top; y < top + 50; y++)
        for (let x = Math.round(left); x < left + 20; x++) pixels.set(colour, y * stride + 3 * x)
    }
    if (!(seconds >= hidden[0] && seconds < hidden[1])) block(red, 6, [230, 40, 40])
    block(blue, 40, [40, 40, 230])
  }
}

/** Finds red and blue, and counts how often it was asked. */
class ColourDetector implements PersonDetector {
  readonly name = "colours"
  readonly id: string
  readonly sure = 0.5
  asked = 0

  constructor(id = "colours") {
    this.id = id
  }

  sizeOf(): { width: number; height: number } {
    return { width: WIDTH, height: HEIGHT }
  }

  async find({ data, width, height }: { data: Uint8Array; width: number; height: number }): Promise<PersonBox[]> {
    this.asked++
    return [0, 2].flatMap((channel): PersonBox[] => {
      const corners = [width, height, 0, 0]
      for (let i = 0; i < width * height; i++) {
        if (data[3 * i + channel] < 160 || data[3 * i + 2 - channel] > 110) continue
        const [x, y] = [i % width, Math.floor(i / width)]
        corners[0] = Math.min(corners[0], x)
        corners[1] = Math.min(corners[1], y)
        corners[2] = Math.max(corners[2], x + 1)
        corners[3] = Math.max(corners[3], y + 1)
      }
      const [x1, y1, x2, y2] = corners
      return x1 < x2 ? [{ box: [x1 / width, y1 / height, x2 / width, y2 / height], score: 0.9 }] : []
    })
  }

  async release(): Promise<void> {}
}

let folder: string
let actions: FrameDetector
const file = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-detect-"))
  await writeDetectorBundle(file("bundle"))
  const size = { width: WIDTH, height: HEIGHT }
  encodeClip(file("two.mp4"), { ...size, frames: 4 * FPS, options: { crf: "12" }, paint: paintPeople([1.2, 2]) })
  encodeClip(file("nobody.mp4"), { ...size, frames: 3 * FPS, paint: (_, pixels) => pixels.fill(30) })
  encodeClip(file("short.mp4"), { ...size, frames: 12, options: { crf: "12" }, paint: paintPeople() })
  actions = await loadDetector(file("bundle"), { threads: 1 })
})
afterAll(async () => {
  await actions.release()
  await rm(folder, { recursive: true, force: true })
})

async function all(name: string, people: PersonDetector | readonly PeopleAt[], step = 1): Promise<DetectedMoment[]> {
  const moments: DetectedMoment[] = []
  for await (const moment of detectActions(actions, file(name), { people, step })) moments.push(moment)
  return moments
}

describe("people in a video", () => {
  it("keep their numbers, through a gap as well, and are judged at key times as by themselves", async () => {
    const moments = await all("two.mp4", new ColourDetector())
    expect(moments.map(({ time, people }) => [time, people.map(({ track }) => track)])).toEqual([
      [1, [1, 2]],
      [2, [1, 2]],
      [3, [1, 2]],
    ])
    const widths = [WIDTH, HEIGHT, WIDTH, HEIGHT]
    for (const { time, people } of moments) {
      const { red, blue } = placesAt(time)
      const expected = [
        [red, 6, red + 20, 56],
        [blue, 40, blue + 20, 90],
      ]
      for (const [i, { box }] of people.entries()) {
        const off = box.map((side, s) => Math.abs(side * widths[s] - expected[i][s]))
        expect(Math.max(...off)).toBeLessThan(2.5)
      }
      const alone = await detectAt(
        actions,
        file("two.mp4"),
        time,
        people.map(({ box }) => box),
      )
      for (const [i, { probabilities }] of people.entries()) {
        for (const [c, p] of probabilities.entries()) expect(Math.abs(p - alone[i][c])).toBeLessThan(1e-4)
      }
    }
    const halves = await all("two.mp4", new ColourDetector(), 0.5)
    expect(halves.map(({ time }) => time)).toEqual([0.5, 1, 1.5, 2, 2.5, 3, 3.5])
    expect(halves[1]).toEqual(moments[0])
  })

  it("may be given: every one counts, at the times at which they are given", async () => {
    const box = [0.1, 0.1, 0.4, 0.9] as const
    const given = [0.4, 1.7].map((time) => ({ time, people: [{ box, score: 0.01 }] }))
    const late = { time: 99, people: [{ box, score: 0.01 }] }
    const moments = await all("two.mp4", [...given, late])
    expect(moments.map(({ time, people }) => [time, people.length])).toEqual([
      [0.4, 1],
      [1.7, 1],
    ])
    expect(moments[0].people[0].box).toEqual(box)
  })

  it("are a thousand, or nobody, or in a video shorter than a step", async () => {
    const moments = await all("nobody.mp4", new ColourDetector())
    expect(moments).toEqual([1, 2].map((time) => ({ time, people: [] })))
    const thousand = Array.from({ length: 1000 }, (_, i): PersonBox => {
      const [x, y] = [(i % 40) / 40, Math.floor(i / 40) / 25]
      return { box: [x, y, x + 0.02, y + 0.03], score: 0.9 }
    })
    const [crowd] = await all("short.mp4", [{ time: 0.2, people: thousand }])
    expect(crowd.people).toHaveLength(1000)
    expect(crowd.people.every(({ probabilities }) => probabilities.every((p) => p >= 0 && p <= 1))).toBe(true)
    expect((await all("short.mp4", new ColourDetector())).map(({ time, people }) => [time, people.length])).toEqual([
      [0.24, 2],
    ])
    expect(keyTimesOf({ duration: 3 }, { people: [], step: 1 })).toEqual([1, 2])
    expect(keyTimesOf({ duration: 0.5 }, { people: [] })).toEqual([0.25])
  })

  it("are looked for once: by content and detector, whatever the rate, and after an interruption", async () => {
    const keep = { folder: file("people"), hash: "two" }
    const video = await VideoReader.open(file("two.mp4"))
    const [first, second, other] = [new ColourDetector(), new ColourDetector(), new ColourDetector("other")]
    const controller = new AbortController()
    const stopped = trackPeople(video, {
      ...{ people: first, rate: 10, keep, signal: controller.signal },
      onProgress: (frames) => frames === 25 && controller.abort(),
    })
    await expect(stopped).rejects.toThrow(/abort/i)
    const before = first.asked
    expect(before).toBeGreaterThan(0)
    const tracks = await trackPeople(video, { people: second, rate: 10, keep })
    expect(before + second.asked).toBeLessThanOrEqual(40 + 16)
    expect(second.asked).toBeLessThan(40)
    expect(tracks).toHaveLength(2)
    const again = new ColourDetector()
    expect(await trackPeople(video, { people: again, rate: 10, keep })).toEqual(tracks)
    expect(again.asked).toBe(0)
    await trackPeople(video, { people: again, rate: 5, keep })
    expect(again.asked).toBe(0)
    await trackPeople(video, { people: other, rate: 5, keep })
    expect(other.asked).toBe(20)
    expect(await readdir(file("people"))).toHaveLength(2)
    await video.close()
  })

  it("of a file of finds that is torn are found again", async () => {
    const { writeFileSync } = await import("node:fs")
    const { readdirSync } = await import("node:fs")
    const keep = { folder: file("torn"), hash: "short" }
    const video = await VideoReader.open(file("short.mp4"))
    await findPeople(video, new ColourDetector(), [0, 3, 6], { keep })
    const [name] = readdirSync(keep.folder)
    writeFileSync(
      join(keep.folder, name),
      '{"frame":0,"people":[[0.1,0.1,0.2,0.2,0.9]],"looks":[[9,9,9,9,9,9]]}\n{"frame":3,"peop',
    )
    const detector = new ColourDetector()
    const found = await findPeople(video, detector, [0, 3, 6], { keep })
    expect([detector.asked, found[0].people.length, found[1].people.length]).toEqual([2, 1, 2])
    const once = new ColourDetector()
    await findPeople(video, once, [0, 3, 6], { keep })
    expect(once.asked).toBe(0)
    await video.close()
  })
})

describe("a drawn video", () => {
  it("has each person's box on every frame of the track, and the actions of the nearest key time", async () => {
    const video = await VideoReader.open(file("two.mp4"))
    const tracks = await trackPeople(video, { people: new ColourDetector() })
    const moments = await all("two.mp4", new ColourDetector())
    const labels = ACTIONS.map(({ name }) => name)
    await drawDetections(video, file("drawn.mp4"), tracks, moments, { labels, threshold: 2 })
    await video.close()
    const frames = [5, 37, 80]
    const decode = (name: string) =>
      decodeFrames({ path: file(name), start: null, end: null, frames: 0, fps: 0 }, { indices: frames })
    const [before, after] = [decode("two.mp4"), decode("drawn.mp4")]
    for (const [f, frame] of frames.entries()) {
      const { blue } = placesAt(frame / FPS)
      const changed = (x: number, y: number) => {
        const at = ((f * HEIGHT + Math.round(y)) * WIDTH + Math.round(x)) * 3
        return [0, 1, 2].some((c) => Math.abs(before.data[at + c] - after.data[at + c]) > 40)
      }
      // the lower edge of the blue one's box, and not its middle
      expect([changed(blue + 10, 88) || changed(blue + 10, 89), changed(blue + 10, 75)], `${frame}`).toEqual([
        true,
        false,
      ])
    }
  })

  it("names what is likely enough, the likeliest first; never a NaN", () => {
    expect(topLabels(["a", "b", "c", "d"], [0.2, 0.9, 0.6, Number.NaN], 0.5)).toEqual([
      { label: "b", score: 0.9 },
      { label: "c", score: 0.6 },
    ])
  })
})
