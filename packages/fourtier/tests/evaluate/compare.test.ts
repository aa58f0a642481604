/** Protects the comparison of runs: it rests on their files alone, on what they share, and names what they do not or what is damaged. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Prediction } from "@fourtier/core/metrics"
import { Rng } from "@fourtier/tensor"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compareRuns } from "../../src/evaluate/compare.ts"
import type { MethodPredictions } from "../../src/evaluate/results.ts"
import { readRun } from "../../src/evaluate/stored.ts"
import { classGainChart, writeComparison } from "../../src/report/comparison.ts"
import { writeReport } from "../../src/report/report.ts"
import { parseCsv } from "../../src/util/csv.ts"

const CLASSES = ["hug, tight", "kick", "指さす"]

interface MadeUp {
  method: string
  /** Chance of being right, by class. */
  skill: readonly number[]
  seeds?: readonly number[]
  classes?: readonly string[]
  clips?: readonly number[]
  split?: string
}

/** Clip i is of class i mod 3, of group i div 4; what is said of it depends on method, clip and seed alone. */
function predicted({
  method,
  skill,
  seeds = [0, 1],
  classes = CLASSES,
  clips = range(48),
  split = "test",
}: MadeUp): MethodPredictions {
  const predictions = seeds.flatMap((seed) =>
    clips.map((i): Prediction => {
      const rng = Rng.fork(method, i, seed)
      const label = classes.indexOf(CLASSES[i % 3])
      const said = rng.next() < skill[i % 3] ? label : (label + 1) % classes.length
      const weights = classes.map((_, c) => rng.next() + (c === said ? 3 : 0))
      const sum = weights.reduce((total, weight) => total + weight, 0)
      const probabilities = Float32Array.from(weights, (weight) => weight / sum)
      return { clipId: `clip "${i}"`, label, seed, fold: split, group: `g${i >> 2}`, probabilities }
    }),
  )
  return { split, method, trainedWeights: 100, predictions }
}

const range = (count: number, start = 0) => Array.from({ length: count }, (_, i) => start + i)

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "compare-"))
})
afterAll(() => rm(root, { recursive: true }))

let made = 0
async function run(...methods: MadeUp[]): Promise<string> {
  const folder = join(root, `run${made++}`)
  const [{ method, classes = CLASSES }] = methods.toReversed()
  const input = { title: "A run", classes, runs: methods.map(predicted), reference: method, configHash: "cafe" }
  await writeReport(folder, { ...input, bootstrap: { resamples: 200 } })
  return folder
}

const weak = { method: "baseline", skill: [0.4, 0.9, 0.6] }
const strong = { method: "full", skill: [0.95, 0.8, 0.6] }

