/** Protects that a clip which was drawn for the test stays there, whatever is added, renamed, moved or removed. */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { describe, expect, it } from "vitest"
import { type Clip, classesOf, type Manifest } from "../../src/video/manifest.ts"
import { planSplits } from "../../src/video/planned.ts"
import { scanSource } from "../../src/video/source.ts"
import { type SplitOptions, splitSchema } from "../../src/video/split-settings.ts"
import { resolveSplits } from "../../src/video/splits.ts"
import { drawTest } from "../../src/video/test-part.ts"
import { keepTestPart } from "../../src/video/test-part-file.ts"
import { readTested } from "../../src/video/tested.ts"
import { scratchFolder } from "./fixtures.ts"

const scratch = scratchFolder()
let folders = 0

function clip(relative: string, label: string, hash: string, over: Partial<Clip> = {}): Clip {
  const size = { duration: 1, frames: 25, fps: 25, width: 64, height: 48, codec: "h264", rotation: 0 }
  const none = { split: null, fold: null, group: null, start: null, end: null, columns: {} }
  return { id: relative, path: `/data/${relative}`, relative, label, labels: [label], hash, ...size, ...none, ...over }
}

/** `count` clips of each class; the contents of clip i begin with `from`. */
const clipsOf = (count: number, from = "c", classes = ["jump", "wave", "walk"]) =>
  classes.flatMap((label) =>
    Array.from({ length: count }, (_, i) => clip(`${label}/${from}${i}.mp4`, label, `${label}-${from}-${i}`)),
  )

const manifestOf = (clips: Clip[]): Manifest => ({ root: "/data", clips, classes: classesOf(clips), quarantine: [] })
const hashes = (clips: Iterable<Clip>) => [...clips].map(({ hash }) => hash).sort()
const split = (options: Partial<SplitOptions> = {}) => splitSchema.parse({ val: 0, ...options })

/** A data folder with the cache beside it, and what is planned for clips that are said to be in it. */
function dataFolder() {
  const root = join(scratch, String(folders++))
  const data = join(root, "clips")
  mkdirSync(data, { recursive: true })
  const folder = join(root, "cache")
  const said: string[] = []
  const reporter = { ...silent, say: (text: string) => void said.push(text) }
  const testOf = async (clips: Clip[], options: Partial<SplitOptions> = {}, where = data) => {
    said.length = 0
    const [{ test }] = await planSplits(where, manifestOf(clips), split(options), { folder, write: true, reporter })
    return hashes(test)
  }
  return { root, data, folder, said, testOf, file: join(data, "test-part.csv") }
}

