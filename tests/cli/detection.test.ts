/** Protects `fourtier detection`: from a folder laid out as AVA's to a table, results, detections in AVA's form, and a bundle. */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseAvaCsv } from "@fourtier/core/metrics"
import sharp from "sharp"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-detection-"))
const data = join(folder, "ava")
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(() => {
  mkdirSync(join(data, "annotations"), { recursive: true })
  const entry = (name: string, id: number) => `label {\n  name: "${name}"\n  label_id: ${id}\n}\n`
  const write = (name: string, text: string) => writeFileSync(join(data, "annotations", name), text)
  write("ava_action_list_v2.2_for_activitynet_2019.pbtxt", entry("stand", 12) + entry("walk", 14))
  write(
    "ava_train_v2.2.csv",
    "a,0001,0,0,0.5,1,12,0\na,0001,0.5,0,1,1,14,1\nb,0001,0,0,0.5,1,14,0\nd,0001,0.2,0,0.7,1,12,3\n",
  )
  write("ava_val_v2.2.csv", "c,0001,0,0,0.5,1,12,0\nc,0001,0.5,0,1,1,14,1\nlost,0001,0,0,1,1,12,0\n")
  writeFileSync(join(folder, "boxes.csv"), "c,0001,0.02,0,0.5,1,,0.95\nc,0001,0,0,1,1,,0.2\n")
  for (const [i, id] of ["a", "b", "c", "d"].entries()) {
    encodeClip(join(data, "videos", `${id}.mp4`), { frames: 50, paint: (_, pixels) => pixels.fill(60 + 50 * i) })
  }
})

