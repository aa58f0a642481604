/** Protects: clips in tar archives are listed, measured and decoded where they lie, whatever tar wrote the archive. */

import { execFileSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { decodeFrames } from "../../src/video/decode.ts"
import { isThere, placeOf, readPlace } from "../../src/video/place.ts"
import { clipOfFile, probeFile } from "../../src/video/probe.ts"
import { readTarIndex } from "../../src/video/tar.ts"
import { makeClip, readNumbers, scratchFolder } from "../video/fixtures.ts"
import { told, trees } from "./tree.ts"

const tree = trees()
const folder = scratchFolder()
const clips = join(folder, "clips")
mkdirSync(clips)
for (const name of ["a.mp4", "b.webm", "c.avi"]) {
  const codec = name.endsWith("webm") ? "libvpx" : name.endsWith("avi") ? "mpeg4" : undefined
  makeClip(join(clips, name), { frames: 12, codec })
}

/** An archive by the system's tar, with these options. */
function tar(name: string, files: Readonly<Record<string, string>>, ...options: string[]): string {
  const from = join(folder, `from-${name}`)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(from, path, ".."), { recursive: true })
    if (content.startsWith("=")) copyFileSync(join(clips, content.slice(1)), join(from, path))
    else writeFileSync(join(from, path), content)
  }
  const archive = join(folder, name)
  execFileSync("tar", ["-c", "-f", archive, ...options, "-C", from, "."])
  return archive
}

const long = `${"deep/".repeat(40)}${"n".repeat(90)}`

describe("tar archives", () => {
  test.each(["ustar", "gnu", "pax", "v7"])(
    "of format %s: members are where the index says, long names too",
    (format) => {
      const longOnes = { v7: [], ustar: [`${"deep/".repeat(25)}x.txt`] }[format] ?? [`${long}.txt`]
      const files = {
        "x/a.mp4": "=a.mp4",
        "ünï cødé.cls": "3",
        ...Object.fromEntries(longOnes.map((name) => [name, "long"])),
      }
      const archive = tar(`${format}.tar`, files, `--format=${format}`)
      const { members, truncated } = readTarIndex(archive)
      expect(truncated).toBeNull()
      expect(members.map(({ name }) => name).sort()).toEqual(Object.keys(files).sort())
      expect(readPlace(placeOf(`${archive}/x/a.mp4`))).toEqual(readFileSync(join(clips, "a.mp4")))
      for (const name of longOnes) expect(readPlace(placeOf(`${archive}/${name}`)).toString()).toBe("long")
    },
  )

  test.each(["a.mp4", "b.webm", "c.avi"])("%s is measured and decoded in its archive as beside it", (name) => {
    const archive = tar(`${name}.tar`, {
      "0.txt": "x".repeat(700),
      [`1/${name}`]: `=${name}`,
      "2.txt": "y".repeat(3000),
    })
    const inside = clipOfFile(`${archive}/1/${name}`)
    const beside = clipOfFile(join(clips, name))
    const { id, path, relative, ...measures } = beside
    expect(inside).toMatchObject(measures)
    const frames = [0, 5, 11]
    const pixels = (clip: typeof inside) => decodeFrames(clip, { indices: frames })
    expect(readNumbers(pixels(inside))).toEqual(frames)
    expect(pixels(inside).data).toEqual(pixels(beside).data)
  })

  test("sizes beyond 8 GB are in base 256", () => {
    const archive = tar("large.tar", { "a.cls": "1" }, "--format=gnu")
    const bytes = readFileSync(archive)
    const at = bytes.indexOf("./a.cls")
    bytes.set([0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0], at + 124)
    let sum = 8 * 32
    for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += bytes[at + i]
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148)
    writeFileSync(archive, bytes)
    expect(readTarIndex(archive).truncated).toBe("a.cls")
  })

  test("a member cut off, one that is not there, a damaged archive and a compressed one are named", () => {
    const archive = tar("cut.tar", { "a.mp4": "=a.mp4", "b.webm": "=b.webm" }, "--sort=name")
    const [a, b] = readTarIndex(archive).members
    truncateSync(archive, b.start + 100)
    expect(readTarIndex(archive)).toEqual({ members: [a], truncated: "b.webm" })
    const reason = (path: string) => probeFile(path, [{ start: null, end: null }]).measures[0]
    expect(reason(`${archive}/a.mp4`)).toMatchObject({ frames: 12 })
    expect(reason(`${archive}/b.webm`)).toEqual({ reason: "truncated: the archive ends before it does" })
    expect(reason(`${archive}/none.mp4`)).toEqual({ reason: "the file is missing: it is not in the archive" })
    const bytes = readFileSync(archive)
    bytes.fill(7, b.start - 512, b.start)
    writeFileSync(archive, bytes)
    expect(() => readTarIndex(archive)).toThrow(/a damaged archive[\s\S]*no header at byte/)
    const zipped = tar("z.tar", { "a.cls": "1" }, "--gzip")
    expect(() => readTarIndex(zipped)).toThrow(/z\.tar: a compressed archive[\s\S]*gunzip/)
  })

  test("an archive that has changed is listed anew", () => {
    const archive = tar("changes.tar", { "a.cls": "1" })
    expect(readPlace(placeOf(`${archive}/a.cls`)).toString()).toBe("1")
    renameSync(tar("other.tar", { "b.cls": "22" }), archive)
    utimesSync(archive, 1, 1)
    expect(readPlace(placeOf(`${archive}/b.cls`)).toString()).toBe("22")
    expect(() => placeOf(`${archive}/a.cls`)).toThrow(/not in the archive/)
    expect([isThere(`${archive}/b.cls`), isThere(`${archive}/a.cls`), isThere(folder)]).toEqual([true, false, false])
  })
})

