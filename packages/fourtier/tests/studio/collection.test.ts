/** Protects labels: what the studio writes is read by every other verb, is whole or not there, and loses nothing that was there. */

import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { scanSource } from "fourtier/video"
import { describe, expect, it } from "vitest"
import { Collection } from "../../src/studio/collection.ts"
import { dataFolders, scratchFolder } from "../video/fixtures.ts"

const folder = scratchFolder()
const data = dataFolders(folder)

/** What `fourtier run` reads. */
async function read(path: string) {
  const { clips } = await scanSource(path)
  return clips.map(({ relative, labels, start, end }) => [relative, labels.join("|"), start, end])
}

const named = (collection: Collection, ...names: string[]) =>
  names.map((name) => collection.clips.find(({ relative }) => relative === name)?.id ?? `none: ${name}`)

const place = (text: string) => async (path: string) => writeFileSync(path, text, { flag: "wx" })

describe("a folder of class folders", () => {
  const files = { "jump/a.mp4": "a", "jump/b.mp4": "b", "wave/c.mp4": "c", "d.mp4": "d" }

  it("stays one as long as folders say it all", async () => {
    const root = data(files)
    const collection = await Collection.open(root)
    await collection.add("e.mp4", "wave", place("e"))
    await collection.add("e.mp4", "wave", place("again"))
    await collection.add("f.mp4", null, place("f"))
    expect(await read(root)).toEqual([
      ["d.mp4", "", null, null],
      ["f.mp4", "", null, null],
      ["jump/a.mp4", "jump", null, null],
      ["jump/b.mp4", "jump", null, null],
      ["wave/c.mp4", "wave", null, null],
      ["wave/e-2.mp4", "wave", null, null],
      ["wave/e.mp4", "wave", null, null],
    ])
    expect(existsSync(join(root, "labels.csv"))).toBe(false)
  })

  it("gets a table where a label says otherwise, where one is taken away, and where a clip is removed", async () => {
    const root = data(files)
    const collection = await Collection.open(root)
    await collection.change(named(collection, "d.mp4", "jump/a.mp4"), { label: 'so-called "jump", high' })
    await collection.change(named(collection, "jump/b.mp4"), { label: null })
    await collection.change(named(collection, "wave/c.mp4"), { removed: true })
    expect(await read(root)).toEqual([
      ["d.mp4", 'so-called "jump", high', null, null],
      ["jump/a.mp4", 'so-called "jump", high', null, null],
      ["jump/b.mp4", "", null, null],
    ])
    expect(readFileSync(join(root, "wave/c.mp4"), "utf8")).toBe("c")
    // another process sees the same, and can take the clip back
    const again = await Collection.open(root)
    expect(again.clips.map(({ relative, removed }) => [relative, removed])).toContainEqual(["wave/c.mp4", true])
    await again.change(named(again, "wave/c.mp4"), { removed: false })
    expect(await read(root)).toContainEqual(["wave/c.mp4", "wave", null, null])
  })

  it("labels that cannot be folders are kept in a table, and no file leaves the data", async () => {
    const root = data(files)
    const collection = await Collection.open(root)
    for (const label of ["../../etc", "a/b", "train", ".hidden", "<img src=x onerror=alert(1)>", "C:\\x"]) {
      const { relative, labels } = await collection.add("x.mp4", label, place("x"))
      expect(labels).toEqual([label])
      expect(relative).toMatch(/^x(-\d+)?\.mp4$/)
    }
    expect((await read(root)).filter(([path]) => String(path).startsWith("x")).map(([, label]) => label)).toHaveLength(
      6,
    )
  })

  it("a class folder that is a link out of the data is not written to", async () => {
    const root = data(files)
    const elsewhere = data({ "keep.txt": "" })
    symlinkSync(elsewhere, join(root, "away"))
    const collection = await Collection.open(root)
    await expect(collection.add("x.mp4", "away", place("x"))).rejects.toThrow(/a link out of the data/)
    expect(existsSync(join(elsewhere, "x.mp4"))).toBe(false)
  })

  it("files put into it by hand are taken into the table", async () => {
    const root = data(files)
    const collection = await Collection.open(root)
    await collection.change(named(collection, "d.mp4"), { label: "wave" })
    mkdirSync(join(root, "spin"))
    writeFileSync(join(root, "spin/new.mp4"), "n")
    await collection.refresh()
    expect(await read(root)).toContainEqual(["spin/new.mp4", "spin", null, null])
  })

  it("all clips can be removed and taken back", async () => {
    const root = data(files)
    const collection = await Collection.open(root)
    const ids = collection.clips.map(({ id }) => id)
    await collection.change(ids, { removed: true })
    const again = await Collection.open(root)
    expect(again.clips.map(({ removed }) => removed)).toEqual([true, true, true, true])
    await again.change(ids.slice(0, 2), { removed: false })
    expect(await read(root)).toHaveLength(2)
  })

  it("stretches of a file are rows of it", async () => {
    const root = data(files)
    const collection = await Collection.open(root)
    const [id] = named(collection, "d.mp4")
    const made = await collection.cut(id, [
      { start: 0.5, end: 2, label: "jump" },
      { start: 2, end: 3.25, label: null },
    ])
    expect(made.map(({ start, end, labels }) => [start, end, labels])).toEqual([
      [0.5, 2, ["jump"]],
      [2, 3.25, []],
    ])
    expect(await read(root)).toContainEqual(["d.mp4", "jump", 0.5, 2])
    expect(await read(root)).toContainEqual(["d.mp4", "", null, null])
    const [part] = await collection.cut(made[1].id, [{ start: 0.25, end: 1, label: "wave" }])
    expect([part.start, part.end]).toEqual([2.25, 3])
    await expect(collection.cut(id, [{ start: 3, end: 1, label: null }])).rejects.toThrow(/ends before it begins/)
  })
})

