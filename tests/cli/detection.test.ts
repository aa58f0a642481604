/** Protects `fourtier detection`: from a folder laid out as AVA's to a table, results and detections in AVA's form. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseAvaCsv } from "@fourtier/core/metrics"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { built, LAUNCHER, node } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-detection-"))
const data = join(folder, "ava")
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(() => {
  mkdirSync(join(data, "annotations"), { recursive: true })
  const entry = (name: string, id: number) => `label {\n  name: "${name}"\n  label_id: ${id}\n}\n`
  const write = (name: string, text: string) => writeFileSync(join(data, "annotations", name), text)
  write("ava_action_list_v2.2_for_activitynet_2019.pbtxt", entry("stand", 12) + entry("walk", 14))
  write("ava_train_v2.2.csv", "a,0001,0,0,0.5,1,12,0\na,0001,0.5,0,1,1,14,1\nb,0001,0,0,0.5,1,14,0\n")
  write("ava_val_v2.2.csv", "c,0001,0,0,0.5,1,12,0\nc,0001,0.5,0,1,1,14,1\nlost,0001,0,0,1,1,12,0\n")
  writeFileSync(join(folder, "boxes.csv"), "c,0001,0.02,0,0.5,1,,0.95\nc,0001,0,0,1,1,,0.2\n")
  for (const [i, id] of ["a", "b", "c"].entries()) {
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
      trained: { clips: 2, people: 3 },
      recall: [{ part: "val", found: 1, truths: 2 }],
    })
  })

  it("answers a wrong method and a folder without annotations with what it expects", () => {
    expect(node([LAUNCHER, "detection", data, "--methods", "full"]).err).toMatch(/expected: one of linear-probe/)
    expect(node([LAUNCHER, "detection", `${folder}/out`]).code).toBe(1)
    expect(node([LAUNCHER, "detection", data, "--window", "0"]).err).toMatch(/number from 0.1 to 60/)
  })
})
