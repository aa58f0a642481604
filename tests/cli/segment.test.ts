/** Protects `fourtier segment`: every form of output, and that videos done before are not done again. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "../examples/bundle.ts"
import { type Answer, built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-segment-"))
const bundle = join(folder, "bundle")
const videos = join(folder, "videos")
const out = join(folder, "out")
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  await writeBundle(bundle)
  mkdirSync(join(videos, "night"), { recursive: true })
  const paint = (frame: number, pixels: Uint8Array) => pixels.fill(frame >= 100 && frame < 200 ? 220 : 20)
  encodeClip(join(videos, "a, b.mp4"), { frames: 300, paint })
  encodeClip(join(videos, "night", "c.mp4"), { frames: 60, paint })
})

const argsOf = (...args: string[]) => ["segment", bundle, ...args, "--window", "1", "--step", "0.5"]
const segment = (...args: string[]) => node([LAUNCHER, ...argsOf(...args)])
const read = (name: string) => readFileSync(join(out, name), "utf8")

describe.skipIf(!built)("fourtier segment", () => {
  it("prints a table within 80 columns, JSON lines, or CSV; goes on past a file that is no video; says what is wrong with an option", () => {
    const text = join(folder, "text.mp4")
    writeFileSync(text, "this is not a video")
    const night = join(videos, "night", "c.mp4")
    const [{ code, out: table }, json, csv, ...wrong] = several([
      argsOf(videos),
      argsOf(videos, "--json"),
      argsOf(text, night, "--csv"),
      argsOf(videos, "--threshold", "2"),
      argsOf(videos, "--mp4"),
    ])
    expect(code).toBe(0)
    expect(table).toMatch(/a, b\.mp4 +│ +0:00\.0 │ +0:0\d\.\d │ dark[\s\S]*bright[\s\S]*c\.mp4/)
    expect(table.split("\n").filter((line) => line.length > 80)).toEqual([])
    const [first] = json.out.split("\n")
    expect(JSON.parse(first)).toMatchObject({ label: "dark", start: 0 })
    const rows = csv.out.split("\n")
    expect(rows[0]).toBe("path,label,start,end,score")
    expect([csv.code, rows.length > 2]).toEqual([1, true])
    expect(csv.err).toMatch(/text\.mp4: cannot be used as video/)
    expect(wrong[0].err).toMatch(/expected: a number from 0 to 1/)
    expect(wrong[1].err).toMatch(/--mp4: no folder for the videos[\s\S]*add --out <folder>/)
  })

  it("writes every format into a folder, and a second run does nothing again", () => {
    expect(segment(videos, "-o", out).code).toBe(0)
    const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((file) => /\./.test(file))
    const own = (name: string) => [".cvat.xml", ".json", ".srt", ".vtt"].map((end) => `${name}${end}`)
    const annotations = ["label-studio.json", "label-studio.xml"]
    const all = ["activitynet.json", ...annotations, "segments.csv", "segments.jsonl", "timeline.html"]
    expect(files.sort()).toEqual([...own("a, b.mp4"), ...all, ...own(join("night", "c.mp4"))].sort())
    expect(read("a, b.mp4.vtt")).toMatch(/^WEBVTT\n\n00:00:00\.000 --> 00:00:0\d\.\d{3}\ndark \d+ %\n/)
    expect(read("a, b.mp4.srt")).toMatch(/^1\n00:00:00,000 --> 00:00:0\d,\d{3}\ndark \d+ %\n\n2\n/)
    expect(JSON.parse(read("activitynet.json"))).toMatchObject({
      version: "VERSION 1.3",
      results: {
        "a, b": [{ label: "dark", segment: [0, expect.any(Number)] }, { label: "bright" }, { label: "dark" }],
      },
    })
    const before = read("segments.csv")
    const again = segment(videos, "-o", out)
    expect(again.err).toContain("2 of them done before")
    // captions are drawn of the spans that are known, once
    const [drawn, twice] = several([argsOf(videos, "-o", out, "--mp4"), argsOf(videos, "-o", out, "--mp4")])
    expect(drawn.err).not.toContain("done before")
    expect(existsSync(join(out, "a, b.mp4.captioned.mp4"))).toBe(true)
    expect(twice.err).toContain("2 of them done before")
    expect(read("segments.csv")).toBe(before)
  })

  it("says what of a video does not decode, and goes on", () => {
    const hurt = join(folder, "hurt.mp4")
    const bytes = readFileSync(join(videos, "a, b.mp4"))
    const data = bytes.indexOf("mdat")
    bytes.fill(0xff, data + 1000, data + 2000)
    writeFileSync(hurt, bytes)
    const { code, err, out: table } = segment(hurt)
    expect([code, err]).toEqual([0, expect.stringMatching(/hurt\.mp4: \d+ of 300 frames do not decode without errors/)])
    expect(table).toContain("hurt.mp4")
  })

  it("takes the videos of a folder whatever tables lie beside them, and not what it has written there itself", () => {
    const day = join(folder, "day")
    mkdirSync(day)
    encodeClip(join(day, "d.mp4"), { frames: 60, paint: (_, pixels) => pixels.fill(20) })
    writeFileSync(join(day, "notes.csv"), "path,label,start,end\nelsewhere.mp4,bright,5,3\n")
    const found = join(day, "found")
    expect(segment(day, "-o", found, "--mp4").err).toContain("1 video")
    expect(segment(day, "-o", found, "--mp4").err).toMatch(/1 video, 1 of them done before/)
    rmSync(join(day, "d.mp4"))
    expect(segment(day, "-o", found).err).toMatch(/day: no video found/)
  })

  it("writes what annotation tools read: the clips that are read back are the spans that were found", () => {
    const spans = (name: string) =>
      readFileSync(join(out, name), "utf8")
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(","))
    const found = spans("segments.csv").filter((row) => row[0].includes("c.mp4"))
    // tracks of CVAT
    const cvat = [
      ...["data", "cvat", videos, "--annotations", join(out, "night", "c.mp4.cvat.xml")],
      ...["-o", join(folder, "cvat.csv")],
    ]
    // predictions of Label Studio, as annotations
    const tasks: { data: unknown; predictions: unknown }[] = JSON.parse(read("label-studio.json"))
    expect(tasks[0]).toMatchObject({
      data: { video: "a, b.mp4", fps: 25 },
      predictions: [{ result: [{ type: "timelinelabels", from_name: "actions", to_name: "video" }, {}, {}] }],
    })
    writeFileSync(
      join(folder, "tasks.json"),
      JSON.stringify(tasks.map(({ data, predictions }) => ({ data, annotations: predictions }))),
    )
    const studio = [
      "data",
      "label-studio",
      videos,
      "--annotations",
      join(folder, "tasks.json"),
      "-o",
      join(folder, "studio.csv"),
    ]
    expect(several([cvat, studio]).map(({ code, err }) => [code, err])).toEqual([
      [0, expect.any(String)],
      [0, expect.any(String)],
    ])
    for (const table of ["cvat.csv", "studio.csv"]) {
      const rows = readFileSync(join(folder, table), "utf8").trim().split("\n")
      const columns = rows[0].split(",")
      const at = (row: string, name: string) => row.split(",")[columns.indexOf(name)]
      const own = rows.slice(1).filter((row) => row.includes("c.mp4"))
      expect(own.map((row) => at(row, "label"))).toEqual(found.map((row) => row[1]))
      for (const [i, row] of own.entries()) expect(Number(at(row, "start"))).toBeCloseTo(Number(found[i][2]), 1)
    }
    expect(read("label-studio.xml")).toMatch(
      /<TimelineLabels name="actions" toName="video">\n {4}<Label value="dark"\/>/,
    )
  })

  it("tells what the spans are worth beside true ones, of a table or ActivityNet's JSON; other settings are done again", () => {
    const truth = join(folder, "truth.csv")
    writeFileSync(truth, 'path,label,start,end\n"videos/a, b.mp4",bright,4,8\nvideos/night/c.mp4,none,0,1\n')
    const [json, other] = [join(folder, "truth.json"), join(folder, "other.json")]
    const annotations = [{ segment: [4, 8], label: "bright" }]
    writeFileSync(json, JSON.stringify({ database: { "videos/a, b": { annotations } } }))
    writeFileSync(other, JSON.stringify({ database: { other: { annotations } } }))
    const [{ code, out: table, err }, figures, none, threshold]: Answer[] = several([
      argsOf(videos, "--truth", truth, "-o", out),
      argsOf(videos, "--truth", json, "--json"),
      argsOf(videos, "--truth", other, "-o", out),
      argsOf(videos, "--threshold", "0.9", "-o", out),
    ])
    expect([code, err]).toEqual([0, expect.stringContaining("2 of them done before")])
    expect(table).toMatch(/^2 videos, 0\.2 min: 1 true span, \d found\n[\s\S]*mAP at tIoU 0\.5 +│ +100\.0 │/)
    expect(table.split("\n").filter((line) => line.length > 80)).toEqual([])
    expect(JSON.parse(figures.out)).toMatchObject({ videos: 1, truths: 1, map50: { value: 1 } })
    expect(none.err).toMatch(/none of these videos is in it/)
    expect([threshold.code, threshold.err]).toEqual([0, expect.not.stringContaining("done before")])
  })
})
