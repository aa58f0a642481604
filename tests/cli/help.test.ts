/** Protects what a user reads first: every verb explains itself within 80 columns, and errors say what to do. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { splitNames } from "@fourtier/puppets"
import { PROVIDERS } from "@fourtier/tensor"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Answer, built, LAUNCHER, node, several } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-cli-"))
afterAll(() => rmSync(folder, { recursive: true }))

const VERBS = [
  "studio",
  ...["demo", "run", "predict", "doctor", "strips", "describe", "extract", "align", "finetune", "evaluate", "export"],
  ...["ablate", "info", "bench", "encode", "report", "puppets", "suggest", "detection", "compare", "data", "segment"],
  ...["watch", "cache", "detect", "status", "plan"],
]
const SUBVERBS = [
  ...["run", "retry", "show", "edit", "stats", "export", "import", "prices"].map((name) => `describe ${name}`),
  ...["list", "clear", "move", "merge"].map((name) => `cache ${name}`),
  "bench encoder",
  "bench guard",
  "puppets sheet",
  "puppets company",
  "puppets takes",
]

describe.skipIf(!built)("help", () => {
  it("lists every verb", () => {
    const { out } = node([LAUNCHER, "--help"])
    const listed = [...out.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name)
    expect(listed.toSorted()).toEqual([...VERBS, "help"].toSorted())
  })

  const verbs = ["", ...VERBS, ...SUBVERBS]
  let answers: Answer[]
  beforeAll(() => {
    answers = several(verbs.map((verb) => [...verb.split(" ").filter(Boolean), "--help"]))
  })

  it.each(verbs)("fourtier %s --help fits 80 columns", (verb) => {
    const { code, out, err } = answers[verbs.indexOf(verb)]
    expect([code, err]).toEqual([0, ""])
    expect(out).toContain(`Usage: fourtier ${verb}`.trim())
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([])
  })
})

describe.skipIf(!built)("choices in the help", () => {
  it("are all there are: devices of predict, parts of the rendered clips", () => {
    const helps = several([
      ["predict", "--help"],
      ["puppets", "sheet", "--help"],
    ])
    const [predict, sheet] = helps.map(({ out }) => out.replaceAll(/\s+/g, " "))
    expect(predict).toContain(`device: auto, ${PROVIDERS.join(", ")} (`)
    expect(sheet).toContain(splitNames.join(", ").replace(", test-shift", " or test-shift"))
  })
})

describe.skipIf(!built)("errors", () => {
  it("a wrong choice is answered with the choices", () => {
    const { code, err } = node([LAUNCHER, "predict", "bundle", "video.mp4", "--provider", "cud"])
    expect(code).toBe(1)
    expect(err).toMatch(/^error --provider: no such choice\n +expected: one of auto, cpu, cuda/)
    expect(err).toContain("did you mean cuda?")
  })

  it("without the package of rendered clips, demo and puppets say how to install it", () => {
    // resolved as if from the root of the file system, where no package lies
    const hooks = `export const resolve = (name, context, next) =>
      next(name, name === "@fourtier/puppets" ? { ...context, parentURL: "file:///" } : context)`
    const register = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hooks))})`
    for (const args of [["demo", "--out", join(folder, "demo")], ["puppets"], ["puppets", "sheet", "sheet.png"]]) {
      const { code, err } = node(["--import", dataUrl(register), LAUNCHER, ...args])
      expect(err).toMatch(/the package @fourtier\/puppets is not installed[\s\S]*npm install @fourtier\/puppets@\d/)
      expect(code).toBe(1)
    }
  })
})

it("the launcher says when nothing has been built", () => {
  mkdirSync(join(folder, "bin"))
  copyFileSync(LAUNCHER, join(folder, "bin/fourtier.mjs"))
  const { code, out, err } = node([join(folder, "bin/fourtier.mjs"), "--version"])
  expect([code, out]).toEqual([1, ""])
  expect(err).toBe("fourtier has not been built yet: run `npm run build` first\n")
})

it("in a clone that has not been built, the launcher builds it", () => {
  const clone = join(folder, "clone")
  const home = join(clone, "packages/fourtier")
  for (const path of [join(home, "bin"), join(clone, "node_modules/typescript")]) mkdirSync(path, { recursive: true })
  copyFileSync(LAUNCHER, join(home, "bin/fourtier.mjs"))
  writeFileSync(join(clone, "tsconfig.json"), "{}")
  writeFileSync(join(clone, "build.cjs"), BUILD)
  writeFileSync(join(clone, "package.json"), JSON.stringify({ scripts: { build: "node build.cjs" } }))
  const { code, out, err } = node([join(home, "bin/fourtier.mjs"), "--version"])
  expect([code, out, err]).toEqual([0, "built\n", "building fourtier, once …\n"])
})

/** Writes a command line that says so. */
const BUILD = `const { mkdirSync, writeFileSync } = require("node:fs")
mkdirSync("packages/fourtier/dist/cli", { recursive: true })
writeFileSync("packages/fourtier/dist/cli/main.js", "console.log('built')")`

const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`