describe("WebDataset", () => {
  test("labels from .cls, .json and .txt, parts from the shards' names, samples without a video", async () => {
    const first = tar("train-000.tar", {
      "00.mp4": "=a.mp4",
      "00.cls": "1\n",
      "dir/01.mp4": "=a.mp4",
      "dir/01.json": '{"caption": "x", "label": "jump, high"}',
      "02.seg.mp4": "=b.webm",
      "02.cls": "0",
      "03.cls": "0",
    })
    const second = tar("val-000.tar", { "00.webm": "=b.webm", "00.txt": "wave" })
    const { root, read } = tree({ "names.txt": "wave\njump\n" })
    for (const shard of [first, second]) copyFileSync(shard, join(root, shard.split("/").at(-1) ?? ""))
    const { source, report } = await read("webdataset", { classes: join(root, "names.txt") })
    expect(told(source)).toEqual([
      ["train-000.tar/00.mp4", "jump", "train"],
      ["train-000.tar/02.seg.mp4", "wave", "train"],
      ["train-000.tar/dir/01.mp4", "jump, high", "train"],
      ["val-000.tar/00.webm", "wave", "val"],
    ])
    expect(report.notes.join("\n")).toMatch(/1 label from \.txt[\s\S]*1 sample without a video: train-000\.tar\/03/)
    const one = await read("webdataset", { root: join(root, "val-000.tar") })
    expect(told(one.source)).toEqual([["val-000.tar/00.webm", "wave", "val"]])
  })

  test("a truncated shard is named, and what is before its end is used", async () => {
    const archive = tar("short.tar", { "0.mp4": "=a.mp4", "0.cls": "wave", "1.mp4": "=a.mp4" }, "--sort=name")
    const last = readTarIndex(archive).members.find(({ name }) => name === "1.mp4")
    truncateSync(archive, (last?.start ?? 0) + 10)
    const { source, report } = await tree({ "x.txt": "" }).read("webdataset", { root: archive })
    expect(told(source)).toHaveLength(1)
    expect(report.notes.join()).toMatch(/short\.tar is truncated: it ends in 1\.mp4/)
  })

  test("no archive, compressed ones and broken JSON are named", async () => {
    await expect(tree({ "a.mp4": "x" }).read("webdataset")).rejects.toThrow(/no \.tar archive/)
    await expect(tree({ "0.tar.gz": "x" }).read("webdataset")).rejects.toThrow(/compressed archives[\s\S]*0\.tar\.gz/)
    const broken = tar("json.tar", { "0.mp4": "=a.mp4", "0.json": "{label" })
    await expect(tree({ "x.txt": "" }).read("webdataset", { root: broken })).rejects.toThrow(
      /json\.tar\/0\.json: not valid JSON/,
    )
  })
})
