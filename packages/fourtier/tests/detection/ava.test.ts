/**
 * AVA's layout is read as it lies on disk: parts, classes that count, several labels a box, excluded frames. What is missing
 * is counted and said, what is broken is named.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { silent } from "@fourtier/core"
import sharp from "sharp"
import { afterAll, describe, expect, it, vi } from "vitest"
import { clipKeyFrames } from "../../src/detection/clips.ts"
import { readAva, readPersonBoxes } from "../../src/detection/index.ts"
import { makeClip } from "../video/fixtures.ts"

const root = mkdtempSync(join(tmpdir(), "fourtier-ava-"))
afterAll(() => rmSync(root, { recursive: true }))

const LABELS = 'label {\n  name: "stand"\n  label_id: 12\n}\nlabel {\n  name: "walk"\n  label_id: 14\n}\n'

let folders = 0
/** A folder with these files. */
function folderOf(files: Record<string, string>): string {
  const folder = join(root, `${folders++}`)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const whole = (changes: Record<string, string> = {}) =>
  folderOf({
    "annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt": LABELS,
    "annotations/ava_train_v2.2.csv":
      "a,0902,0.1,0.1,0.5,0.9,12,0\na,0902,0.1,0.1,0.5,0.9,14,0\na,0902,0.5,0.1,0.9,0.9,80,1\na,0901,0.2,0.2,0.4,0.4,14,0\ngone,0902,0.1,0.1,0.5,0.9,12,7\n",
    "annotations/ava_val_v2.2.csv": "b,0903,0.1,0.1,0.5,0.9,12,0\nb,0904\n",
    "annotations/ava_val_excluded_timestamps_v2.2.csv": "b,0904\n",
    "videos/trainval/a.mkv": "",
    "videos/trainval/b.mp4": "",
    ...changes,
  })

describe("AVA's annotations", () => {
  it("are parts of key frames, rows of one person being one box with several classes", async () => {
    const { classes, parts, videos, tracks, notes } = await readAva(whole())
    expect(classes.map(({ id, name }) => `${id} ${name}`)).toEqual(["12 stand", "14 walk"])
    const [train, val] = parts
    expect([train.name, val.name]).toEqual(["train", "val"])
    expect(train.keyFrames).toEqual([
      { videoId: "a", timestamp: 901, people: [{ box: [0.2, 0.2, 0.4, 0.4], classIds: [14], track: "0" }] },
      {
        videoId: "a",
        timestamp: 902,
        people: [
          { box: [0.1, 0.1, 0.5, 0.9], classIds: [12, 14], track: "0" },
          { box: [0.5, 0.1, 0.9, 0.9], classIds: [], track: "1" },
        ],
      },
    ])
    expect(val.keyFrames.map(({ people }) => people.length)).toEqual([1, 0])
    expect([...val.excluded]).toEqual(["b,904"])
    expect([...videos.keys()]).toEqual(["a", "b"])
    expect(
      tracks
        .get("a")
        ?.get("0")
        ?.map(({ timestamp }) => timestamp),
    ).toEqual([901, 902])
    expect(notes.join("\n")).toMatch(/1 video of the annotations not there: gone/)
    expect(notes.join("\n")).toMatch(/1 class not in .*left out/)
  })

  it.each([
    ["no annotations", { "x.mp4": "" }, /no annotations of AVA/],
    ["no classes", { "ava_train_v2.2.csv": "a,1\n" }, /not one list of classes/],
  ])("%s: an error says what is expected", async (_, files, message) => {
    await expect(readAva(folderOf(files))).rejects.toThrow(message)
  })

  it("are used at the included seconds only, where a file names them", async () => {
    const folder = whole({ "annotations/ava_included_timestamps_v2.2.txt": "0902\n0903\n" })
    const { parts, notes } = await readAva(folder)
    expect(parts.map(({ keyFrames }) => keyFrames.map(({ timestamp }) => timestamp))).toEqual([[902], [903]])
    expect(notes.join("\n")).toMatch(/2 key frames at seconds that are not among the included ones/)
    const broken = whole({ "annotations/ava_included_timestamps_v2.2.txt": "0902\nnoon\n" })
    await expect(readAva(broken)).rejects.toThrow(/ava_included_timestamps_v2.2.txt:2: not a second/)
  })

  it("of videos that are folders of frames: those are found by name, and missing frames counted", async () => {
    const frame = (id: string, n: number) => `frames/${id}/${id}_${`${n}`.padStart(6, "0")}.jpg`
    const some = Object.fromEntries([1, 2, 5].map((n) => [frame("d", n), ""]))
    const { videos, notes } = await readAva(
      whole({ ...some, [frame("a", 1)]: "", "annotations/ava_val_v2.2.csv": "d,0902\n" }),
    )
    expect(videos.get("d")).toMatch(/frames\/d\/d_%06d\.jpg@30$/)
    expect(videos.get("a")).toMatch(/a\.mkv$/)
    expect(notes.join("\n")).toMatch(/2 frames missing in 1 folder: d \(2\)/)
  })

  it("none of the videos, a part twice, boxes of no area, swapped or outside are errors by name", async () => {
    const without = folderOf({ "map/ava_action_list_v2.2.pbtxt": LABELS, "ava_val_v2.2.csv": "b,1,0,0,1,1,12,0\n" })
    await expect(readAva(without)).rejects.toThrow(/none of the annotated videos is there.*[\s\S]*b\.mp4/)
    await expect(readAva(whole({ "old/ava_val_v2.1.csv": "b,1\n" }))).rejects.toThrow(/two files for the part val/)
    for (const box of ["0.5,0.1,0.2,0.9", "0.5,0.1,0.5,0.9", "1.5,0.1,1.8,0.9"]) {
      const wrong = whole({ "annotations/ava_val_v2.2.csv": `b,0903,${box},12,0\n` })
      await expect(readAva(wrong)).rejects.toThrow(/ava_val_v2.2.csv, b,903: a box that holds nothing/)
    }
  })
})

describe("boxes of a detector", () => {
  it("counts repeated boxes once and says what it leaves out", async () => {
    const rows = "b,0903,0.1,0.1,0.5,0.9,12,0.95\nb,0903,0.1,0.1,0.5,0.9,14,0.95\nb,0903,0.2,0.1,0.5,0.9,,0.85\n"
    const path = join(
      folderOf({ "boxes.csv": `${rows}b,0903,0.5,0.1,0.2,0.9,,0.99\nb,903,0.1,0.1,0.5,0.9,,0.5\n` }),
      "boxes.csv",
    )
    const { boxes, low, empty } = await readPersonBoxes(path, 0.9)
    expect(boxes).toEqual([{ videoId: "b", timestamp: 903, box: [0.1, 0.1, 0.5, 0.9], score: 0.95 }])
    expect({ low, empty }).toEqual({ low: 2, empty: 1 })
    expect((await readPersonBoxes(path, 0.8)).boxes).toHaveLength(2)
  })

  it.each([
    "b,0903,0.1,0.1,0.5,0.9,12",
    "b,0903,0.1,x,0.5,0.9,,0.9",
    "b,0903,0.1,NaN,0.5,0.9,,0.9",
    "b,0903,0.1,0.1,0.5,0.9,,",
  ])("names the line of a broken row: %s", async (row) => {
    const path = join(folderOf({ "boxes.csv": `b,0903,0.1,0.1,0.5,0.9,,1\n${row}\n` }), "boxes.csv")
    await expect(readPersonBoxes(path, 0.8)).rejects.toThrow(/boxes\.csv:2: not a row of person boxes/)
  })
})

describe("clips around key frames", () => {
  const video = (folder: string, id: string) => makeClip(join(folder, `videos/${id}.mp4`), { frames: 75, fps: 25 })

  it("hold the seconds around each, cut at the video's ends; later key frames are left out and said", async () => {
    const folder = whole({ "annotations/ava_val_v2.2.csv": "c,0000\nc,0001\nc,0002\nc,0003\nc,0950\n" })
    video(folder, "c")
    const warn = vi.fn()
    const parts = await clipKeyFrames(await readAva(folder), 1.5, { ...silent, warn })
    const found = parts[1].clips.map(({ clip: { id, start, end, frames } }) => ({ id, start, end, frames }))
    expect(found).toEqual([
      { id: "c@0", start: 0, end: 0.75, frames: 19 },
      { id: "c@1", start: 0.25, end: 1.75, frames: 37 },
      { id: "c@2", start: 1.25, end: 2.75, frames: 37 },
    ])
    expect(new Set(parts[1].clips.map(({ clip }) => clip.hash)).size).toBe(3)
    expect(warn.mock.calls.flat().join("\n")).toMatch(/2 key frames beyond the end of the video: c at 3 s, c at 950 s/)
  })

  it("of videos cut at second 900 of the film are found there", async () => {
    const folder = whole({ "annotations/ava_val_v2.2.csv": "c,0901\nc,0902\n" })
    video(folder, "c")
    const parts = await clipKeyFrames(await readAva(folder), 1, silent)
    expect(parts[1].clips.map(({ clip: { start, end } }) => [start, end])).toEqual([
      [0.5, 1.5],
      [1.5, 2.5],
    ])
    expect(parts[1].clips[0].keyFrame.timestamp).toBe(901)
  })

  it("of a folder of frames are those of the video that it was extracted from, cut at second 900", async () => {
    const folder = whole({ "annotations/ava_val_v2.2.csv": "d,0901\nd,0902\n" })
    mkdirSync(join(folder, "frames/d"), { recursive: true })
    for (let n = 1; n <= 75; n++) {
      const image = sharp({ create: { width: 16, height: 16, channels: 3, background: { r: n, g: 9, b: 9 } } })
      await image.jpeg().toFile(join(folder, `frames/d/d_${`${n}`.padStart(6, "0")}.jpg`))
    }
    const [, { clips }] = await clipKeyFrames(await readAva(folder, { frameRate: 25 }), 1, silent)
    expect(clips.map(({ seconds, clip: { start, end, frames } }) => [seconds, start, end, frames])).toEqual([
      [1, 0.5, 1.5, 25],
      [2, 1.5, 2.5, 25],
    ])
  })

  it("videos that cannot be used and their key frames are left out and said", async () => {
    const warn = vi.fn()
    const parts = await clipKeyFrames(await readAva(whole()), 2, { ...silent, warn })
    expect(parts.map(({ name, clips }) => [name, clips.length])).toEqual([
      ["train", 0],
      ["val", 0],
    ])
    expect(warn.mock.calls.flat().join("\n")).toMatch(
      /cannot be used: a \(the file is empty\), b \(the file is empty\)/,
    )
  })
})
