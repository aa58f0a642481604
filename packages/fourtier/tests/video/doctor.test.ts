/** Protects: every bad file is found and named, good ones are measured right, nothing is measured twice. */

import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { beforeAll, describe, expect, test } from "vitest"
import { type DoctorReport, doctor } from "../../src/video/doctor.ts"
import { clipsOfFiles } from "../../src/video/firstlook.ts"
import { readManifest } from "../../src/video/manifest.ts"
import { measurementsFile, ProbeMemory } from "../../src/video/memory.ts"
import { clipOfFile, probeFile } from "../../src/video/probe.ts"
import { writeStrips } from "../../src/video/strips.ts"
import { makeClip, makeSound, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const data = join(folder, "data")
const out = join(folder, "out", "manifest.jsonl")
let report: DoctorReport

beforeAll(async () => {
  mkdirSync(join(data, "good"), { recursive: true })
  mkdirSync(join(data, "bad"))
  makeClip(join(data, "good", "h264.mp4"), { frames: 30, fps: 25 })
  makeClip(join(data, "good", "turned 90°.mp4"), { frames: 10, rotation: 90 })
  makeClip(join(data, "good", "xvid.avi"), { codec: "mpeg4", frames: 31, options: { bf: "2", g: "12" } })
  makeClip(join(data, "good", "stream.ts"), { frames: 20, options: { bf: "2" } })
  makeClip(join(data, "good", "vp8.webm"), {
    codec: "libvpx",
    frames: 24,
    options: { "lag-in-frames": "16", "auto-alt-ref": "1" },
  })
  makeClip(join(data, "good", "vfr.mkv"), { frames: 20, times: (i) => (i < 10 ? i * 40 : 400 + (i - 10) * 100) })
  copyFileSync(join(data, "good", "h264.mp4"), join(data, "bad", "copy.mp4"))
  writeFileSync(join(data, "bad", "zero.mp4"), "")
  writeFileSync(join(data, "bad", "text.mp4"), "this is not a video\n".repeat(100))
  writeFileSync(
    join(data, "bad", "playlist.mp4"),
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n../good/stream.ts\n#EXT-X-ENDLIST\n",
  )
  makeSound(join(data, "bad", "sound.mp4"))
  for (const [name, from, share] of [
    ["cut.mp4", "h264.mp4", 0.5],
    ["cut.avi", "xvid.avi", 0.8],
    ["cut.mkv", "vfr.mkv", 0.8],
    ["cut.webm", "vp8.webm", 0.6],
  ] as const) {
    copyFileSync(join(data, "good", from), join(data, "bad", name))
    const size = readFileSync(join(data, "good", from)).length
    truncateSync(join(data, "bad", name), Math.floor(size * share))
  }
  report = await doctor(data, out, silent, { workers: 2 })
})

describe("measures", () => {
  test.each([
    ["h264.mp4", { frames: 30, fps: 25, duration: 1.2, width: 64, height: 48, codec: "h264", rotation: 0 }],
    ["turned 90°.mp4", { frames: 10, width: 48, height: 64, rotation: 90 }],
    ["xvid.avi", { frames: 31, fps: 25, codec: "mpeg4" }],
    ["stream.ts", { frames: 20, fps: 25, codec: "h264" }],
    ["vp8.webm", { frames: 24, fps: 25, codec: "vp8" }],
    ["vfr.mkv", { frames: 20 }],
  ])("%s", (name, expected) => {
    const clip = report.manifest.clips.find(({ relative }) => relative === `good/${name}`)
    expect(clip).toMatchObject({ ...expected, label: "good" })
    expect(clip?.hash).toMatch(/^[0-9a-f]{64}$/)
  })

  test("ids are unique and safe", () => {
    const ids = report.manifest.clips.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toContain("good/turned_90_")
  })
})

test("bad files are in quarantine with the reason", () => {
  const reasons = Object.fromEntries(report.manifest.quarantine.map(({ relative, reason }) => [relative, reason]))
  expect(reasons).toEqual({
    "bad/zero.mp4": "the file is empty",
    "bad/text.mp4": expect.stringContaining("cannot be opened as video"),
    "bad/playlist.mp4": expect.stringContaining("cannot be opened as video"),
    "bad/sound.mp4": expect.stringContaining("no video stream"),
    "bad/cut.mp4": expect.stringContaining("cannot be opened as video"),
    "bad/cut.avi": expect.stringContaining("truncated"),
    "bad/cut.mkv": expect.stringContaining("truncated"),
    "bad/cut.webm": expect.stringContaining("truncated"),
  })
})

test("files that are something else, links to nothing and long names are named for what they are", async () => {
  const odd = join(folder, "odd")
  const long = `${"langer name ".repeat(20)}abc.mp4`
  mkdirSync(join(odd, "wave"), { recursive: true })
  expect(long.length).toBeGreaterThan(234)
  copyFileSync(join(data, "good", "h264.mp4"), join(odd, "wave", long))
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
  writeFileSync(join(odd, "wave", "lfs.mp4"), pointer)
  writeFileSync(join(odd, "wave", "page.mp4"), "<!DOCTYPE html><html><title>404</title></html>")
  writeFileSync(join(odd, "wave", "zipped.mp4"), "PK\u0003\u0004rest")
  symlinkSync("/nowhere/a.mp4", join(odd, "wave", "link.mp4"))
  symlinkSync("../.git/annex/objects/4x/a.mp4", join(odd, "wave", "annex.mp4"))
  const { manifest, findings } = await doctor(odd, join(folder, "out", "odd.jsonl"), silent, { workers: 1 })
  expect(Object.fromEntries(manifest.quarantine.map(({ relative, reason }) => [relative, reason]))).toEqual({
    "wave/lfs.mp4": "a Git LFS pointer, not the video: run `git lfs pull` in its folder",
    "wave/page.mp4": "a web page, not a video: its download has failed",
    "wave/zipped.mp4": "an archive (zip), not a video: unpack it",
    "wave/link.mp4": "a link to a missing file, /nowhere/a.mp4",
    "wave/annex.mp4": "its content is not here: run `git annex get` in its folder",
  })
  expect(findings.map(({ what }) => what)).toEqual(["1 class with fewer than 3 labelled clips"])
  for await (const { path } of writeStrips(manifest.clips, join(folder, "strips"), { workers: 1 })) {
    expect(existsSync(path)).toBe(true)
  }
})

test("what is checked before measuring ends the work before measuring", async () => {
  const never = join(folder, "out", "never.jsonl")
  const refuse = () => {
    throw new Error("refused")
  }
  await expect(doctor(data, never, silent, { check: refuse })).rejects.toThrow("refused")
  expect(existsSync(never)).toBe(false)
})

test("rows that contradict each other have different ids, and the finding that a run ends with", async () => {
  const table = join(folder, "twice.csv")
  writeFileSync(table, "path,label\ndata/good/h264.mp4,x\ndata/good/h264.mp4,y\n")
  const { manifest, findings } = await doctor(table, join(folder, "out", "twice.jsonl"), silent, { workers: 1 })
  expect(new Set(manifest.clips.map(({ id }) => id)).size).toBe(2)
  expect(findings[0]).toMatchObject({ level: "error", where: `${table}:3`, found: "label y of data/good/h264.mp4" })
})

test("equal files are found", () => {
  expect(report.duplicates.map((same) => same.map(({ relative }) => relative))).toEqual([
    ["bad/copy.mp4", "good/h264.mp4"],
  ])
})

test("the manifest file gives back what was measured", async () => {
  const { manifest } = await readManifest(out)
  expect(manifest).toEqual(report.manifest)
})

test("a second run measures only what changed", async () => {
  const again = await doctor(data, out, silent)
  expect([again.measured, again.manifest]).toEqual([0, report.manifest])
  appendFileSync(join(data, "bad", "zero.mp4"), "x")
  const third = await doctor(data, out, silent)
  expect(third.measured).toBe(1)
  expect(third.manifest.quarantine.find(({ relative }) => relative === "bad/zero.mp4")?.reason).toMatch(
    /cannot be opened/,
  )
})

test("a damaged manifest is written anew, and it says so; without the cache all files are measured again", async () => {
  const text = readFileSync(out, "utf8")
  const damage = () => writeFileSync(out, text.slice(0, text.length / 2))
  const warnings: string[] = []
  const reporter = { ...silent, warn: (line: string) => void warnings.push(line) }
  damage()
  const again = await doctor(data, out, reporter)
  expect(again.measured).toBe(0)
  expect(warnings.join()).toContain("the manifest of before is written anew")
  expect((await readManifest(out)).manifest).toEqual(again.manifest)
  damage()
  expect((await doctor(data, out, silent, { measurements: join(folder, "empty") })).reused).toBe(0)
})

test("another manifest, a moved or renamed folder, a copy: nothing is measured again, by content", async () => {
  const one = join(folder, "moves", "a")
  mkdirSync(join(one, "x"), { recursive: true })
  for (const frames of [5, 6, 7]) makeClip(join(one, "x", `${frames}.mp4`), { frames })
  const manifest = (name: string) => join(folder, "moves", `${name}.jsonl`)
  const first = await doctor(one, manifest("a"), silent)
  expect(first.measured).toBe(3)
  expect((await doctor(one, manifest("other out"), silent)).measured).toBe(0)
  const moved = join(folder, "moves", "b")
  renameSync(one, moved)
  renameSync(join(moved, "x"), join(moved, "y"))
  const second = await doctor(moved, manifest("b"), silent)
  expect([second.measured, second.reused]).toEqual([0, 3])
  expect(second.manifest.clips.map(({ frames, hash }) => [frames, hash])).toEqual(
    first.manifest.clips.map(({ frames, hash }) => [frames, hash]),
  )
  cpSync(join(moved, "y", "5.mp4"), join(moved, "y", "copy.mp4"))
  expect((await doctor(moved, manifest("b"), silent)).measured).toBe(0)
  copyFileSync(join(data, "good", "vp8.webm"), join(moved, "y", "5.mp4"))
  const changed = await doctor(moved, manifest("b"), silent)
  expect(changed.manifest.clips.find(({ relative }) => relative === "y/5.mp4")?.codec).toBe("vp8")
})

test("a cache that cannot be written is named with what to set", async () => {
  const before = process.env.FOURTIER_CACHE
  try {
    writeFileSync(join(folder, "a file"), "")
    process.env.FOURTIER_CACHE = join(folder, "a file", "cache")
    await expect(doctor(data, out, silent)).rejects.toThrow(/cache cannot be written[\s\S]*--set cache=FOLDER/)
  } finally {
    process.env.FOURTIER_CACHE = before
  }
})

test("an interrupted run goes on where it stopped", async () => {
  const lines = readFileSync(out, "utf8").trim().split("\n").slice(1)
  const fresh = join(folder, "fresh", "manifest.jsonl")
  const measurements = join(folder, "fresh", "measurements")
  const memory = await ProbeMemory.load(fresh, measurements, silent)
  for (const path of ["h264.mp4", "xvid.avi"].map((name) => join(data, "good", name))) {
    await memory.remember(path, [{ start: null, end: null }], probeFile(path, [{ start: null, end: null }]))
  }
  await memory.close()
  appendFileSync(measurementsFile(measurements), '{"path":"torn')
  const resumed = await doctor(data, fresh, silent, { measurements })
  expect(resumed.reused).toBe(3) // the copy of the first too
  expect(readFileSync(fresh, "utf8").trim().split("\n").slice(1)).toEqual(lines)
  expect((await doctor(data, join(folder, "again.jsonl"), silent, { measurements })).measured).toBe(0)
})

test("groups and equal files on both sides of a split are reported; windows and missing files are understood", async () => {
  const table = join(data, "list.csv")
  writeFileSync(
    table,
    "path,label,group,split,split_b,start,end\n" +
      "good/h264.mp4,x,g1,train,train,,\nbad/copy.mp4,x,g2,test,train,,\n" +
      "good/stream.ts,y,g1,test,test,0.2,0.6\ngood/stream.ts,y,g3,test,test,5,6\nnowhere.mp4,y,g3,train,test,,\n",
  )
  const { manifest, leaks } = await doctor(table, join(folder, "out", "list.jsonl"), silent)
  expect(leaks).toEqual([
    { column: "split", kind: "group", name: "g1", sides: ["test", "train"] },
    { column: "split", kind: "duplicate", name: "bad/copy = good/h264", sides: ["test", "train"] },
    { column: "split_b", kind: "group", name: "g1", sides: ["test", "train"] },
  ])
  expect(manifest.clips.find(({ start }) => start === 0.2)).toMatchObject({ id: "good/stream@0.2-0.6", frames: 10 })
  expect(manifest.quarantine.map(({ relative, reason }) => [relative, reason])).toEqual([
    ["good/stream.ts", "no frames in the time window"],
    ["nowhere.mp4", "the file is missing"],
  ])
})

test("files without a manifest are measured in child processes, each with its clip or its error", async () => {
  const paths = ["good/h264.mp4", "bad/text.mp4", "good/xvid.avi"].map((name) => join(data, name))
  const found: unknown[] = []
  for await (const one of clipsOfFiles(paths, { workers: 1 })) {
    found.push("clip" in one ? one.clip : one.error.message)
  }
  expect(found).toEqual([
    clipOfFile(paths[0]),
    expect.stringMatching(/cannot be opened as video/),
    clipOfFile(paths[2]),
  ])
})

test("a single file becomes a clip for prediction", () => {
  expect(clipOfFile(join(data, "good", "h264.mp4"))).toMatchObject({ frames: 30, label: null, width: 64 })
  expect(() => clipOfFile(join(data, "bad", "text.mp4"))).toThrow(/text\.mp4: cannot be used as video/)
})
