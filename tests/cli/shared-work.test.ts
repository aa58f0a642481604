/** Workers that share measuring and strips: every file is done once, and what they leave is what one process leaves. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeClip } from "../../packages/fourtier/tests/video/fixtures.ts"
import { fourtier } from "../e2e/fixtures.ts"
import { built, several } from "./command.ts"

const CLIPS = 6
const folder = mkdtempSync(join(tmpdir(), "fourtier-shared-work-"))
const data = join(folder, "clips")
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const filesIn = (path: string, ending: string) =>
  readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(path, name))

/** Lines of the measurements of a cache. */
const measured = (cache: string) =>
  filesIn(join(cache, "measurements"), ".jsonl").flatMap((path) =>
    readFileSync(path, "utf8").split("\n").filter(Boolean),
  )

describe.skipIf(!built)("work that divides by files", () => {
  beforeAll(() => {
    for (let i = 0; i < CLIPS; i++) makeClip(join(data, i % 2 ? "wave" : "jump", `${i}.mp4`), { frames: 8 + i })
  })

  it("doctor --steal: every file is measured once, and all workers write the manifest of one", async () => {
    const args = (out: string) => ["doctor", data, "-o", join(folder, out), "--steal", "--block", "1"]
    const workers = await Promise.all(["a.jsonl", "b.jsonl"].map((out) => fourtier(folder, ...args(out))))
    expect(workers.map(({ code }) => code)).toEqual([0, 0])
    const counts = workers.map(({ err }) => Number(/(\d+) files? measured here/.exec(err)?.[1]))
    expect(counts[0] + counts[1]).toBe(CLIPS)
    expect(measured(join(folder, "cache"))).toHaveLength(CLIPS)
    const [alone] = several([["doctor", data, "-o", join(folder, "alone.jsonl")]], {
      env: { FOURTIER_CACHE: join(folder, "other") },
    })
    expect(alone.code).toBe(0)
    const manifest = readFileSync(join(folder, "alone.jsonl"), "utf8")
    for (const out of ["a.jsonl", "b.jsonl"]) expect(readFileSync(join(folder, out), "utf8")).toBe(manifest)
  })

  it("doctor --shard: parts are measured, and then nothing is left", () => {
    const env = { FOURTIER_CACHE: join(folder, "parts") }
    const manifest = join(folder, "parts.jsonl")
    const doctor = (...more: string[]) => ["doctor", data, "-o", manifest, ...more]
    const [first, second] = several([doctor("--shard", "1/2"), doctor("--shard", "2/2")], { env })
    for (const { code, err } of [first, second]) {
      expect(code).toBe(0)
      expect(err).toMatch(/3 files measured here/)
    }
    expect(measured(join(folder, "parts"))).toHaveLength(CLIPS)
    const [merged, all] = several([["cache", "merge"], doctor()], { env })
    expect([merged.code, merged.out]).toEqual([0, expect.stringContaining("measurements: 2 files taken into one")])
    expect(filesIn(join(folder, "parts/measurements"), ".jsonl")).toHaveLength(1)
    expect(measured(join(folder, "parts"))).toHaveLength(CLIPS)
    expect(all.out).toMatch(/0 files measured, 6 unchanged/)
    expect(existsSync(manifest)).toBe(true)
  })

  it("strips: parts, and blocks that workers take, come to a strip of every clip", async () => {
    const env = { FOURTIER_CACHE: join(folder, "parts") }
    const out = join(folder, "strips")
    const strips = ["strips", data, "-o", out, "--manifest", join(folder, "parts.jsonl")]
    const [part, stolen, none] = several(
      [
        [...strips, "--shard", "1/3"],
        [...strips, "--steal", "--block", "1"],
        [...strips, "--steal"],
      ],
      { env },
    )
    const counts = [part, stolen, none].map(({ err }) => Number(/(\d+) strips written here/.exec(err)?.[1]))
    expect(counts).toEqual([2, 4, 0])
    expect(filesIn(out, ".jpg")).toHaveLength(CLIPS)
  })
})
