/** Protects: tables that other programs and other machines have written are understood, and what is not used is named. */

import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { scanSource } from "../../src/video/source.ts"
import { dataFolders, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const dataFolder = dataFolders(folder)

describe("tables as other programs and machines write them", () => {
  /** Files a.mp4 and b.mp4 beside a table: [relative, labels, start, end] of each clip. */
  const read = async (table: string, name = "t.csv", files: Record<string, string> = { "a.mp4": "", "b.mp4": "" }) => {
    const source = await scanSource(dataFolder({ ...files, [name]: table }))
    return {
      ...source,
      told: source.clips.map(({ relative, labels, start, end }) => [relative, labels.join("|"), start, end]),
    }
  }
  const plain = [
    ["a.mp4", "x", null, null],
    ["b.mp4", "y", null, null],
  ]

  test.each([
    ["rows of separators alone", "path;label;;\r\na.mp4;x;;\r\nb.mp4;y;;\r\n;;;\r\n"],
    ["separators after the last cell of some rows", "path,label\na.mp4,x,,\n , \nb.mp4,y\n"],
    ["single quotes", "path,label\n'a.mp4','x'\n'b.mp4','y'\n"],
    ["ids without an ending, in a column of another name", "clip_id,activity\na,x\nb,y\n"],
    ["absolute paths of a Windows machine", "path,label\nC:\\data\\a.mp4,x\nC:\\data\\b.mp4,y\n"],
    ["absolute paths of another machine", "path,label\n/home/anna/clips/a.mp4,x\n/home/anna/clips/b.mp4,y\n"],
    ["addresses", "path,label\nfile:///x/a.mp4,x\nb%2Emp4,y\n"],
    ["other capitals", "path,label\nA.MP4,x\nB.mp4,y\n"],
    ["labels with characters that nobody sees", "path,label\na.mp4,x\u200b\nb.mp4,\u00a0y\u00a0\n"],
    ["empty cells as pandas and R write them", "path,label,start,end\na.mp4,x,NaN,NA\nb.mp4,y,null,n/a\n"],
  ])("%s", async (_, table) => expect((await read(table)).told).toEqual(plain))

  test("paths that are found elsewhere are told; where two files fit, none is taken", async () => {
    const files = { "x/a.mp4": "", "y/a.mp4": "", "y/b.mp4": "" }
    const { told, notes } = await read("path,label\n/old/x/a.mp4,x\n/old/b.mp4,y\n/old/z/a.mp4,z\n", "t.csv", files)
    expect(told.map(([path]) => path)).toEqual([expect.stringMatching(/old\/z\/a\.mp4$/), "x/a.mp4", "y/b.mp4"])
    expect(notes.join("\n")).toMatch(/2 paths of tables found elsewhere: \/old\/x\/a\.mp4 as x\/a\.mp4/)
  })

  test("times with colons", async () => {
    const { told } = await read("path,label,start,end\na.mp4,x,0:01,1:02.5\nb.mp4,y,0:01:00,90\n")
    expect(told.map(([, , start, end]) => [start, end])).toEqual([
      [1, 62.5],
      [60, 90],
    ])
    await expect(read("path,start\na.mp4,0:75\n")).rejects.toThrow(/column start is not a time/)
  })

  test("a line break in a label is a space, so that a class has one name", async () => {
    const { told } = await read('path,label\na.mp4,"long\njump"\nb.mp4,long  jump\n')
    expect(told.map(([, label]) => label)).toEqual(["long jump", "long jump"])
  })

  test("a table without rows leaves the class folders as they are, and is named", async () => {
    const { told, notes } = await read("path,label\n", "t.csv", { "x/a.mp4": "", "y /b.mp4": "" })
    expect(told.map(([, label]) => label)).toEqual(["x", "y"])
    expect(notes).toEqual(["t.csv is not used: it has no rows"])
  })

  test("an array of objects is read where it is given, and named where its folder is", async () => {
    const table = JSON.stringify([
      { path: "a.mp4", label: "x" },
      { path: "b.mp4", label: "y" },
    ])
    const root = dataFolder({ "a.mp4": "", "b.mp4": "", "clips.json": table })
    expect((await scanSource(join(root, "clips.json"))).clips.map(({ labels }) => labels)).toEqual([["x"], ["y"]])
    expect((await scanSource(root)).notes.join()).toMatch(
      /clips\.json is not used, although it names videos: give its path/,
    )
  })

  test("sheets, lists and class folders that give no clip are named", async () => {
    const files = {
      "x/a.mp4": "",
      "empty/readme.md": "",
      "labels.xlsx": "PK",
      "list.txt": "x/a.mp4 0\n",
      "notes.txt": "a",
    }
    const { notes } = await scanSource(dataFolder(files))
    expect(notes).toEqual([
      "labels.xlsx is not used: save it as CSV (UTF-8), with a column path",
      expect.stringMatching(/^list\.txt is not used, although it names videos/),
      "1 folder without a video: empty",
    ])
  })

  test("UTF-32 is named", async () => {
    const root = dataFolder({ "a.mp4": "" })
    const letters = [..."\ufeffpath\na.mp4\n"].map((letter) => letter.codePointAt(0) ?? 0)
    writeFileSync(join(root, "t.csv"), Buffer.from(Uint32Array.from(letters).buffer))
    await expect(scanSource(root)).rejects.toThrow(/UTF-32 is not read[\s\S]*save the file as UTF-8/)
  })
})
