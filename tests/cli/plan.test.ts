/** Protects what `fourtier plan` prints: within 80 columns, as docs/scale.md shows it, and the same figures as JSON. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { built, several } from "./command.ts"

/** The command of docs/scale.md, and what the page says it prints. */
const [, command, shown] =
  /```\n(fourtier plan [\s\S]*?)\n```[\s\S]*?```\n([\s\S]*?)\n```/.exec(
    readFileSync(join(import.meta.dirname, "../../docs/scale.md"), "utf8"),
  ) ?? []

const ENCODERS = ["B/16", "L/14"].map((model) => `encoder={kind: uniformerv2, model: ${model}, checkpoint: random}`)
const COMMON = ["plan", "kinetics710", "--machines", "16", "--gflops", "100", "--cores", "32", "--preset", "paper"]

describe.skipIf(!built)("fourtier plan", () => {
  it("tells clips, tokens, price, hours and disk for both encoders of the paper", () => {
    const asked = ENCODERS.flatMap((encoder) => [
      [...COMMON, "--vlm", "gpt-4o-mini", "--rpm", "5000", "--set", encoder],
      [...COMMON, "--json", "--set", encoder],
      [...COMMON, "--set", encoder],
    ])
    const answers = several(asked)
    for (const { code, err } of answers) expect([code, err]).toEqual([0, ""])
    const [b16, b16Json, unlimited, l14] = answers.map(({ out }) => out)
    for (const text of [b16, l14]) {
      expect(text.split("\n").filter((line) => line.length > 80)).toEqual([])
      expect(text).toMatch(/658,340 training and 66,803 tested clips/)
      expect(text).toMatch(/Answers of gpt-4o-mini: .* USD/s)
    }
    expect(b16).toMatch(/│ all {2,}│/)
    // a sum that leaves something out says so
    expect(unlimited).toMatch(/requests a minute with\s--rpm[\s\S]*│ answers .*unknown[\s\S]*│ all but /)
    const { stages, total } = JSON.parse(b16Json)
    expect(stages.map(({ stage }: { stage: string }) => stage)).toContain("encode")
    expect(total.hoursTogether).toBeLessThan(total.hours)
  })

  it("prints what docs/scale.md shows", () => {
    const words = command.replaceAll("\\\n", " ").match(/'[^']*'|\S+/g) ?? []
    const [{ code, out }] = several([words.slice(1).map((word) => word.replaceAll("'", ""))])
    expect(code).toBe(0)
    expect(out.trim()).toBe(shown)
  })

  it("takes the time of a view from what fourtier bench encoder has written, of this encoder alone", () => {
    const folder = mkdtempSync(join(tmpdir(), "fourtier-plan-"))
    const file = join(folder, "bench.json")
    const bench = {
      encoder: "uniformerv2 B/16 (random weights)",
      precisions: [{ cost: { clock: 0.251234567, processor: 1 } }],
    }
    writeFileSync(file, JSON.stringify({ ...bench, settings: {}, clips: 2 }))
    const [b16, l14] = several(ENCODERS.map((encoder) => [...COMMON, "--bench", file, "--set", encoder]))
    rmSync(folder, { recursive: true })
    expect(b16.out).toMatch(/a view through the\s+encoder\s+takes\s+0\.251 s\s+\(measured\)/)
    // 2.78 M views of 0.25 s
    expect(b16.out).toMatch(/│ encode +│ 2\.78 M views +│ +8\.\d d/)
    expect([l14.code, l14.err]).toEqual([1, expect.stringMatching(/no measurement of this encoder[\s\S]*L\/14/)])
  })

  it("says what may stand where a name is wrong", () => {
    const [{ code, err }] = several([["plan", "kinetics"]])
    expect(code).toBe(1)
    expect(err).toMatch(/kinetics: neither data nor a data set whose size is known/)
  })
})
