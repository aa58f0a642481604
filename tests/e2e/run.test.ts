/**
 * The main job from outside: the compiled command line on real files, from nothing to a bundle; again, with wrong input,
 * in company, interrupted and killed.
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Recognizer } from "fourtier/deploy"
import { beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { several } from "../cli/command.ts"
import {
  built,
  CLASSES,
  cacheOf,
  type Ended,
  fourtier,
  SETTINGS,
  scratchFolder,
  start,
  startWith,
  writeClips,
} from "./fixtures.ts"

const root = scratchFolder()
const home = join(root, "home")
const data = join(root, "data")
const config = join(root, "config.json")
const PER_CLASS = 8
const run = ["run", data, "--config", config]
const read = (...path: string[]) => readFileSync(join(...path), "utf8")
const lines = (...path: string[]) => (existsSync(join(...path)) ? read(...path).split("\n").length - 1 : 0)

/** Everything that a run ends in, but for the time of its making. */
function outcome(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(json|csv|md|svg|safetensors|onnx|jsonl|yaml)$|\.tmp-/.test(file))
    .filter((file) => !file.endsWith("times.json"))
    .toSorted()
  return Object.fromEntries(
    files.map((file) => {
      const text = readFileSync(join(folder, file), "latin1")
      return [file, text.replace(/"created": "[^"]*"/, "").replaceAll(folder, "<folder>")]
    }),
  )
}

function expectSameOutcome(folder: string, expected: string): void {
  const [found, wanted] = [outcome(folder), outcome(expected)]
  expect(Object.keys(found)).toEqual(Object.keys(wanted))
  for (const [file, text] of Object.entries(found)) expect(text === wanted[file], `${file} is the same`).toBe(true)
}

