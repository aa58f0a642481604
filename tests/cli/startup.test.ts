/** Protects how fast the command starts, and that it loads what a verb uses and nothing else. */

import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import { built, DIST, LAUNCHER, modulesLoadedBy, node } from "./command.ts"

/** Seconds over `node -e 0`. */
const LIMIT = 0.25

/** What only some verbs need: decoder, pictures, engine, clients. */
const HEAVY = /\/node_modules\/(node-av|sharp|onnxruntime-\w+|openai|@huggingface)\//

/** Arguments that make Node import a compiled module, `then` do something with it. */
function importing(path: string, then = ""): string[] {
  const url = pathToFileURL(join(DIST, path))
  return ["--input-type=module", "--eval", `const module = await import(${JSON.stringify(url)}); ${then}`]
}

describe.skipIf(!built)("start-up", () => {
  it.each(["--version", "--help"])("fourtier %s takes at most 0.25 s longer than node -e 0", (option) => {
    let best = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < 5 && best > LIMIT; attempt++) {
      best = Math.min(best, medianDifference([LAUNCHER, option], ["-e", "0"]))
    }
    expect(best).toBeLessThanOrEqual(LIMIT)
  })

  it("the help loads the declarations of the verbs, commander, and no part of the method", () => {
    const modules = modulesLoadedBy([LAUNCHER, "--help"])
    expect(modules.filter((url) => HEAVY.test(url))).toEqual([])
    expect(modules.filter((url) => url.includes("/cli/actions/"))).toEqual([])
    expect(modules.filter((url) => !url.includes("/dist/cli/")).length).toBeLessThanOrEqual(15)
  })

  it("reading a configuration loads no decoder, no engine and no client", () => {
    const modules = modulesLoadedBy(importing("config.js", "await module.loadConfig()"))
    expect(modules.some((url) => url.endsWith("/dist/config.js"))).toBe(true)
    expect(modules.filter((url) => HEAVY.test(url))).toEqual([])
  })

  it.each([
    [
      "predict",
      /\/(openai|sharp|yaml)\/|fourtier\/dist\/(describe|experiment)\/|core\/dist\/(train|objective)\/|puppets/,
    ],
    // the settings of a run, and none of what they set
    ["doctor", /\/(openai|sharp|onnxruntime-node)\/|fourtier\/dist\/experiment\/|puppets/],
    ["strips", /\/(openai|sharp|onnxruntime-node)\/|fourtier\/dist\/(describe|encoders|experiment)\/|puppets/],
    ["describe", /\/(openai|sharp|onnxruntime-node)\/|fourtier\/dist\/experiment\/|puppets/],
    ["encode", /\/(openai|sharp|node-av)\/|fourtier\/dist\/(describe|video|experiment)\/|puppets\/dist/],
    ["info", /\/(openai|sharp|node-av|onnxruntime-node)\/|fourtier\/dist\/experiment\/|puppets\/dist/],
    ["run", /\/openai\/|puppets\/dist/],
    ["demo", /\/openai\/|puppets\/dist/],
    ["puppets", /\/(openai|sharp|node-av|onnxruntime-node)\/|puppets\/dist/],
  ])("%s loads nothing that it does not use", (action, others) => {
    const modules = modulesLoadedBy(importing(`cli/actions/${action}.js`))
    expect(modules.filter((url) => others.test(url))).toEqual([])
  })

  it("the listing of modules would show a heavy one", () => {
    expect(modulesLoadedBy(importing("video/index.js")).some((url) => HEAVY.test(url))).toBe(true)
  })
})

/** Median over a few rounds of the seconds that `args` takes longer than `reference`, one right after the other. */
function medianDifference(args: readonly string[], reference: readonly string[]): number {
  const differences = Array.from({ length: 3 }, () => seconds(args) - seconds(reference))
  return differences.sort((a, b) => a - b)[1]
}

function seconds(args: readonly string[]): number {
  const begun = performance.now()
  const { code, err } = node(args)
  expect([code, err]).toEqual([0, ""])
  return (performance.now() - begun) / 1000
}
