/**
 * Anyone's own boxes, from a table and from CVAT, become the same key frames: pixels or shares, several labels, seconds or frame
 * numbers. What is missing is counted, what is broken is named by line.
 */

import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { type DetectionData, readAnnotations } from "../../src/detection/index.ts"
import { makeClip, scratchFolder } from "../video/fixtures.ts"

const root = scratchFolder()
// 64×48 pixels, 3 seconds
for (const name of ["a.mp4", "more/b.mp4"]) makeClip(join(root, name), { frames: 75, fps: 25 })

let files = 0
function fileOf(text: string, ending = "csv", folder = root): string {
  const path = join(folder, `boxes-${files++}.${ending}`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

const HEAD = "path,time,x1,y1,x2,y2,label,track\n"
const read = (path: string, every = 1) => readAnnotations(path, { every })
const framesOf = ({ parts }: DetectionData) => parts.flatMap(({ keyFrames }) => keyFrames)

describe("a table of boxes", () => {
  it("takes pixels and shares, video by video, and several labels of a box in either form", async () => {
    const text = `${HEAD}a.mp4,1,16,12,32,48,walk|wave,1\nmore/b.mp4,1,0.25,0.25,0.5,1,walk,1\nmore/b.mp4,1,0.25,0.25,0.5,1,talk,1\n`
    const data = await read(fileOf(text))
    expect(data.classes.map(({ id, name }) => `${id} ${name}`)).toEqual(["1 talk", "2 walk", "3 wave"])
    const box = [0.25, 0.25, 0.5, 1]
    expect(framesOf(data).toSorted((a, b) => a.videoId.localeCompare(b.videoId))).toEqual([
      { videoId: "a.mp4", timestamp: 1, people: [{ box, classIds: [2, 3], track: "1" }] },
      { videoId: "more/b.mp4", timestamp: 1, people: [{ box, classIds: [2, 1], track: "1" }] },
    ])
    expect(data.notes.join()).toMatch(/2 videos without a part: one of five/)
  })

  it("keeps one key frame in so many seconds, and the parts that a column names", async () => {
    const rows = Array.from({ length: 75 }, (_, i) => `a.mp4,${(i / 25).toFixed(2)},0,0,0.5,1,walk,1,validation\n`)
    const path = fileOf(`path,time,x1,y1,x2,y2,label,track,split\n${rows.join("")}`)
    const data = await read(path)
    expect(framesOf(data).map(({ timestamp }) => timestamp)).toEqual([0, 1, 2])
    expect(data.parts.map(({ name }) => name)).toEqual(["val"])
    expect(framesOf(await read(path, 0)).length).toBe(75)
  })

  it("counts videos that are not there or no videos, and says when none is left", async () => {
    fileOf("no video", "mp4")
    const data = await read(
      fileOf(`${HEAD}a.mp4,1,0,0,1,1,walk,1\ngone.mp4,1,0,0,1,1,walk,1\nboxes-2.mp4,1,0,0,1,1,walk,1\n`),
    )
    expect(data.notes.join("\n")).toMatch(/1 video of the annotations not there: gone.mp4/)
    expect(data.notes.join("\n")).toMatch(/1 video cannot be used: boxes-2.mp4/)
    await expect(read(fileOf(`${HEAD}gone.mp4,1,0,0,1,1,walk,1\n`))).rejects.toThrow(
      /none of the annotated videos is there/,
    )
  })

  it.each([
    ["a.mp4,1,0.5,0,0.2,1,walk,1", /:2: a box that holds nothing/],
    ["a.mp4,1,0.5,0,0.5,1,walk,1", /:2: a box that holds nothing/],
    ["a.mp4,1,70,0,90,40,walk,1", /:2: a box that holds nothing[\s\S]*64×48 pixels/],
    ["a.mp4,1,NaN,0,0.5,1,walk,1", /:2: x1 is no number/],
    ["a.mp4,,0,0,0.5,1,walk,1", /:2: time is no number/],
    ["a.mp4,-1,0,0,0.5,1,walk,1", /:2: a time before the video begins/],
    ["a.mp4,1,0,0,0.5,1,,1", /no box has a label/],
  ])("names the line of %s", async (row, message) => {
    await expect(read(fileOf(`${HEAD}${row}\n`))).rejects.toThrow(message)
  })

  it("names the column that is missing", async () => {
    await expect(read(fileOf("path,time,x1,y1,x2,y3,label\n"))).rejects.toThrow(
      /no column y2[\s\S]*rename the column "y3"/,
    )
  })
})

const track = (id: number, boxes: string, label = "person") => `<track id="${id}" label="${label}">${boxes}</track>`
const box = (frame: number, corners: string, inside = "", outside = 0) => {
  const [xtl, ytl, xbr, ybr] = corners.split(",")
  return `<box frame="${frame}" outside="${outside}" occluded="0" xtl="${xtl}" ytl="${ytl}" xbr="${xbr}" ybr="${ybr}">${inside}</box>`
}
const action = (value: string, name = "action") => `<attribute name="${name}">${value}</attribute>`
const cvat = (tracks: string, meta = "<source>a.mp4</source>") =>
  `<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task><name>T &amp; U</name>${meta}</task></meta>\n${tracks}\n</annotations>\n`

describe("CVAT", () => {
  it("reads tracks by frame number, actions from attributes, and nobody who is outside", async () => {
    const tracks = [
      track(0, box(25, "16,12,32,48", action("walk; wave")) + box(50, "16,12,32,48", action("none"))),
      track(1, box(25, "0,0,16,48", action("true", "talk")) + box(50, "0,0,16,48", action("walk"), 1)),
      track(2, box(25, "32,0,64,48"), "dog"),
    ]
    const data = await read(fileOf(cvat(tracks.join("")), "xml"))
    const nameOf = new Map(data.classes.map(({ id, name }) => [id, name]))
    const found = framesOf(data).map(({ timestamp, people }) => ({
      timestamp,
      people: people.map(({ box, classIds }) => [box.join(), classIds.map((id) => nameOf.get(id)).join()]),
    }))
    expect(found).toEqual([
      {
        timestamp: 1,
        people: [
          ["0.25,0.25,0.5,1", "walk,wave"],
          ["0,0,0.25,1", "talk"],
          ["0.5,0,1,1", "dog"],
        ],
      },
      { timestamp: 2, people: [["0.25,0.25,0.5,1", ""]] },
    ])
  })

  it("takes all files of a folder, each with its video", async () => {
    const folder = join(root, "two")
    for (const name of ["x", "y"]) {
      makeClip(join(folder, "videos", `${name}.mp4`), { frames: 30 })
      fileOf(cvat(track(0, box(0, "0,0,32,48", action(`do ${name}`))), `<source>${name}.mp4</source>`), "xml", folder)
    }
    const { classes, videos } = await read(folder)
    expect(classes.map(({ name }) => name)).toEqual(["do x", "do y"])
    expect([...videos.keys()].sort()).toEqual(["videos/x.mp4", "videos/y.mp4"])
  })

  it.each([
    [cvat(track(0, box(0, "0,0,wide,48", action("walk")))), /:5: xbr of a box is no number/],
    [cvat(track(0, "</wrong>")), /not well-formed XML/],
    [cvat("", ""), /no <source> names the video/],
    ["<html></html>", /not annotations of CVAT/],
    [cvat('<image id="0"></image>'), /annotations of single images/],
    ["", /not well-formed XML/],
  ])("names what is wrong", async (text, message) => {
    await expect(read(fileOf(text, "xml"))).rejects.toThrow(message)
  })
})

it("a path that is neither is answered with what is expected", async () => {
  await expect(read(join(root, "nothing"))).rejects.toThrow(/cannot be opened/)
  await expect(read(fileOf("x", "txt"))).rejects.toThrow(/not annotations[\s\S]*XML file of CVAT/)
})