describe.skipIf(!built)("fourtier run", () => {
  let [first, beside, third]: Ended[] = []
  const whole = join(home, "runs", "data")
  // two runs at once, from nothing, in one cache; a third one in the folder of the first
  beforeAll(async () => {
    mkdirSync(home)
    writeClips(data, PER_CLASS)
    writeFileSync(config, JSON.stringify(SETTINGS))
    const [a, b] = [start(home, ...run), start(home, ...run, "--out", "beside")]
    while (!existsSync(join(whole, "in-use.lock")) && a.child.exitCode === null) await sleep(5)
    third = await fourtier(home, ...run)
    ;[first, beside] = [await a.ended, await b.ended]
  }, 300_000)

  it("goes from a folder of clips to a report and a bundle", async () => {
    expect(first.err).toContain("matches the trainer within")
    expect(first.code).toBe(0)
    for (const method of SETTINGS.methods) expect(first.out).toContain(method)
    for (const file of [
      "config.yaml",
      "manifest.jsonl",
      "results.json",
      "predictions.csv",
      "report.md",
      "report.html",
      "bundle/README.md",
    ]) {
      expect(existsSync(join(whole, file)), file).toBe(true)
    }
    const curves = read(whole, "training.svg")
    for (const panel of ["stage 1: loss by prompt", "full: loss"]) expect(curves).toContain(panel)
    expect(readdirSync(whole).filter((file) => /tmp|lock/.test(file))).toEqual([])
    const results = z
      .object({ splits: z.array(z.object({ clips: z.number() })) })
      .parse(JSON.parse(read(whole, "results.json")))
    const tested = results.splits[0].clips
    expect(tested).toBeGreaterThan(3)
    const clips = new Set(
      read(whole, "predictions.csv")
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => /(left|right|down)\/square_\d/.exec(line)?.[0]),
    )
    expect(clips.size).toBe(tested)
  })

  it("two runs share a cache; a folder belongs to one of them", () => {
    expect([beside.code, beside.err]).toEqual([0, beside.err])
    expect(read(home, "beside", "results.json")).toBe(read(whole, "results.json"))
    expect(third.err).toMatch(/another run is using this folder/)
    expect(third.code).toBe(1)
  })

  it("makes the report's page anew from the run's folder alone", async () => {
    const moved = join(root, "moved")
    cpSync(whole, moved, { recursive: true })
    rmSync(join(moved, "report.html"))
    const { code, out, err } = await fourtier(root, "report", "moved")
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/report: moved\/report\.html \(\d/)
    expect(read(moved, "report.html").replaceAll('"moved"', '"data"')).toBe(read(whole, "report.html"))
    const nothing = await fourtier(root, "report", "data")
    expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining("not the folder of a run")])
  })

  it("never describes a clip of the test part", () => {
    const described = read(cacheOf(home), "descriptions.jsonl")
    for (const line of read(whole, "predictions.csv").trim().split("\n").slice(1)) {
      const [clip] = /(left|right|down)\/square_\d/.exec(line) ?? [""]
      expect(described).not.toContain(`${clip.replace("_", " ")}.mp4`)
    }
  })

  it("the bundle recognises clips, as a library and on the command line", async () => {
    const clip = join(data, "left", "square 0.mp4")
    const { code, out } = await fourtier(home, "predict", join(whole, "bundle"), clip, "--json", "--top", "3")
    expect(code).toBe(0)
    const recognitionSchema = z.object({ top: z.array(z.object({ label: z.string(), probability: z.number() })) })
    const { top } = recognitionSchema.parse(JSON.parse(out))
    expect(top.map(({ label }) => label).toSorted()).toEqual(CLASSES)
    expect(top.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 4)
    const recognizer = await Recognizer.load(join(whole, "bundle"))
    const here = await recognizer.predict(clip)
    await recognizer.release()
    for (const [i, { label, probability }] of top.entries()) {
      expect(here.top[i].label).toBe(label)
      expect(here.top[i].probability).toBeCloseTo(probability, 4)
    }
  })

  it("computes nothing a second time and comes to the same", async () => {
    const kept = join(root, "kept")
    cpSync(whole, kept, { recursive: true })
    const second = await fourtier(home, ...run)
    expect(second.code).toBe(0)
    expect(second.err.match(/are already in the store/g)).toHaveLength(2)
    expect(second.err).toMatch(/0 texts embedded/)
    expect(second.err).toMatch(/0 recorded/)
    expect(second.err).not.toMatch(/updates|✓ measure|✓ extract|check the bundle/)
    expect(second.seconds).toBeLessThan(Math.max(30, 2 * first.seconds))
    expectSameOutcome(whole, kept)
  })

  it("from another folder, into another one, only trains again; a cache of an earlier version is read", async () => {
    const cwd = join(root, "elsewhere")
    mkdirSync(cwd)
    const shared = { FOURTIER_CACHE: cacheOf(home) }
    const again = await startWith(shared, cwd, ...run, "--out", "other").ended
    expect([again.code, again.err]).toEqual([0, again.err])
    expect(again.err.match(/are already in the store/g)).toHaveLength(2)
    expect(again.err).toMatch(/0 texts embedded[\s\S]*full: .*updates/)
    expect(again.err).toMatch(/0 recorded/)
    expect(again.err).not.toMatch(/✓ measure|✓ extract|check the bundle|stage 1: .*updates/)
    expect(read(cwd, "other", "results.json")).toBe(read(whole, "results.json"))
    expect(existsSync(join(cwd, ".fourtier"))).toBe(false)
    cpSync(cacheOf(home), join(cwd, ".fourtier"), { recursive: true })
    const older = await fourtier(cwd, "extract", data, "--config", config)
    expect(older.err).toMatch(/\.fourtier\/ here is the cache of an earlier version[\s\S]*are already in the store/)
    expect(older.err).not.toMatch(/views to compute/)
  })

  it("says what is wrong with settings and data, without a stack trace", () => {
    const empty = join(root, "empty")
    mkdirSync(empty)
    const one = join(root, "one")
    cpSync(join(data, "left", "square 0.mp4"), join(one, "left", "a.mp4"))
    const cases: [args: string[], expected: RegExp][] = [
      [[...run, "--set", "finetun.epochs=3"], /finetun.*\n.*\n?.*did you mean finetune/],
      [[...run, "--set", "finetune.epochs=many"], /finetune\.epochs[\s\S]*a number[\s\S]*many/],
      [[...run, "--set", "model.integration=axail"], /model\.integration[\s\S]*"axial"/],
      [["run", join(root, "nowhere")], /nowhere/],
      [["run", empty], /empty/],
      [["run", one, "--config", config], /too few classes|no clips/],
      [[...run, "--out", join(config, "below a file")], /cannot be written/],
      [[...run, "--folds", "fold10"], /fold10/],
      [[...run, "--out", "other", "--answers", join(root, "nothing.jsonl")], /nothing\.jsonl/],
      [["predict", join(root, "nowhere"), data], /nowhere/],
    ]
    const answers = several(
      cases.map(([args]) => args),
      { cwd: one, env: { FOURTIER_CACHE: cacheOf(one) } },
    )
    for (const [i, [args, expected]] of cases.entries()) {
      const { code, err } = answers[i]
      expect(err, args.join(" ")).toMatch(expected)
      expect(err, args.join(" ")).not.toMatch(/\n\s+at |internal error/)
      expect(code, args.join(" ")).toBe(1)
    }
  }, 300_000)

  it("clips without a label are trained on with the class that their answers suggest", async () => {
    const some = join(root, "some labels")
    cpSync(data, some, { recursive: true })
    const rows = CLASSES.flatMap((label) =>
      Array.from({ length: PER_CLASS }, (_, i) => {
        const side = i < 5 ? "train" : "test"
        return `${label}/square ${i}.mp4,${side === "test" || i === 0 ? label : ""},${side}`
      }),
    )
    writeFileSync(join(some, "clips.csv"), ["path,label,split", ...rows].join("\n"))
    const settings = ["methods=[baseline,full]", "align.epochs=2", "finetune.epochs=2", "pseudoLabels.errorRate=1"]
    const { code, err, out } = await fourtier(
      home,
      "run",
      some,
      "--config",
      config,
      "--out",
      "some",
      "--set",
      ...settings,
    )
    expect([code, err]).toEqual([0, err])
    expect(err).toMatch(/12 training clips without a label/)
    // two updates leave the evidence near 1 to 1, which is what decides: either way, all that is said has to agree
    const said =
      /pseudo-labels: 12 clips(, not used)?; evidence .* from clips, .* from 0 labels \(0 right\); prompt weights/
    expect(err).toMatch(said)
    const used = said.exec(err)?.[1] === undefined
    expect(/clips without a label are left out of stage 2/.test(err)).toBe(!used)
    expect(out.includes("baseline, pseudo-labels")).toBe(used)
    const suggested = await fourtier(home, "suggest", "some", "--count", "2")
    expect([suggested.code, suggested.err]).toEqual([0, ""])
    expect(suggested.out).toMatch(/square_\d|no label is wanted/)
    const { pseudoLabels } = z
      .object({ pseudoLabels: z.array(z.object({ clips: z.number(), known: z.number() })) })
      .parse(JSON.parse(read(home, "some", "results.json")))
    expect(pseudoLabels).toEqual([{ clips: 12, known: 0 }])
    const table = read(home, "some", "trials", "split", "seed0", "pseudo-labels.csv").trim().split("\n")
    expect(table[0]).toBe("clip,label,probability")
    expect(
      table.slice(1).filter((line) => /^(left|right|down)\/square_\d,(left|right|down),[01]\.\d+$/.test(line)),
    ).toHaveLength(12)
    const counts = new RegExp(`"trainingClips": 15,\\s+"pseudoLabelled": ${used ? 12 : 0}\\D`)
    expect(read(home, "some", "bundle", "bundle.json")).toMatch(counts)
  }, 300_000)

  it("with nothing held back it trains, ships, and says that it knows no figure", async () => {
    const few = join(root, "few")
    for (const label of ["left", "right"]) cpSync(join(data, label, "square 0.mp4"), join(few, label, "a.mp4"))
    const settings = ["methods=[linear-probe,baseline]", "finetune.epochs=1"]
    const { code, err, out } = await fourtier(
      home,
      "run",
      few,
      "--config",
      config,
      "--out",
      "few",
      "--set",
      ...settings,
    )
    expect([code, err]).toEqual([0, err])
    expect(err).toMatch(/no test clips: accuracy will not be measured/)
    expect(out).toMatch(/bundle: /)
    expect(existsSync(join(home, "few", "report.md"))).toBe(false)
    expect(JSON.parse(read(home, "few", "bundle", "bundle.json"))).toMatchObject({ accuracy: null })
  }, 300_000)

  it("folds, answers that are missing for some clips, and files that cannot be read: set aside by name", async () => {
    const mixed = join(root, "mixed")
    cpSync(data, mixed, { recursive: true })
    writeFileSync(join(mixed, "left", "broken.mp4"), "not a video")
    writeFileSync(join(mixed, "right", "empty.mp4"), "")
    const partial = join(root, "partial.jsonl")
    const answers = read(data, "descriptions.jsonl").trim().split("\n")
    writeFileSync(partial, answers.slice(3).join("\n"))
    const settings = ["split.drawFolds=3", "methods=[linear-probe,full]", "align.epochs=2", "finetune.epochs=2"]
    const args = ["run", mixed, "--config", config, "--out", "folds", "--answers", partial, "--set", ...settings]
    const { code, err, out } = await fourtier(home, ...args)
    expect([code, err]).toEqual([0, err])
    expect(err).toMatch(/2 files cannot be used/)
    const manifest = read(home, "folds", "manifest.jsonl")
    for (const name of ["broken.mp4", "empty.mp4"]) expect(manifest).toMatch(new RegExp(`quarantined.*${name}.*reason`))
    expect(err).toMatch(/answers missing or set aside \(prompt A .*\): stage 1 learns from the others/)
    expect(out).toMatch(new RegExp(`${3 * PER_CLASS} clips, 3 classes, 3 folds`))
    const { provenance } = z
      .object({ provenance: z.object({ trainingClips: z.number() }) })
      .parse(JSON.parse(read(home, "folds", "bundle", "bundle.json")))
    expect(provenance.trainingClips).toBe(3 * PER_CLASS)
  }, 300_000)

  it("scores clips by class texts where both encoders are the towers of one model, and says where they are not", async () => {
    const merges = join(root, "merges.txt")
    writeFileSync(merges, "#version: 0.2\nl e\nle f\n")
    const text = { vocab_size: 516, context_length: 16, text_width: 16, text_heads: 2, text_layers: 1, embed_dim: 16 }
    const image = { patch_size: 24, vision_width: 16, vision_layers: 1, vision_heads: 2, embed_dim: 16 }
    const file = join(root, "zero-shot.json")
    writeFileSync(
      file,
      JSON.stringify({
        ...SETTINGS,
        encoder: { kind: "clip", checkpoint: "random", frames: 3, resolution: 96, sizes: image },
        text: { encoder: "clip", network: { checkpoint: "random", vocabulary: merges, sizes: text } },
        methods: ["linear-probe", "zero-shot"],
        linearProbe: { ...SETTINGS.linearProbe, epochs: 1 },
        zeroShot: { templates: ["it moves {name}"] },
        classes: CLASSES.map((name) => (name === "down" ? { name, text: "it falls" } : name)),
      }),
    )
    const args = ["run", data, "--config", file]
    const { code, err, out } = await fourtier(home, ...args, "--out", "zero-shot")
    expect([code, err]).toEqual([0, err])
    expect(out).toMatch(/zero-shot +│ +1 │[^\n]*│ +0 │/)
    expect(existsSync(join(home, "zero-shot", "bundle", "bundle.json"))).toBe(true)
    const alone = await fourtier(home, ...args, "--out", "alone", "--set", "methods=[zero-shot]")
    expect([alone.code, alone.err]).toEqual([0, expect.stringContaining("so there is no bundle")])
    const refused = await fourtier(home, ...args, "--out", "refused", "--set", "text.network.checkpoint=random:1")
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/not the towers of one model[\s\S]*text\.encoder=clip/)
  }, 300_000)

  it("interrupted and killed again and again, it ends as if it had not been", async () => {
    const cwd = join(root, "killed")
    mkdirSync(cwd)
    const out = join(cwd, "runs", "data")
    const trial = join(out, "trials", "drawn", "seed0")
    const stores = join(cacheOf(cwd), "features")
    const shards = () =>
      existsSync(stores)
        ? readdirSync(stores, { recursive: true, encoding: "utf8" }).filter((f) => /m\.npy$/.test(f))
        : []
    const moments: [signal: "SIGKILL" | "SIGINT", when: () => boolean][] = [
      ["SIGKILL", () => shards().length > 0],
      ["SIGINT", () => lines(trial, "baseline", "metrics.jsonl") > 1],
      ["SIGKILL", () => lines(trial, "stage-1", "metrics.jsonl") > 2],
      ["SIGKILL", () => existsSync(join(trial, "full", "weights.safetensors"))],
    ]
    for (const [signal, when] of moments) {
      const { child, ended } = start(cwd, ...run)
      while (!when() && child.exitCode === null) await sleep(2)
      child.kill(signal)
      const { code, err } = await ended
      if (signal === "SIGINT") {
        expect(err).toContain("stopped; run the same command again to resume")
        expect(code ?? 130).toBe(130)
      } else expect(code).toBeNull()
    }
    const last = await fourtier(cwd, ...run)
    expect([last.code, last.err]).toEqual([0, last.err])
    expectSameOutcome(out, whole)
    rmSync(cwd, { recursive: true })
  }, 300_000)
})