describe("a table of others", () => {
  const videos = { "v/a.mp4": "", "v/b.mp4": "" }
  const forms: [name: string, text: string][] = [
    ["clips.csv", "path,label,group,split\nv/a.mp4,jump,anna,train\nv/b.mp4,wave,ben,test\n"],
    ["clips.csv", "video;class;group;split\nv/a.mp4;jump;anna;train\nv/b.mp4;wave;ben;test\n"],
    ["clips.tsv", "path\tlabel\tgroup\tsplit\nv/a.mp4\tjump\tanna\ttrain\nv/b.mp4\twave\tben\ttest\n"],
    [
      "clips.jsonl",
      '{"path":"v/a.mp4","label":"jump","group":"anna","split":"train"}\n{"path":"v/b.mp4","label":"wave","group":"ben","split":"test"}\n',
    ],
  ]

  it.each(forms)("%s keeps its columns and form, and what was there before", async (name, text) => {
    const root = data({ ...videos, [name]: text })
    const collection = await Collection.open(root)
    await collection.change(named(collection, "v/a.mp4"), { label: "spin" })
    await collection.add("new.mp4", "jump", place("n"))
    const { clips } = await scanSource(root)
    expect(clips.map(({ relative, labels, group, split }) => [relative, labels, group, split])).toEqual([
      ["jump/new.mp4", ["jump"], null, null],
      ["v/a.mp4", ["spin"], "anna", "train"],
      ["v/b.mp4", ["wave"], "ben", "test"],
    ])
    expect(readFileSync(join(root, ".fourtier-studio/before", name), "utf8")).toBe(text)
  })

  it("without a column of labels, folders' names are written down with the first label", async () => {
    const root = data({ ...videos, "clips.csv": "path,group\nv/a.mp4,anna\nv/b.mp4,ben\n" })
    const collection = await Collection.open(root)
    await collection.change(named(collection, "v/a.mp4"), { label: "spin" })
    expect(await read(root)).toEqual([
      ["v/a.mp4", "spin", null, null],
      ["v/b.mp4", "v", null, null],
    ])
  })

  it("several tables that are read together are not written, and stay readable", async () => {
    const root = data({
      ...videos,
      "train.csv": "path,label\nv/a.mp4,jump\n",
      "test.csv": "path,label\nv/b.mp4,wave\n",
    })
    const collection = await Collection.open(root)
    const [id] = named(collection, "v/a.mp4")
    await expect(collection.change([id], { label: "spin" })).rejects.toThrow(/several that are read together/)
    expect(collection.clips).toHaveLength(2)
  })
})

it("changes wait for each other: each finds what the one before has written", async () => {
  const root = data(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`jump/${i}.mp4`, ""])))
  const collection = await Collection.open(root)
  const ids = collection.clips.map(({ id }) => id)
  await Promise.all(ids.map((id, i) => collection.change([id], { label: `class ${i}` })))
  expect(new Set((await read(root)).map(([, label]) => label)).size).toBe(20)
})

it("a clip that a kill has left as removed and in use is in use", async () => {
  const root = data({ "jump/a.mp4": "", "jump/b.mp4": "" })
  const collection = await Collection.open(root)
  await collection.change(named(collection, "jump/a.mp4"), { removed: true })
  const table = readFileSync(join(root, "labels.csv"), "utf8")
  writeFileSync(join(root, "labels.csv"), `${table}jump/a.mp4,jump\n`)
  const again = await Collection.open(root)
  expect(again.clips.map(({ removed }) => removed)).toEqual([false, false])
})

it("a folder that is not there is made, and classes without clips are kept in their order", async () => {
  const root = join(folder, "new")
  const collection = await Collection.open(root)
  await collection.setClasses(["wave", "jump", "wave"])
  await collection.add("a.webm", "spin", place("a"))
  expect((await Collection.open(root)).classes).toEqual(["wave", "jump", "spin"])
  await expect(collection.setClasses(["  "])).rejects.toThrow(/the label is empty/)
  rmSync(root, { recursive: true })
})
