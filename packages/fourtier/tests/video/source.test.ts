/** Protects: what is understood as a data set, and that what is not is said plainly. */

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { scanSource } from "../../src/video/source.ts"
import { dataFolders, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const dataFolder = dataFolders(folder)

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

describe("tables as other programs and people write them", () => {
  const read = async (name: string, text: string | Buffer, others: Record<string, string> = {}) => {
    const root = dataFolder(others)
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, name), text)
    const { clips, notes } = await scanSource(root)
    return { clips: clips.map(({ relative, labels }) => [relative, ...labels]), notes: notes.join("\n"), all: clips }
  }

  test.each([
    ["UTF-8", Buffer.from("path,label\na.mp4,Tür\nb.mp4,Tör\n")],
    ["UTF-8 with a mark", Buffer.from("\uFEFFpath,label\na.mp4,Tür\nb.mp4,Tör\n")],
    ["UTF-16 with a mark", Buffer.from("\uFEFFpath,label\na.mp4,Tür\nb.mp4,Tör\n", "utf16le")],
    ["UTF-16 without a mark", Buffer.from("path,label\na.mp4,Tür\nb.mp4,Tör\n", "utf16le")],
    ["UTF-16, big end first", Buffer.from("\uFEFFpath,label\na.mp4,Tür\nb.mp4,Tör\n", "utf16le").swap16()],
    ["Windows-1252", Buffer.from("path,label\na.mp4,Tür\nb.mp4,Tör\n", "latin1")],
    ["a declared encoding", Buffer.from("# encoding: windows-1252\npath,label\na.mp4,Tür\nb.mp4,Tör\n", "latin1")],
    ["composed differently", Buffer.from("path,label\na.mp4,Tu\u0308r\nb.mp4,To\u0308r\n")],
  ])("%s: Tür and Tör are two classes", async (_, bytes) => {
    expect((await read("clips.csv", bytes)).clips).toEqual([
      ["a.mp4", "Tür"],
      ["b.mp4", "Tör"],
    ])
  })

  test("an inferred encoding is said, with a word to check", async () => {
    const { notes } = await read("clips.csv", Buffer.from("path,label\na.mp4,ouvre la fenêtre\n", "latin1"))
    expect(notes).toMatch(/clips\.csv is not UTF-8: read as windows-1252 \("fenêtre"\)/)
  })

  test.each([
    ["Cyrillic", [0xc4, 0xe2, 0xe5, 0xf0, 0xfc]],
    ["Shift JIS", [0x83, 0x68, 0x83, 0x41]],
    ["Mac Roman", [0x54, 0x9f, 0x72]],
    ["DOS", [0x54, 0x81, 0x72]],
  ])("%s is an error with the line, unless it is declared", async (name, word) => {
    const text = (first: string) =>
      Buffer.concat([Buffer.from(`${first}path,label\na.mp4,wave\nb.mp4,`), Buffer.from(word), Buffer.from("\n")])
    await expect(read("clips.csv", text(""))).rejects.toThrow(
      /clips\.csv:3: not UTF-8[\s\S]*b\.mp4,[\s\S]*\\x[\s\S]*# encoding:/,
    )
    if (name !== "Cyrillic") return
    const { clips } = await read("clips.csv", text("# encoding: windows-1251\n"))
    expect(clips).toContainEqual(["b.mp4", "Дверь"])
  })

  test("semicolons with decimal commas, comments, spaces, quotes, backslashes and old line ends", async () => {
    const { all } = await read(
      "clips.csv",
      "# cut by hand\rpath;label;start;end\r wave\\a.mp4 ;\"wave; both\";1,5;2,75\r# not sure\r'wave/b.mp4';jump;;\r",
      { "wave/a.mp4": "", "wave/b.mp4": "" },
    )
    expect(all.map(({ relative, labels, start, end }) => [relative, labels, start, end])).toEqual([
      ["wave/a.mp4", ["wave; both"], 1.5, 2.75],
      ["wave/b.mp4", ["jump"], null, null],
    ])
  })

  test.each([
    ["file_name,label\na.mp4,x\nb.mp4,y\n", /"file_name" of t\.csv is taken as path/],
    ["Filename,Class\na.mp4,x\nb.mp4,y\n", /"Filename"[\s\S]*"Class" of t\.csv is taken as label/],
    ["class,datei\nx,a.mp4\ny,b.mp4\n", /"datei" of t\.csv is taken as path/],
    ["Datei;Klasse\na.mp4;x\nb.mp4;y\n", /"Klasse" of t\.csv is taken as label/],
    ["a.mp4,x\nb.mp4,y\n", /t\.csv has no header: its columns are taken as path, label/],
    ["x,train,a.mp4\ny,test,b.mp4\n", /taken as label, split, path/],
    ["file;label\na;x\nb;y\n", /"file" of t\.csv is taken as path/],
  ])("without a column `path`: %j", async (text, note) => {
    const { clips, notes } = await read("t.csv", text, { "a.mp4": "", "b.mp4": "" })
    expect(clips).toEqual([
      ["a.mp4", "x"],
      ["b.mp4", "y"],
    ])
    expect(notes).toMatch(note)
  })

  test("a table that names no videos is named, and class folders are read", async () => {
    const { clips, notes } = await read("classes.csv", "id,name\n0,a\n", { "a/1.mp4": "" })
    expect(clips).toEqual([["a/1.mp4", "a"]])
    expect(notes).toMatch(/classes\.csv is not used: no column names video files \(columns id, name\)/)
  })

  test("a headerless table whose columns cannot be told is an error with an example", async () => {
    await expect(read("t.csv", "a.mp4,x,3\n", { "a.mp4": "" })).rejects.toThrow(
      /t\.csv:1: no header[\s\S]*path,label,start,end/,
    )
  })

  test("train.csv and test.csv are parts of a split", async () => {
    const { all } = await read("train.csv", "path,label\na.mp4,x\n", { "test.csv": "path,label\nb.mp4,x\n" })
    expect(all.map(({ relative, split }) => [relative, split])).toEqual([
      ["a.mp4", "train"],
      ["b.mp4", "test"],
    ])
  })
})

