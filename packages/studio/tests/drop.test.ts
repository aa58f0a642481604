/** Protects how dropped folders become classes. */

import { expect, it } from "vitest"
import { videosOf } from "../src/ui/drop.ts"

const found = (path: string, type = "") => ({ path, file: new File([], path.split("/").at(-1) ?? "", { type }) })

it("a folder inside the dropped one names the class; what is no video is counted, what is hidden is not", () => {
  const { videos, others } = videosOf([
    found("clips/jump/a.mp4"),
    found("clips/sets/wave/b.webm"),
    found("clips/c.MOV"),
    found("d", "video/mp4"),
    found("clips/notes.txt"),
    found("clips/.DS_Store"),
    found(".cache/x.mp4"),
  ])
  expect(videos.map(({ file, label }) => [file.name, label])).toEqual([
    ["a.mp4", "jump"],
    ["b.webm", "wave"],
    ["c.MOV", null],
    ["d", null],
  ])
  expect(others.map(({ file }) => file.name)).toEqual(["notes.txt"])
})