describe("what was drawn stays", () => {
  it("ten new clips move nobody, also one at a time; classes keep about their share", async () => {
    const { testOf, said, file } = dataFolder()
    const before = await testOf(clipsOf(25))
    expect(before).toHaveLength(15)
    expect(said.join()).toMatch(/test part: 15 of 75 clips, drawn now and kept in .*test-part\.csv/)
    const text = readFileSync(file, "utf8")
    expect(await testOf(clipsOf(25))).toEqual(before)
    expect(readFileSync(file, "utf8")).toBe(text)
    let clips = clipsOf(25)
    let last = before
    for (const one of clipsOf(4, "new").slice(0, 10)) {
      clips = [...clips, one]
      const now = await testOf(clips)
      expect(now).toEqual(expect.arrayContaining(last))
      expect(now.filter((hash) => !last.includes(hash) && hash !== one.hash)).toEqual([])
      last = now
    }
    expect(last.length).toBeGreaterThan(15)
    expect(last.length).toBeLessThan(19)
    expect(said.join()).toMatch(/test part: \d+ of 85 clips, as kept in/)
  })

  it("renamed folders and files are known by content; a replaced file by its path", async () => {
    const { testOf } = dataFolder()
    const before = await testOf(clipsOf(10))
    const renamed = clipsOf(10).map((one, i) => ({ ...one, relative: `other/${i}.mp4`, path: `/x/${i}`, id: `${i}` }))
    expect(await testOf(renamed)).toEqual(before)
    const [held] = before
    const encodedAgain = renamed.map((one) => (one.hash === held ? { ...one, hash: "encoded again" } : one))
    expect(await testOf(encodedAgain)).toEqual([...before.slice(1), "encoded again"].sort())
  })

  it("without its file the same is drawn again, in whatever order and under whatever names", async () => {
    const { testOf, file } = dataFolder()
    const before = await testOf(clipsOf(10))
    rmSync(file)
    const shuffled = clipsOf(10)
      .reverse()
      .map((one, i) => ({ ...one, relative: `z/${99 - i}.mp4`, path: `/z/${i}` }))
    expect(await testOf(shuffled)).toEqual(before)
  })

  it("clips that are removed keep their place, and are test clips again when they return", async () => {
    const { testOf, said } = dataFolder()
    const all = clipsOf(10)
    const before = await testOf(all)
    const fewer = all.filter(({ hash }) => hash !== before[0])
    expect(await testOf(fewer)).toEqual(before.slice(1))
    expect(await testOf(all)).toEqual(before)
    const none = all.filter(({ hash }) => !before.includes(hash))
    expect((await testOf(none)).length).toBeGreaterThan(3)
    expect(said.join()).toMatch(/training clips joined the test part, since it had no labelled clip left/)
  })

  it("a new class gets its share; new clips of a group go where the group is", async () => {
    const { testOf } = dataFolder()
    const grouped = clipsOf(12).map((one, i) => ({ ...one, group: `person ${i % 6}` }))
    const before = await testOf(grouped)
    const held = new Set(grouped.filter(({ hash }) => before.includes(hash)).map(({ group }) => group))
    const more = clipsOf(6, "more").map((one, i) => ({ ...one, group: `person ${i % 6}` }))
    const now = await testOf([...grouped, ...more])
    expect(now).toEqual(hashes([...grouped, ...more].filter(({ group }) => held.has(group))))
    const other = clipsOf(10, "s", ["swim"])
    expect((await testOf([...grouped, ...other])).filter((hash) => hash.startsWith("swim"))).toHaveLength(2)
  })

  it("clips without a label may still be drawn when they get one", async () => {
    const { testOf, file } = dataFolder()
    const open = clipsOf(10, "open").map((one) => ({ ...one, label: null, labels: [] }))
    const before = await testOf([...clipsOf(5), ...open])
    expect(before).toHaveLength(3)
    expect(readFileSync(file, "utf8")).not.toContain("open")
    const now = await testOf([...clipsOf(5), ...clipsOf(10, "open")])
    expect(now).toEqual(expect.arrayContaining(before))
    expect(now).toHaveLength(9)
  })
})

describe("the settings", () => {
  it("another seed is another draw with a file of its own; the first stays", async () => {
    const { testOf, data } = dataFolder()
    const first = await testOf(clipsOf(10))
    const other = await testOf(clipsOf(10), { seed: 1 })
    expect(other).not.toEqual(first)
    expect(readdirSync(data).sort()).toEqual(["test-part.csv", "test-part.seed-1.csv"])
    expect(await testOf(clipsOf(10))).toEqual(first)
  })

  it("a larger share takes more, and says so; a smaller one leaves test clips where they are", async () => {
    const { testOf, said } = dataFolder()
    const first = await testOf(clipsOf(10))
    const larger = await testOf(clipsOf(10), { test: 0.4 })
    expect(larger).toHaveLength(12)
    expect(larger).toEqual(expect.arrayContaining(first))
    expect(said.join()).toMatch(/6 training clips joined the test part, since split\.test is 0\.4 now/)
    expect(await testOf(clipsOf(10), { test: 0.1 })).toEqual(larger)
    expect(said.join()).toMatch(/split\.test is 0\.1, but test clips stay \(drawn with 0\.4\)/)
    expect(await testOf(clipsOf(10), { test: 0 })).toEqual([])
  })

  it("data that say themselves which clips test are left alone", async () => {
    const { testOf, data } = dataFolder()
    const own = clipsOf(4).map((one, i) => ({ ...one, split: i % 4 === 0 ? "test" : "train" }))
    expect(await testOf(own)).toHaveLength(3)
    await testOf(clipsOf(10), { drawFolds: 5 })
    expect(existsSync(join(data, "test-part.csv"))).toBe(false)
  })
})