describe("one clip named twice", () => {
  test("is one clip where the rows agree, however its path is written", async () => {
    const root = dataFolder({ "t.csv": "path,label,note\na.mp4,x,1\n./a.mp4,x,2\nb.mp4,y,\n" })
    const { clips, notes, findings } = await scanSource(root)
    expect(clips.map(({ relative }) => relative)).toEqual(["a.mp4", "b.mp4"])
    expect(notes.join()).toMatch(/1 row left out.*t\.csv:3/)
    expect(findings).toEqual([])
  })

  test.each(["label", "split", "group", "fold"])("is an error where the rows differ in %s", async (column) => {
    const row = (values: Record<string, string>) =>
      ["a.mp4", values.label ?? "x", values.split ?? "train", values.group ?? "g", values.fold ?? "1"].join(",")
    const other = { label: "y", split: "test", group: "h", fold: "2" }[column] ?? ""
    const table = ["path,label,split,group,fold", row({}), row({ [column]: other })].join("\n")
    const { findings } = await scanSource(dataFolder({ "t.csv": table }))
    expect(findings).toMatchObject([
      { level: "error", where: expect.stringMatching(/t\.csv:3$/), what: expect.stringContaining(`another ${column}`) },
    ])
  })

  test("parts of one file are different clips", async () => {
    const root = dataFolder({ "t.csv": "path,label,start,end\na.mp4,x,0,1\na.mp4,y,1,2\n" })
    expect(await scanSource(root)).toMatchObject({ clips: [{ start: 0 }, { start: 1 }], findings: [] })
  })
})

describe("what cannot be looked into is named", () => {
  test("links whose target is missing: videos are listed with their class, folders are told", async () => {
    const root = dataFolder({ "wave/1.mp4": "" })
    mkdirSync(join(root, "jump"))
    symlinkSync("/nowhere/2.mp4", join(root, "jump", "2.mp4"))
    symlinkSync("/nowhere/run", join(root, "run"))
    const { clips, notes } = await scanSource(root)
    expect(clips.map(({ relative, labels }) => [relative, ...labels])).toEqual([
      ["jump/2.mp4", "jump"],
      ["wave/1.mp4", "wave"],
    ])
    expect(notes.join()).toContain("run -> /nowhere/run")
  })

  test("a folder without permission does not end the others", async () => {
    const root = dataFolder({ "wave/1.mp4": "", "jump/2.mp4": "" })
    chmodSync(join(root, "jump"), 0)
    chmodSync(folder, 0o755)
    chmodSync(root, 0o755)
    const asRoot = process.geteuid?.() === 0
    if (asRoot) process.seteuid?.(65_534)
    const { clips, notes } = await scanSource(root).finally(() => {
      if (asRoot) process.seteuid?.(0)
      chmodSync(join(root, "jump"), 0o755)
    })
    expect(clips.map(({ relative }) => relative)).toEqual(["wave/1.mp4"])
    expect(notes.join()).toMatch(/1 folder cannot be read.*jump \(no permission\)/)
  })

  const given: [string, Record<string, string>, string, RegExp][] = [
    ["a video", { "a.mov": "" }, "a.mov", /a single video is no data set[\s\S]*fourtier predict <bundle> a\.mov/],
    ["a spreadsheet", { "a.xlsx": "" }, "a.xlsx", /a spreadsheet[\s\S]*save it as CSV/],
    ["an archive", { "clips.zip": "" }, "clips.zip", /an archive[\s\S]*unpack/],
    ["a run", { "config.yaml": "", "trials/x": "", "manifest.jsonl": "" }, ".", /folder of a run is no data set/],
    ["a bundle", { "bundle.json": "{}" }, ".", /a bundle is no data set[\s\S]*fourtier predict/],
    [
      "a manifest",
      { "m.jsonl": '{"schema":"fourtier/manifest","version":1,"root":"."}\n' },
      "m.jsonl",
      /a manifest that fourtier wrote/,
    ],
    [
      "a Git LFS pointer",
      { "t.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:1\n" },
      "t.csv",
      /a Git LFS pointer[\s\S]*git lfs pull/,
    ],
    ["a binary file", { "t.dat": "a\0b" }, "t.dat", /not a text file/],
  ]
  test.each(given)("%s given as data", async (_, files, file, message) => {
    await expect(scanSource(join(dataFolder(files), file))).rejects.toThrow(message)
  })
})

describe("errors name the place and the fix", () => {
  const cases: [string, Record<string, string>, string | null, RegExp][] = [
    ["nothing there", {}, "missing", /cannot be opened/],
    ["no video", { "a.txt": "" }, null, /no video found/],
    [
      "no path column",
      { "t.csv": "paht,label\na,x\n" },
      "t.csv",
      /no column names the clips[\s\S]*columns paht, label[\s\S]*rename the column "paht"/,
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