describe.skipIf(!built)("fourtier detection", () => {
  it("prints a table within 80 columns and writes what it found", () => {
    const out = join(folder, "out")
    const quick = [`cache=${join(folder, "cache")}`, "linearProbe.epochs=1", "linearProbe.minUpdates=2"]
    const settings = ["--set", ...quick, "linearProbe.batch=2", "model.width=null"]
    const boxes = ["--boxes", join(folder, "boxes.csv")]
    const run = node([LAUNCHER, "detection", data, "--methods", "linear-probe", ...boxes, "-o", out, ...settings])
    expect([run.code, run.out.includes("linear-probe")], run.err).toEqual([0, true])
    expect(run.err).toMatch(/1 video of the annotations not there: lost/)
    expect(run.err).toMatch(/1 person box; left out: 1 below 0.8/)
    expect(run.out).toMatch(/detected boxes find 1 of 2 people of val \(50.0 %\)/)
    expect(run.out.split("\n").filter((line) => line.length > 80 && !line.includes(folder))).toEqual([])
    const found = parseAvaCsv(readFileSync(join(out, "linear-probe-val-true.csv"), "utf8"), "found")
    expect(found.boxes).toHaveLength(4)
    expect(JSON.parse(readFileSync(join(out, "results.json"), "utf8"))).toMatchObject({
      trained: { clips: 3, people: 4 },
      recall: [{ part: "val", found: 1, truths: 2 }],
    })
  })

  const quick = [
    ...["finetune", "linearProbe"].flatMap((name) => [`${name}.epochs=1`, `${name}.minUpdates=2`, `${name}.batch=2`]),
    ...[`cache=${join(folder, "cache")}`, "model.width=null", "prompts=[A]"],
  ]
  const people = ["a@1#0", "a@1#1", "b@1#0", "d@1#3"]

  it("exports an annotation task of people, takes the answers in, and learns from them to a bundle that equals the trainer", () => {
    const task = join(folder, "task")
    const about = ["--subject", "person", "--set", ...quick]
    const answers = join(folder, "answers.jsonl")
    const line = (clip: string, i: number) =>
      JSON.stringify({ clip, prompt: "A", answer: ["Standing.", "Walking."][i % 2] })
    writeFileSync(answers, people.map(line).join("\n"))
    const [exported, imported] = several([
      ["describe", "export", data, "--task", task, ...about],
      ["describe", "import", data, answers, ...about],
    ])
    expect(exported.code, exported.err).toBe(0)
    expect(readdirSync(task).filter((name) => name.endsWith(".jpg"))).toHaveLength(4)
    expect(imported.err).toMatch(/4 answers imported into .*descriptions.jsonl/)
    expect(readFileSync(join(data, "descriptions.jsonl"), "utf8")).toMatch(/^\{"clip":"a@1#0","prompt":"A"/)

    const out = join(folder, "people")
    const run = node([LAUNCHER, "detection", data, "--methods", "full,full-shuffled", "-o", out, ...about])
    expect([run.code, run.out.includes("full − full-shuffled")], run.err).toEqual([0, true])
    expect(run.out).toMatch(/stage 1 learned from 4 described/)
    expect(run.err).toMatch(/bundle \(full\): .* matches the trainer within/)
    expect(run.out.split("\n").filter((line) => line.length > 80 && !line.includes(folder))).toEqual([])
    const bundle = JSON.parse(readFileSync(join(out, "bundle", "bundle.json"), "utf8"))
    expect(bundle).toMatchObject({ task: "detection", labels: ["stand", "walk"], classIds: [12, 14] })
    expect(bundle.parity).toMatchObject({ clips: 1, boxes: 2 })
    const predicted = node([LAUNCHER, "predict", join(out, "bundle"), join(data, "videos", "c.mp4")])
    expect([predicted.code, /a bundle of action detection/.test(predicted.err)], predicted.err).toEqual([1, true])
  })

  it("takes a thousand boxes in a frame, and leaves out or refuses those that hold nothing", () => {
    const boxes = join(folder, "hostile.csv")
    const thousand = Array.from({ length: 1000 }, (_, i) => `c,0001,${i / 2000},0,${i / 2000 + 0.4},1,,0.9\n`)
    const nothing = ["0.5,0,0.5,1", "0.6,0,0.2,1", "1.2,0,1.5,1"].map((box) => `c,0001,${box},,0.9\n`)
    writeFileSync(boxes, [...thousand, ...nothing, "c,0099,0,0,1,1,,0.9\n", "nobody,0001,0,0,1,1,,0.9\n"].join(""))
    const out = join(folder, "hostile")
    const command = ["detection", data, "--methods", "linear-probe", "-o", out, "--set", ...quick]
    const wrong = join(folder, "no-number.csv")
    writeFileSync(wrong, "c,0001,0,NaN,1,1,,0.9\n")
    const [run, refused] = several([
      [...command, "--boxes", boxes],
      [...command, "--boxes", wrong],
    ])
    expect([run.code, /left out: 0 below 0.8, 3 outside or empty/.test(run.err)], run.err).toEqual([0, true])
    expect(run.out).toMatch(/detected boxes find 2 of 2 people of val/)
    const found = parseAvaCsv(readFileSync(join(out, "linear-probe-val-detected.csv"), "utf8"), "found")
    expect(found.boxes).toHaveLength(2000)
    expect(refused.err).toMatch(/no-number\.csv:1: not a row of person boxes/)
  })

  it("finds people itself, also in a folder of frames, and trains to the end where it finds nobody", async () => {
    const framed = join(folder, "framed")
    cpSync(data, framed, { recursive: true })
    rmSync(join(framed, "videos", "c.mp4"))
    mkdirSync(join(framed, "frames", "c"), { recursive: true })
    const grey = sharp({ create: { width: 64, height: 48, channels: 3, background: { r: 160, g: 160, b: 160 } } })
    const picture = await grey.jpeg().toBuffer()
    for (let n = 1; n <= 50; n++) {
      if (n !== 7) writeFileSync(join(framed, "frames", "c", `c_${`${n}`.padStart(6, "0")}.jpg`), picture)
    }
    const found = ["--detector", "movenet", "--frame-rate", "25"]
    const methods = ["--methods", "linear-probe,baseline"]
    const run = node([LAUNCHER, "detection", framed, ...methods, ...found, "-o", join(folder, "o4"), "--set", ...quick])
    expect([run.code, /bundle \(baseline\): .* matches the trainer/.test(run.err)], run.err).toEqual([0, true])
    expect(run.err).toMatch(/1 frame missing in 1 folder: c \(1\)/)
    expect(run.err).toMatch(/0 person boxes in 1 key frame/)
    expect(run.out).toMatch(/detected boxes find 0 of 2 people of val \(0.0 %\)/)
  })

  it("answers a wrong method and a folder without annotations with what it expects", () => {
    const alone = join(folder, "alone")
    mkdirSync(alone)
    const answers = several([
      ["detection", data, "--methods", "fulls"],
      ["detection", alone, "--methods", "full"],
      ["detection", data, "--subject", "crowd"],
      ["detection", join(folder, "out")],
      ["detection", data, "--window", "0"],
    ])
    expect(answers.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1])
    expect(answers.map(({ err }) => err)).toEqual([
      expect.stringMatching(/expected: one of linear-probe/),
      expect.stringMatching(/no source of answers/),
      expect.stringMatching(/one of clip, person/),
      expect.any(String),
      expect.stringMatching(/number from 0.1 to 60/),
    ])
  })
})
