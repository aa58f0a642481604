/** Protects `fourtier segment`: every form of output, and that videos done before are not done again. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "../examples/bundle.ts"
import { built, LAUNCHER, node } from "./command.ts"

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

const segment = (...args: string[]) => node([LAUNCHER, "segment", bundle, ...args, "--window", "1", "--step", "0.5"])
const read = (name: string) => readFileSync(join(out, name), "utf8")

describe.skipIf(!built)("fourtier segment", () => {
  it("prints a table within 80 columns, JSON lines, or CSV", () => {
    const { code, out: table } = segment(videos)
    expect(code).toBe(0)
    expect(table).toMatch(/a, b\.mp4 +│ +0:00\.0 │ +0:0\d\.\d │ dark[\s\S]*bright[\s\S]*c\.mp4/)
    expect(table.split("\n").filter((line) => line.length > 80)).toEqual([])
    const [first] = segment(videos, "--json").out.split("\n")
    expect(JSON.parse(first)).toMatchObject({ label: "dark", start: 0 })
    expect(segment(videos, "--csv").out.split("\n")[0]).toBe("path,label,start,end,score")
  })

  it("writes every format into a folder, and a second run does nothing again", () => {
    expect(segment(videos, "-o", out).code).toBe(0)
    const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((file) => /\./.test(file))
    const own = (name: string) => [".json", ".srt", ".vtt"].map((end) => `${name}${end}`)
    const all = ["activitynet.json", "segments.csv", "segments.jsonl"]
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
    expect(read("segments.csv")).toBe(before)
    expect(segment(videos, "-o", out, "--threshold", "0.9").err).not.toContain("done before")
  })

  it("goes on past a file that is no video, and says what is wrong with an option", () => {
    writeFileSync(join(folder, "text.mp4"), "this is not a video")
    const { code, out: rows, err } = segment(join(folder, "text.mp4"), join(videos, "night", "c.mp4"), "--csv")
    expect([code, rows.split("\n").length > 2]).toEqual([1, true])
    expect(err).toMatch(/text\.mp4: cannot be used as video/)
    expect(segment(videos, "--threshold", "2").err).toMatch(/expected: a number from 0 to 1/)
  })
})
