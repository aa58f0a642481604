/** Protects `fourtier detect`: every form of output, videos drawn, nothing done twice, and what is wrong with what is given. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseAvaCsv, parseAvaLabelMap } from "@fourtier/core/metrics"
import { add, constant, input, mul, reshape, sum } from "@fourtier/tensor"
import { writeOnnx } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { clipOfFile } from "fourtier/video"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { writeDetectorBundle } from "../../packages/fourtier/tests/deploy/detector-bundle.ts"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-detect-"))
const file = (...names: string[]) => join(folder, ...names)
const videos = file("videos")
const out = file("out")
afterAll(() => rmSync(folder, { recursive: true }))

/** A YOLO with NMS that sees two people in every picture: the left and the right half. */
async function writeDetector(path: string, rows: number[][]): Promise<void> {
  const x = input("images", [1, 3, 32, 32])
  const nothing = mul(sum(reshape(x, [3 * 32 * 32]), 0), 0)
  await writeOnnx(
    path,
    toOnnx({ outputs: { output0: add(constant(Float32Array.from(rows.flat()), [1, rows.length, 6]), nothing) } }),
  )
}

beforeAll(async () => {
  await writeDetectorBundle(file("bundle"))
  mkdirSync(join(videos, "night"), { recursive: true })
  const paint = (frame: number, pixels: Uint8Array) => pixels.fill(40 + 2 * frame)
  encodeClip(join(videos, "a, b.mp4"), { frames: 80, paint })
  encodeClip(join(videos, "night", "c.mp4"), { frames: 40, paint })
  await writeDetector(file("halves.onnx"), [
    [0, 4, 15, 28, 0.9, 0],
    [17, 4, 32, 28, 0.8, 0],
  ])
  await writeDetector(file("nobody.onnx"), [
    [0, 0, 9, 9, 0.9, 17],
    [0, 0, 0, 0, 0, 0],
  ])
})

const plain = (...args: string[]) => ["detect", file("bundle"), ...args, "--cache", file("cache")]
const halves = (...args: string[]) => plain(...args, "--detector", file("halves.onnx"))
const detect = (...args: string[]) => node([LAUNCHER, ...halves(...args)])
const read = (name: string) => readFileSync(join(out, name), "utf8")

describe.skipIf(!built)("fourtier detect", () => {
  it("prints a table within 80 columns, JSON lines, or AVA's rows", () => {
    const [{ code, out: table, err }, json, csv] = several([
      halves(videos),
      halves(videos, "--json", "--threshold", "0"),
      halves(join(videos, "night"), "--csv"),
    ])
    expect(code, err).toBe(0)
    expect(table).toMatch(/a, b\.mp4 +│ +1 │ +0\.0 │ +3\.\d │ \S.* %[\s\S]*│ +2 │[\s\S]*c\.mp4/)
    expect(table.split("\n").filter((line) => line.length > 80)).toEqual([])
    const lines = json.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(8) // two people at three key times, and at one
    expect(lines[0]).toMatchObject({
      path: expect.stringMatching(/a, b\.mp4$/),
      time: 1,
      track: 1,
      labels: expect.any(Array),
    })
    expect(lines[0].labels).toHaveLength(3)
    const { boxes } = parseAvaCsv(csv.out, "out")
    expect(boxes.map(({ videoId, timestamp, classId }) => [videoId, timestamp, classId])).toEqual(
      [12, 14, 80, 12, 14, 80].map((id) => ["c", 1, id]),
    )
  })

  it("writes every format into a folder with the videos drawn, and a second run does nothing again", () => {
    const first = detect(videos, "-o", out)
    expect(first.code, first.err).toBe(0)
    const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) => /\./.test(name))
    const own = (name: string) => [".drawn.mp4", ".json"].map((end) => `${name}${end}`)
    const all = ["ava.csv", "ava_action_list.pbtxt", "detections.jsonl"]
    expect(files.sort()).toEqual([...own("a, b.mp4"), ...all, ...own(join("night", "c.mp4"))].sort())
    expect(clipOfFile(join(out, "a, b.mp4.drawn.mp4"))).toMatchObject({
      frames: 80,
      width: 64,
      height: 48,
      codec: "h264",
    })
    const record = JSON.parse(read("a, b.mp4.json"))
    expect(record.labels).toEqual(["stand", "walk", "watch (a person)"])
    expect(record.moments.map(({ time }: { time: number }) => time)).toEqual([1, 2, 3])
    expect(record.tracks.map(({ id, boxes }: { id: number; boxes: unknown[] }) => [id, boxes.length])).toEqual([
      [1, 32],
      [2, 32],
    ])
    const ids = parseAvaCsv(read("ava.csv").replaceAll('"', "").replaceAll("a, b", "ab"), "ava.csv").boxes
    expect(ids).toHaveLength(24)
    expect(parseAvaLabelMap(read("ava_action_list.pbtxt"), "map")).toEqual([
      { id: 12, name: "stand" },
      { id: 14, name: "walk" },
      { id: 80, name: "watch (a person)" },
    ])
    const before = read("detections.jsonl")
    const again = detect(videos, "-o", out)
    expect(again.err).toContain("2 of them done before")
    expect(read("detections.jsonl")).toBe(before)
    rmSync(join(out, "night", "c.mp4.drawn.mp4"))
    expect(detect(videos, "-o", out).err).toContain("1 of them done before")
    expect(existsSync(join(out, "night", "c.mp4.drawn.mp4"))).toBe(true)
  })

  it("takes people from a file, or finds nobody", () => {
    writeFileSync(file("boxes.csv"), "c,0.6,0,0,0.5,1,,0.9\nc,1.2,0.1,0,0.6,1,,0.9\nother,1,0,0,1,1,,0.9\n")
    const [given, nobody] = several([
      plain(join(videos, "night", "c.mp4"), "--boxes", file("boxes.csv"), "--json"),
      plain(join(videos, "night"), "--detector", file("nobody.onnx"), "-o", file("empty")),
    ])
    expect(
      given.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { time: 0.6, track: 1, box: [0, 0, 0.5, 1] },
      { time: 1.2, track: 1, box: [0.1, 0, 0.6, 1] },
    ])
    expect([nobody.code, /c\.mp4 +│ +│ +│ +│ nobody/.test(nobody.out)], nobody.err).toEqual([0, true])
    expect(readFileSync(file("empty", "ava.csv"), "utf8")).toBe("")
    expect(existsSync(file("empty", "c.mp4.drawn.mp4"))).toBe(true)
  })

  it("goes on past a file that is no video, and says what is wrong with an option", () => {
    writeFileSync(file("text.mp4"), "this is not a video")
    const { code, out: table, err } = detect(file("text.mp4"), join(videos, "night"))
    expect([code, /c\.mp4/.test(table), /text\.mp4[\s\S]*cannot be used as video/.test(err)]).toEqual([1, true, true])
    const cases: [args: string[], message: RegExp][] = [
      [plain(videos, "--detector", "nanodt"), /did you mean nanodet/],
      [halves(videos, "--detector-format", "yolo8"), /did you mean yolov8/],
      [halves(videos, "--boxes", file("boxes.csv")), /--boxes, --detector[\s\S]*one of them alone/],
      [halves(videos, "--json", "--csv"), /one of them alone/],
      [halves(videos, "--step", "0"), /number from 0.04/],
      [["detect", videos, videos], /error .*videos: not a bundle/],
    ]
    const answers = several(cases.map(([args]) => args))
    for (const [i, [args, message]] of cases.entries()) {
      expect([args, answers[i].code, answers[i].err]).toEqual([args, 1, expect.stringMatching(message)])
    }
  })
})