describe("the file", () => {
  it("is a table that a person may edit: moved, removed and added rows count", async () => {
    const { testOf, file } = dataFolder()
    const [gone, kept] = await testOf(clipsOf(10))
    const lines = readFileSync(file, "utf8").split("\n")
    expect(lines.slice(0, 3)).toEqual([
      expect.stringMatching(/^# Which clips test the model.*split\.test 0\.2, split\.seed 0/),
      expect.stringMatching(/^# To change it, edit the column part .*docs\/data\.md/),
      "part,path,group,hash",
    ])
    const edited = lines
      .filter((line) => !line.includes("walk/c9.mp4"))
      .map((line) => (line.endsWith(gone) ? line.replace("test,", "train,") : line))
    writeFileSync(file, [...edited.filter(Boolean), "test,walk/c9.mp4,,"].join("\r\n").replaceAll(/,(?! )/g, ";"))
    const now = await testOf(clipsOf(10))
    expect(now).toContain(kept)
    expect(now).toContain("walk-c-9")
    expect(now).not.toContain(gone)
    writeFileSync(file, "part,path,group,hash\nmaybe,a.mp4,,\n")
    await expect(testOf(clipsOf(10))).rejects.toThrow(/test-part\.csv:2: .*neither test nor train[\s\S]*maybe/)
  })

  it("is no table of clips, and travels with the folder; that of a table lies beside the table", async () => {
    const { root, data, testOf } = dataFolder()
    const before = await testOf(clipsOf(10))
    mkdirSync(join(data, "jump"))
    writeFileSync(join(data, "jump", "a.mp4"), "x")
    expect((await scanSource(data)).clips.map(({ relative, labels }) => [relative, labels])).toEqual([
      ["jump/a.mp4", ["jump"]],
    ])
    const [copy, moved] = [join(root, "copy"), join(root, "moved")]
    cpSync(data, copy, { recursive: true })
    renameSync(data, moved)
    for (const place of [copy, moved]) {
      const now = await testOf([...clipsOf(10), ...clipsOf(3, "n")], {}, place)
      expect(now).toEqual(expect.arrayContaining(before))
    }
    const table = join(root, "list.csv")
    writeFileSync(table, "path\n")
    await testOf(clipsOf(10), {}, table)
    expect(existsSync(join(root, "list.test-part.csv"))).toBe(true)
  })

  it.skipIf(process.getuid?.() === 0)("of data that cannot be written is kept in the cache", async () => {
    const { data, folder, testOf } = dataFolder()
    chmodSync(data, 0o500)
    const before = await testOf(clipsOf(10))
    chmodSync(data, 0o700)
    expect(readdirSync(folder)).toContainEqual(expect.stringMatching(/^clips-.*test-part\.csv$/))
    expect(await testOf([...clipsOf(10), ...clipsOf(2, "n")])).toEqual(expect.arrayContaining(before))
  })

  it("of data that cannot be written is found again where the data was moved", async () => {
    const { root, data, folder, testOf } = dataFolder()
    const before = await testOf([...clipsOf(10), ...clipsOf(2, "late")])
    renameSync(join(data, "test-part.csv"), join(folder, "clips-0123456789ab.test-part.csv"))
    rmSync(data, { recursive: true })
    const elsewhere = join(root, "elsewhere")
    mkdirSync(elsewhere)
    const { test } = await keepTestPart(elsewhere, clipsOf(10), { test: 0.2, seed: 0, folder, write: false })
    expect(hashes(test)).toEqual(before.filter((hash) => !hash.includes("late")))
    expect(existsSync(join(elsewhere, "test-part.csv"))).toBe(false)
  })

  it("of two runs that draw at once there is one", async () => {
    const { data, folder } = dataFolder()
    const options = { test: 0.2, seed: 0, folder, write: true }
    const clips = clipsOf(10)
    const [some, others] = [clips.slice(0, 24), clips.slice(6)]
    const [a, b] = await Promise.all([keepTestPart(data, some, options), keepTestPart(data, others, options)])
    const seenBy = (part: Clip[], test: Iterable<Clip>) => hashes([...test].filter((one) => part.includes(one)))
    expect(seenBy(others, a.test)).toEqual(seenBy(some, b.test))
    const { test } = await keepTestPart(data, clips, options)
    expect(hashes(test)).toEqual(expect.arrayContaining(hashes([...a.test, ...b.test])))
    expect(readdirSync(data)).toEqual(["test-part.csv"])
  })

  it("is not written to say what a run would do", async () => {
    const { data, folder } = dataFolder()
    const said: string[] = []
    const plan = { folder, write: false, reporter: { ...silent, say: (text: string) => void said.push(text) } }
    const [{ test }] = await planSplits(data, manifestOf(clipsOf(10)), split(), plan)
    expect(said.join()).toMatch(/as a run would draw it and keep it in .*test-part\.csv/)
    expect(test).toHaveLength(6)
    expect([readdirSync(data), existsSync(folder)]).toEqual([[], false])
  })
})

it("which clips were ever test clips is noted for good, by content; folds are no matter", async () => {
  const { folder, testOf, file } = dataFolder()
  const held = await testOf(clipsOf(10))
  rmSync(file)
  await testOf(clipsOf(10), { test: 0 })
  await testOf(clipsOf(10), { drawFolds: 3 })
  const tested = await readTested(folder)
  expect(hashes(clipsOf(10).filter((one) => tested.has(one)))).toEqual(held)
})

it("drawn in memory, test and validation have their share and do not depend on names", () => {
  const clips = clipsOf(10)
  const [{ test, val }] = resolveSplits(manifestOf(clips), { val: 0.25 })
  const renamed = clips.map((one, i) => ({ ...one, relative: `${99 - i}`, path: `${i}` })).reverse()
  const [other] = resolveSplits(manifestOf(renamed), { val: 0.25 })
  expect(hashes(test)).toEqual(hashes(drawTest(clips, {}, null).test))
  expect([hashes(other.test), hashes(other.val)]).toEqual([hashes(test), hashes(val)])
})

describe("clips that were made anew", () => {
  const anew = (change: (clip: Clip) => Partial<Clip>) =>
    clipsOf(10).map((one) => ({ ...one, hash: `new ${one.hash}`, ...change(one) }))
  const paths = (test: string[]) => test.map((hash) => hash.replace("new ", "")).sort()

  it.each<[string, (clip: Clip) => Partial<Clip>]>([
    ["with another ending", ({ relative }) => ({ relative: relative.replace(".mp4", ".mkv") })],
    ["in another folder", ({ relative }) => ({ relative: `v2/${relative.replace(".mp4", ".webm")}` })],
  ])("%s stay where they were", async (_, change) => {
    const { testOf, said } = dataFolder()
    const before = await testOf(clipsOf(10))
    expect(paths(await testOf(anew(change)))).toEqual(before)
    expect(said).toHaveLength(1)
  })

  it("a name that two clips bear counts for neither", () => {
    const [one] = clipsOf(1)
    const rows = [{ part: "test" as const, path: one.relative, group: "", hash: one.hash }]
    const [a, b] = [".mkv", ".avi"].map((end) => clip(one.relative.replace(".mp4", end), one.label ?? "", end))
    expect(
      drawTest([a, b], { test: 0.2 }, { rows, share: 0.2 }).rows.filter(({ path }) => path === one.relative),
    ).toEqual(rows)
  })
})

describe("what changes the test part is said", () => {
  it("a training clip whose group reaches into the test part", async () => {
    const { testOf, said } = dataFolder()
    const before = await testOf(clipsOf(10))
    const clips = clipsOf(10)
    const train = clips.find(({ hash }) => !before.includes(hash)) ?? clips[0]
    const joined = clips.map((one) => (one === train || one.hash === before[0] ? { ...one, group: "g" } : one))
    expect(await testOf(joined)).toEqual([...before, train.hash].sort())
    expect(said.join()).toContain(
      "1 training clip joined the test part, as a clip of the same group or content is in it",
    )
  })

  it.skipIf(process.platform !== "linux")("a full disk is told with the file that was to be written", async () => {
    const { testOf, root } = dataFolder()
    mkdirSync(join(root, "cache"))
    symlinkSync("/dev/full", join(root, "cache/tested.jsonl"))
    await expect(testOf(clipsOf(10))).rejects.toThrow(/tested\.jsonl: which clips are test clips cannot be written/)
  })

  it("a file that is something else is not written over", async () => {
    const { testOf, file } = dataFolder()
    writeFileSync(file, "<html>not found</html>\n")
    await expect(testOf(clipsOf(10))).rejects.toThrow(/not a list of a test part[\s\S]*<html>/)
    expect(readFileSync(file, "utf8")).toContain("<html>")
  })
})