describe("comparing runs", () => {
  it("gives back every figure of the report from the files, and the difference that the report has", async () => {
    const folder = await run(weak, strong)
    const results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"))
    const runs = [await readRun(folder, "baseline"), await readRun(folder)]
    const { pairs, runs: reported, notes } = compareRuns(runs, { resamples: 200 })
    expect(notes).toEqual([])
    const [baseline, full] = results.splits[0].methods
    const [{ figures, common, first, other }] = pairs
    expect([first, other]).toEqual(["run0, baseline", "run0, full"])
    expect(common).toEqual({ clips: 48, classes: 3, groups: 12 })
    expect(reported.map((one) => one.figures)).toEqual([baseline.figures, full.figures])
    for (const name of ["top1", "meanClass", "macroF1", "nll"] as const) {
      expect(figures[name]?.first).toBeCloseTo(baseline.figures[name].value, 12)
      expect(figures[name]?.other).toBeCloseTo(full.figures[name].value, 12)
      const { value, low, high, p, pBootstrap } = baseline.difference[name]
      expect(figures[name]?.difference.value).toBeCloseTo(value, 12)
      expect(figures[name]?.difference.low).toBeCloseTo(low, 12)
      expect(figures[name]?.difference.high).toBeCloseTo(high, 12)
      expect([figures[name]?.difference.p, figures[name]?.difference.pBootstrap]).toEqual([p, pBootstrap])
    }
  })

  it("sorts the classes by their gain, with the accuracies of the report", async () => {
    const folder = await run(weak, strong)
    const results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"))
    const [pair] = compareRuns([await readRun(folder, "baseline"), await readRun(folder, "full")]).pairs
    expect(pair.classes.map(({ name }) => name)[0]).toBe("hug, tight")
    const gains = pair.classes.map(({ difference }) => difference.value)
    expect(gains).toEqual([...gains].sort((a, b) => b - a))
    for (const { name, first, other, difference, p, clips } of pair.classes) {
      const recall = (m: number) => results.splits[0].methods[m].classes[CLASSES.indexOf(name)].recall
      expect([first, other]).toEqual([expect.closeTo(recall(0), 12), expect.closeTo(recall(1), 12)])
      expect(difference.value).toBeCloseTo(other - first, 12)
      expect(difference.low).toBeLessThanOrEqual(difference.value)
      expect(difference.high).toBeGreaterThanOrEqual(difference.value)
      expect([clips, p > 0 && p <= 1]).toEqual([16, true])
    }
    expect(pair.classes[0].p).toBeLessThan(0.05)
    const svg = classGainChart(pair)
    expect(svg).toContain("hug, tight")
    expect(svg).not.toContain("NaN")
  })

  it("of one run with itself is nothing", async () => {
    const folder = await run(strong)
    const [{ figures, classes }] = compareRuns([await readRun(folder), await readRun(folder)]).pairs
    expect(figures.top1?.difference).toMatchObject({ value: 0, low: 0, high: 0, p: 1, pBootstrap: 1 })
    for (const { difference, p } of classes) expect([difference.value, p]).toEqual([0, 1])
  })

  it("rests on the clips and classes that two runs share, however they number them, and says what they do not", async () => {
    const first = await run({ ...strong, clips: range(36) })
    const turned = [CLASSES[2], "wave", CLASSES[0], CLASSES[1]]
    const other = await run({ ...strong, classes: turned, clips: range(36, 12), seeds: [0] })
    const { pairs, notes } = compareRuns([await readRun(first), await readRun(other)])
    expect(pairs[0].common).toEqual({ clips: 24, classes: 3, groups: 6 })
    expect(pairs[0].apart).toEqual({ clips: [12, 12], classes: [[], ["wave"]], labels: [] })
    expect(notes[0]).toContain("24 clips in common; 12 of run3 alone and 12 of run4 alone are left out")
    expect(notes[1]).toContain("3 classes in common; without wave")
    const shared = predicted({ ...strong, clips: range(24, 12) }).predictions
    const right = shared.filter(({ label, probabilities: p }) => Math.max(...Array.from(p)) === p[label]).length
    expect(pairs[0].figures.top1?.first).toBeCloseTo(right / shared.length, 12)
  })

  it("leaves out clips that have another label, and refuses runs that share no clip or no split", async () => {
    const first = await run({ ...strong, split: "a" })
    const moved = await run({ ...strong, split: "b", classes: CLASSES })
    const csv = join(moved, "predictions.csv")
    const lines = (await readFile(csv, "utf8")).split("\n")
    const swapped = lines.map((line) => (line.includes('"clip ""0"""') ? line.replace('"hug, tight"', "kick") : line))
    const { pairs, notes } = compareRuns([await readRun(first), await readRun(moved)])
    expect(pairs[0].split).toBe("a / b")
    expect(notes[0]).toContain("tested on a")
    await writeFile(csv, swapped.join("\n"))
    await expect(readRun(moved)).rejects.toThrow(/does not hold what results.json tells of full on b/)

    const apart = await run({ ...strong, split: "a", clips: range(12, 100) })
    const runs = [await readRun(first), await readRun(apart)]
    expect(() => compareRuns(runs)).toThrow(/no test clip of a is in both runs/)
    expect(() => compareRuns(runs, { split: "c" })).toThrow(/not both runs have the split c/)
    expect(() => compareRuns([runs[0]])).toThrow(/nothing to compare with/)
  })

  it("reads runs of before, without groups, and says so", async () => {
    const folder = await run(weak, strong)
    const csv = join(folder, "predictions.csv")
    const rows = parseCsv(await readFile(csv, "utf8"), csv)
    const place = rows[0].fields.indexOf("group")
    const quoted = rows.map(({ fields }) =>
      fields.filter((_, i) => i !== place).map((field) => JSON.stringify(field).replaceAll('\\"', '""')),
    )
    await writeFile(csv, quoted.map((fields) => fields.join(",")).join("\n"))
    const { pairs, notes } = compareRuns([await readRun(folder, "baseline"), await readRun(folder)])
    expect(pairs[0].common.groups).toBeNull()
    expect(notes).toEqual([expect.stringContaining("without the column group")])
  })

  it("names unfinished and damaged runs, and methods that are not there", async () => {
    const folder = await run(weak, strong)
    await expect(readRun(join(root, "nowhere"))).rejects.toThrow(/no such folder/)
    await expect(readRun(root)).rejects.toThrow(/not the folder of a run/)
    await expect(readRun(folder, "ful")).rejects.toThrow(
      /no such method.*\n.*baseline; full.*\n.*\n.*did you mean full/,
    )
    const results = join(folder, "results.json")
    const csv = join(folder, "predictions.csv")
    const [goodResults, goodCsv] = [await readFile(results, "utf8"), await readFile(csv, "utf8")]
    const spoil = async (path: string, text: string, message: RegExp) => {
      await writeFile(path, text)
      await expect(readRun(folder)).rejects.toThrow(message)
      await writeFile(path, path === csv ? goodCsv : goodResults)
    }
    await spoil(results, goodResults.slice(0, 100), /results\.json/)
    await spoil(
      results,
      goodResults.replace('"format": 1', '"format": 2'),
      /results\.json: format: not the results of a run/,
    )
    await spoil(results, goodResults.replace('"reference": "full"', '"reference": 7'), /results\.json: reference/)
    await spoil(csv, goodCsv.slice(0, goodCsv.length / 2), /predictions\.csv/)
    await spoil(csv, goodCsv.replace("p:kick", "p:kicks"), /predictions\.csv:1: no column p:kick/)
    await spoil(csv, `${goodCsv.split("\n").slice(0, -5).join("\n")}\n`, /does not hold what results\.json tells/)
    await spoil(
      csv,
      goodCsv.replaceAll(",kick,kick,", ",kick,kickk,").replaceAll(",kick,指さす,", ",kicking,指さす,"),
      /unknown class/,
    )
    await rm(csv)
    await expect(readRun(folder)).rejects.toThrow(/the run has no predictions/)
    await rm(results)
    await expect(readRun(folder)).rejects.toThrow(/not the folder of a run/)
    await writeFile(join(folder, "manifest.jsonl"), "")
    await expect(readRun(folder)).rejects.toThrow(/the run is not finished/)
    await writeFile(join(folder, "in-use.lock"), "")
    await expect(readRun(folder)).rejects.toThrow(/a process is at work/)
  })

  it("prints as tables within 80 columns, and as CSV with every pair and class", async () => {
    const folders = [await run(weak), await run(strong), await run({ ...strong, method: "probe" })]
    const comparison = compareRuns(await Promise.all(folders.map((folder) => readRun(folder))))
    const text = writeComparison(comparison, "terminal")
    expect(text.split("\n").filter((line) => line.length > 80)).toEqual([])
    // wherever a table is cut into several, the first column tells the rows apart
    const keys = text
      .split("┌")
      .slice(1)
      .map((table) => [...table.matchAll(/^│ (.*?) │/gm)].map(([, key]) => key.trim()))
    for (const own of keys) expect(new Set(own.filter(Boolean)).size).toBe(own.filter(Boolean).length)
    const rows = (table: "figures" | "differences" | "classes") =>
      parseCsv(writeComparison(comparison, "csv", [table]), table)
    expect([rows("figures").length, rows("differences").length, rows("classes").length]).toEqual([
      1 + 3,
      1 + 2 * 3,
      1 + 2 * 3,
    ])
    expect(writeComparison(comparison, "latex", ["differences"])).toContain("\\begin{tabular}{lrrrrrr}")
    expect(writeComparison(comparison, "markdown", ["classes"])).toContain("3 classes")
  })
})
