/** Protects `fourtier predict`: several videos and folders, every form of output, and what is said of what is not a bundle. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "../examples/bundle.ts"
import { built, LAUNCHER, node } from "./command.ts"

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

  it("prints CSV and JSON lines, with stand-ins counted", () => {
    const csv = predict(bundle, day, night, "--csv").out.split("\n")
    expect(csv[0]).toBe("path,label,probability,label_2,probability_2")
    expect(csv[1]).toMatch(/^"[^"]*a, b\.mp4",bright,0\.9\d+,dark,0\.0\d+$/)
    expect(csv).toHaveLength(4)
    const json: unknown = JSON.parse(predict(bundle, night, "--json").out)
    expect(json).toMatchObject({ top: [{ label: "dark" }, { label: "bright" }], paddedFrames: 3 })
  })

  it("says where the best guess is not to be believed", async () => {
    const careful = join(folder, "careful")
    await writeBundle(careful, { threshold: 0.9999, falseAlarmRate: 0.05, clips: 40, learned: false })
    expect(predict(careful, day, "-k", "1").out).toMatch(/unknown, nearest:[\s\S]*bright \d+\.\d %/)
    expect(JSON.parse(predict(careful, day, "--json").out)).toMatchObject({ unknown: true })
    expect(predict(careful, day, "--csv", "-k", "1").out).toMatch(/^path,label,probability,unknown\n.*,true\n$/)
  })

  it("looks at as many views as it is asked to", () => {
    const [one, four] = [[], ["--views", "4x1"]].map((more) => predict(bundle, day, "--json", ...more).out)
    const probability = (line: string) => Number(/"probability":([\d.]+)/.exec(line)?.[1])
    expect(probability(four)).toBeCloseTo(probability(one), 3)
    expect(predict(bundle, day, "--views", "4x3").err).toMatch(
      /views: 3 crops are wanted, but no step of the views cuts any/,
    )
    expect(predict(bundle, day, "--views", "4").err).toMatch(/--views: not a number of views/)
  })

  it("prints relative paths as they are given", () => {
    const given = relative(process.cwd(), night)
    expect(predict(bundle, given, "--csv").out.split("\n")[1]).toContain(`${given},dark`)
  })

  it("goes on past a file that is no video, and exits with 1", () => {
    const text = join(folder, "text.mp4")
    writeFileSync(text, "this is not a video")
    const { code, out, err } = predict(bundle, text, day, "--csv")
    expect(code).toBe(1)
    expect(out.split("\n")).toHaveLength(3)
    expect(err).toMatch(/text\.mp4: cannot be used as video/)
  })

  it.each([
    ["a run", () => run, /the folder of a run, not its bundle[\s\S]*fix: +give .*run\/bundle/],
    ["a model", () => join(bundle, "model.onnx"), /a file of a bundle[\s\S]*fix: +give .*bundle/],
    ["a video", () => day, /a video, not a bundle[\s\S]*fourtier predict <bundle> <video>/],
    ["nothing", () => join(folder, "nothing"), /no such folder/],
    ["clips", () => join(folder, "clips"), /not a bundle: it has no bundle\.json/],
  ])("says what %s is where a bundle is wanted", (_, path, message) => {
    const { code, err } = predict(path(), day)
    expect(err).toMatch(message)
    expect(code).toBe(1)
  })
})
