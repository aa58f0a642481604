/** Protects: whatever is wrong with the arguments is said in one form, and no option is taken without being checked. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withSeparateSettings } from "../../packages/fourtier/src/cli/errors.ts"
import { type Answer, built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-errors-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(!built)("arguments", () => {
  const cases: [args: string[], message: RegExp][] = [
    [
      ["predict", "b", "v", "-k", "0"],
      /^error --top: not allowed\n +expected: a whole number of at least 1\n +found: +0\n/,
    ],
    [["predict", "b", "v", "-k", "abc"], /^error --top: not allowed\n[\s\S]*found: +abc\n/],
    [["predict", "b", "v", "--threads", "x"], /^error --threads: not allowed/],
    [["predict", "b", "v", "--threads", "1e3"], /^error --threads: not allowed/],
    [["info", "--classes", "0"], /^error --classes: not allowed\n +expected: a whole number of at least 2/],
    [["strips", "d", "--quality", "500"], /^error --quality: not allowed\n +expected: a whole number from 1 to 100/],
    [["puppets", "--seed", "-1"], /^error --seed: not allowed/],
    [["bench", "encoder", "--batches", "2,x"], /^error --batches: not allowed/],
    [
      ["run", "d", "--preset", "smal"],
      /^error --preset: no such choice\n +expected: one of small, paper\n[\s\S]*did you mean small/,
    ],
    [["run", "d", "--set", "seeds=x"], /^error seeds \(--set\): wrong type/],
    [["run", "d", "--set", "seeds"], /^error --set: not an assignment/],
    [["run"], /^error <data>: an argument is missing\n +fix: +fourtier run --help/],
    [["run", "--exclude", "wave", "d"], /^error <data>: an argument is missing\n +fix: +put <data> before --exclude/],
    [["run", "d", "--prest", "small"], /^error --prest: no such option\n +fix: +did you mean --preset\?/],
    [["rnu", "d"], /^error rnu: no such command\n +fix: +did you mean run\?/],
    [["encode", "x"], /^error --checkpoint: this option is required/],
    [["run", "d", "--out"], /^error --out: this option needs a value/],
    [["run", "d", "e"], /^error too many arguments[\s\S]*fix/],
  ]
  let answers: Answer[]
  beforeAll(() => {
    answers = several(cases.map(([args]) => args))
  })

  it.each(cases.map(([args, message], i) => ({ args, message, i })))("$args", ({ message, i }) => {
    const { code, out, err } = answers[i]
    expect(err).toMatch(message)
    expect(err).not.toMatch(/\n +at /)
    expect([code, out]).toEqual([1, ""])
  })

  it("pages that an error names have the address at which they lie", () => {
    const config = join(folder, "config.json")
    writeFileSync(config, "{}")
    const { err } = node([LAUNCHER, "encode", config, "-w", "random", "-i", "x.npy", "-o", join(folder, "out")])
    const page = /(\S*encoders\.md)/.exec(err)?.[1] ?? "no page"
    expect(existsSync(page), err).toBe(true)
  })
})

describe("settings on the command line", () => {
  it.each([
    ["--set seeds=1 data", "--set seeds=1 data"],
    ["--set a=1 b.c=2 data -k 3", "--set a=1 --set b.c=2 data -k 3"],
    ["data --set prompts=[] --set views.0.crop=x y=z", "data --set prompts=[] --set views.0.crop=x --set y=z"],
    ["--set a=1 -o x=y", "--set a=1 -o x=y"],
  ])("%s", (given, expected) => {
    expect(withSeparateSettings(given.split(" "))).toEqual(expected.split(" "))
  })
})
