/** Protects: `fourtier data` says what is there, and its table is data for the other verbs, clips in archives included. */

import { execFileSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { makeClip } from "../../packages/fourtier/tests/video/fixtures.ts"
import { built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-data-"))
afterAll(() => rmSync(folder, { recursive: true }))

const data = (...args: string[]) => node([LAUNCHER, "data", ...args])
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length))

describe.skipIf(!built)("fourtier data", () => {
  it("lists what it reads", () => {
    const { code, out } = data("--list")
    expect(code).toBe(0)
    expect(out).toMatch(/^kinetics400 +Kinetics-400\n +train\.csv/)
    expect(widest(out)).toBeLessThanOrEqual(80)
  })

  it("answers what is missing, wrong or not there", () => {
    const cases: [args: string[], message: RegExp][] = [
      [[], /^error <name>: an argument is missing\n +fix: +fourtier data --list/],
      [["ucf101"], /^error <root>: an argument is missing/],
      [["ufc101", "."], /^error no data set "ufc101"[\s\S]*did you mean ucf101/],
      [["ucf101", join(folder, "none")], /^error .*none: the data cannot be opened/],
    ]
    const answers = several(cases.map(([args]) => ["data", ...args]))
    for (const [i, [args, message]] of cases.entries()) {
      expect([args, answers[i].code, answers[i].err]).toEqual([args, 1, expect.stringMatching(message)])
    }
  })

  it("writes a table of clips in archives that the doctor measures", () => {
    const from = join(folder, "from")
    const shards = join(folder, "shards")
    for (const made of [from, shards]) mkdirSync(made)
    for (const [i, label] of ["wave", "jump", "wave", "jump"].entries()) {
      makeClip(join(from, `${i}.mp4`), { frames: 5 + i })
      writeFileSync(join(from, `${i}.cls`), label)
    }
    execFileSync("tar", ["-c", "-f", join(shards, "train-0.tar"), "-C", from, "."])
    const table = join(folder, "clips.csv")
    const { code, out, err } = data("webdataset", shards, "-o", table)
    expect([code, err]).toEqual([0, expect.stringContaining("4 files looked at")])
    expect(out).toMatch(
      /train │ +4 │ +0 │ +0[\s\S]*jump +│ +2[\s\S]*4 clips of 2 classes of WebDataset in .*\n.*next: fourtier doctor/,
    )
    const doctor = node([LAUNCHER, "doctor", table, "-o", join(folder, "manifest.jsonl"), "--json"])
    expect(JSON.parse(doctor.out)).toMatchObject({
      clips: 4,
      quarantine: [],
      classes: [{ name: "jump" }, { name: "wave" }],
    })
    const again = node([LAUNCHER, "doctor", table, "-o", join(folder, "manifest.jsonl"), "--json"])
    expect(JSON.parse(again.out)).toMatchObject({ clips: 4, measured: 0 })
  })

  it("writes the names of missing clips, and all counts as JSON", () => {
    const root = join(folder, "lists")
    mkdirSync(root)
    copyFileSync(join(folder, "from", "0.mp4"), join(root, "a.mp4"))
    writeFileSync(join(root, "train.csv"), "a.mp4 0\ngone.mp4 1\n")
    const [table, missing] = [join(folder, "lists.csv"), join(folder, "missing.txt")]
    const { out } = data("videomae", root, "-o", table, "--missing", missing, "--json")
    expect(JSON.parse(out)).toMatchObject({
      dataset: "videomae",
      written: 1,
      missing: 1,
      parts: { train: { found: 1, missing: 1 } },
    })
    expect(readFileSync(missing, "utf8")).toBe("gone.mp4\n")
    expect(readFileSync(table, "utf8")).toBe("path,label,split\nlists/a.mp4,0,train\n")
  })
})
