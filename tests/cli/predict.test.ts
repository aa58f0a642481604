/** Protects `fourtier predict`: several videos and folders, every form of output, and what is said of what is not a bundle. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "../examples/bundle.ts"
import { built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-predict-"))
const run = join(folder, "run")
const bundle = join(run, "bundle")
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(async () => {
  await writeBundle(bundle)
  mkdirSync(join(folder, "clips", "night"), { recursive: true })
  encodeClip(join(folder, "clips", "a, b.mp4"), { frames: 9, paint: (_, pixels) => pixels.fill(220) })
  encodeClip(join(folder, "clips", "night", "c.mp4"), { frames: 1, paint: (_, pixels) => pixels.fill(20) })
})

const predict = (...args: string[]) => node([LAUNCHER, "predict", ...args])

describe.skipIf(!built)("fourtier predict", () => {
  const [day, night] = [join(folder, "clips", "a, b.mp4"), join(folder, "clips", "night", "c.mp4")]

  it("takes videos and folders, each file once, and prints a table within 80 columns", () => {
    const { code, out, err } = predict(bundle, night, join(folder, "clips"), "-k", "1")
    expect([code, err.includes("recognise")]).toEqual([0, true])
    expect(out.match(/bright \d+\.\d %/g)).toHaveLength(1)
    expect(out.match(/dark \d+\.\d %/g)).toHaveLength(1)
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([])
  })

  it("prints CSV with paths as they are given, goes on past a file that is no video, and exits with 1", () => {
    const text = join(folder, "text.mp4")
    writeFileSync(text, "this is not a video")
    const given = relative(process.cwd(), night)
    const { code, out, err } = predict(bundle, text, day, given, "--csv")
    const csv = out.split("\n")
    expect(csv[0]).toBe("path,label,probability,label_2,probability_2")
    expect(csv[1]).toMatch(/^"[^"]*a, b\.mp4",bright,0\.9\d+,dark,0\.0\d+$/)
    expect(csv[2]).toContain(`${given},dark`)
    expect(csv).toHaveLength(4)
    expect(err).toMatch(/text\.mp4: cannot be used as video/)
    expect(code).toBe(1)
  })

  it("prints JSON lines, with stand-ins counted, and looks at as many views as it is asked to", () => {
    const [own, four, crops, wrong] = several(
      [[], ["--views", "4x1"], ["--views", "4x3"], ["--views", "4"]].map((more) => [
        ...["predict", bundle, day, night, "--json"],
        ...more,
      ]),
    )
    const lines = (out: string): unknown[] =>
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    const bright = (probability: unknown) => ({ top: [{ label: "bright", probability }, { label: "dark" }] })
    const [one, dark] = lines(own.out)
    expect(one).toMatchObject(bright(expect.any(Number)))
    expect(one).not.toHaveProperty("paddedFrames")
    expect(dark).toMatchObject({ top: [{ label: "dark" }, { label: "bright" }], paddedFrames: 3 })
    const { top } = z.object({ top: z.array(z.object({ probability: z.number() })) }).parse(one)
    expect(lines(four.out)[0]).toMatchObject(bright(expect.closeTo(top[0].probability, 3)))
    expect(crops.err).toMatch(/views: 3 crops are wanted, but no step of the views cuts any/)
    expect(wrong.err).toMatch(/--views: not a number of views/)
  })

  it("says where the best guess is not to be believed", async () => {
    const careful = join(folder, "careful")
    await writeBundle(careful, { threshold: 0.9999, falseAlarmRate: 0.05, clips: 40, learned: false })
    const forms = [["-k", "1"], ["--json"], ["--csv", "-k", "1"]]
    const [table, json, csv] = several(forms.map((form) => ["predict", careful, day, ...form]))
    expect(table.out).toMatch(/unknown, nearest:[\s\S]*bright \d+\.\d %/)
    expect(JSON.parse(json.out)).toMatchObject({ unknown: true })
    expect(csv.out).toMatch(/^path,label,probability,unknown\n.*,true\n$/)
  })

  it("says what there is where a bundle is wanted, before it looks at any video", () => {
    const cases: [path: string, message: RegExp][] = [
      [run, /the folder of a run, not its bundle[\s\S]*fix: +give .*run\/bundle/],
      [join(bundle, "model.onnx"), /a file of a bundle[\s\S]*fix: +give .*bundle/],
      [day, /a video, not a bundle[\s\S]*give the bundle first/],
      [join(folder, "nothing"), /no such folder/],
      [join(folder, "clips"), /not a bundle: it has no bundle\.json/],
    ]
    const answers = several(cases.map(([path]) => ["predict", path, join(folder, "no such video.mp4")]))
    for (const [i, [, message]] of cases.entries()) {
      expect(answers[i]).toEqual({ code: 1, out: "", err: expect.stringMatching(message) })
    }
  })
})
