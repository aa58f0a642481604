/** Protects: what is understood as a data set, and that what is not is said plainly. */

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, test } from "vitest"
import { scanSource } from "../../src/video/source.ts"
import { scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
let made = 0

/** A data folder with these files; nothing is opened as video here, so any content will do. */
function dataFolder(files: Record<string, string>): string {
  const root = join(folder, `data-${made++}`)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

describe("folders", () => {
  test("of class folders: labels are folder names, hidden and other files are passed over", async () => {
    const root = dataFolder({
      "ski jump/b.mp4": "",
      "ski jump/deep/a.MOV": "",
      "прыжок/視頻 1.webm": "",
      "прыжок/.hidden.mp4": "",
      ".cache/x/c.mp4": "",
      "ski jump/notes.txt": "",
      "readme.md": "",
    })
    const { clips } = await scanSource(root)
    expect(clips.map(({ relative, labels }) => [relative, labels])).toEqual([
      ["ski jump/b.mp4", ["ski jump"]],
      ["ski jump/deep/a.MOV", ["ski jump"]],
      ["прыжок/視頻 1.webm", ["прыжок"]],
    ])
  })

  test("of train, val, test with class folders inside", async () => {
    const root = dataFolder({ "train/a/1.mp4": "", "validation/a/2.mp4": "", "test/b/3.mp4": "" })
    const { clips } = await scanSource(root)
    expect(clips.map(({ split, labels }) => [split, ...labels])).toEqual([
      ["test", "b"],
      ["train", "a"],
      ["val", "a"],
    ])
  })

  test("without classes: clips without label", async () => {
    const { clips } = await scanSource(dataFolder({ "x.mp4": "" }))
    expect(clips[0]).toMatchObject({ labels: [], split: null, group: null })
  })

  test("a link to a folder above does not go round for ever", async () => {
    const root = dataFolder({ "a/1.mp4": "" })
    symlinkSync(root, join(root, "a", "loop"))
    expect((await scanSource(root)).clips).toHaveLength(1)
  })
})

describe("tables", () => {
  test("of one folder are joined by path; every column is kept", async () => {
    const root = dataFolder({
      "manifest.tsv": "path\tlabel\tgroup\na/1.mp4\ta\tg1\nb/2.mp4\tb\tg2\n",
      "split.tsv": "path\tlabel\tfold10\tsplit_seq\na/1.mp4\ta\t3\ttrain\nb/2.mp4\tb\t4\ttest\n",
      "classes.csv": "id,name\n0,a\n",
      "a/1.mp4": "",
      "b/2.mp4": "",
      "b/3.mp4": "",
    })
    const { clips, notes } = await scanSource(root)
    expect(clips[0]).toMatchObject({
      relative: "a/1.mp4",
      path: join(root, "a/1.mp4"),
      labels: ["a"],
      group: "g1",
      columns: { fold10: "3", split_seq: "train" },
    })
    expect(clips).toHaveLength(2)
    expect(notes.join()).toContain("1 video file not used: in no table")
  })

  test("CSV with quotes, commas, line breaks, CRLF, a byte order mark and odd capitals", async () => {
    const root = dataFolder({
      "clips.csv":
        '\uFEFFPath,Label,Split,note\r\n"a, b.mp4","say ""hi""",Training,"two\nlines"\r\nc d.mp4,x,VALID,\r\n',
    })
    const { clips } = await scanSource(join(root, "clips.csv"))
    expect(clips[0]).toMatchObject({
      relative: "a, b.mp4",
      labels: ['say "hi"'],
      split: "train",
      columns: { note: "two\nlines" },
    })
    expect(clips[1]).toMatchObject({ relative: "c d.mp4", labels: ["x"], split: "val" })
  })

  test("JSON lines with several labels, folds and windows", async () => {
    const root = dataFolder({
      "list.jsonl":
        '{"path":"v.mp4","labels":["run","jump"],"fold":2,"start":1.5,"end":3}\n\n{"path":"v.mp4","labels":"sit;run","start":4}\n',
    })
    const { clips } = await scanSource(join(root, "list.jsonl"))
    expect(clips[0]).toMatchObject({ labels: ["run", "jump"], fold: 2, start: 1.5, end: 3 })
    expect(clips[1]).toMatchObject({ labels: ["sit", "run"], fold: null, start: 4, end: null })
  })

  test("without a label column, labels come from folders", async () => {
    const root = dataFolder({ "split.csv": "path,split\nwave/1.mp4,train\n" })
    expect((await scanSource(root)).clips[0].labels).toEqual(["wave"])
  })

  test("a name in another Unicode form is found", async () => {
    const root = dataFolder({ "list.csv": "path,label\ncafe\u0301/1.mp4,x\n", "caf\u00e9/1.mp4": "" })
    expect((await scanSource(root)).clips[0].path).toBe(join(root, "caf\u00e9/1.mp4"))
  })
})

describe("errors name the place and the fix", () => {
  const cases: [string, Record<string, string>, string | null, RegExp][] = [
    ["nothing there", {}, "missing", /cannot be opened/],
    ["no video", { "a.txt": "" }, null, /no video found/],
    [
      "no path column",
      { "t.csv": "paht,label\na.mp4,x\n" },
      "t.csv",
      /no column `path`[\s\S]*rename the column "paht"/,
    ],
    ["too few fields", { "t.csv": "path,label\na.mp4\n" }, "t.csv", /t\.csv:2[\s\S]*2 fields/],
    ["an open quote", { "t.csv": 'path,label\n"a.mp4,x\n' }, "t.csv", /t\.csv:2.*quoted field has no end/],
    ["two columns of a name", { "t.csv": "path,path\na,b\n" }, "t.csv", /two columns are called "path"/],
    ["bad time", { "t.csv": "path,start\na.mp4,soon\n" }, "t.csv", /t\.csv:2[\s\S]*found: +soon/],
    ["end before start", { "t.csv": "path,start,end\na.mp4,3,2\n" }, "t.csv", /the end is not after the start/],
    ["bad JSON", { "t.jsonl": '{"path":"a"}\n{"path":\n' }, "t.jsonl", /t\.jsonl:2.*not valid JSON/],
    ["an array", { "t.jsonl": "[1]\n" }, "t.jsonl", /not a JSON object/],
    [
      "contradiction",
      { "a.csv": "path,label\nx.mp4,p\n", "b.csv": "path,label\nx.mp4,q\n" },
      null,
      /contradicts[\s\S]*label = p[\s\S]*label = q/,
    ],
  ]
  test.each(cases)("%s", async (_, files, file, message) => {
    const root = dataFolder({ "keep/.x": "", ...files })
    await expect(scanSource(file === null ? root : join(root, file))).rejects.toThrow(message)
  })
})
