import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Prediction } from "@fourtier/core/metrics"
import sharp from "sharp"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { MethodPredictions } from "../../src/evaluate/results.ts"
import { trainingChart } from "../../src/report/charts.ts"
import { type ReportInput, writeReport } from "../../src/report/report.ts"
import { formatCount, formatInterval } from "../../src/util/figures.ts"

const classes = ["hug, tight", "kick", "指さす"]
/** Clip i is of class i mod 3; `wrong` lists the clips that the method gets wrong. */
function run(method: string, wrong: number[], seeds = [1, 2], split = "fold10"): MethodPredictions {
  const predictions = seeds.flatMap((seed) =>
    Array.from({ length: 12 }, (_, i): Prediction => {
      const said = wrong.includes(i) ? (i + 1) % 3 : i % 3
      return {
        clipId: `c "${i}"`,
        label: i % 3,
        fold: `f${i % 2}`,
        seed,
        probabilities: classes.map((_, c) => (c === said ? 0.8 : 0.1)),
      }
    }),
  )
  return { split, method, trainedWeights: method === "full" ? 21_400_000 : 3456, predictions }
}
const input = (more: Partial<ReportInput> = {}): ReportInput => ({
  title: "A report",
  classes,
  runs: [run("baseline", [0, 1, 2, 4]), run("full", [0])],
  reference: "full",
  configHash: "cafe",
  bootstrap: { resamples: 200 },
  ...more,
})

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "report-"))
})
afterAll(() => rm(folder, { recursive: true }))

describe("report", () => {
  it("writes every file it lists, and nothing else", async () => {
    const journal = join(folder, "metrics.jsonl")
    await writeFile(journal, '{"step":1,"epoch":1,"split":"train","loss":2}\n')
    const { files } = await writeReport(join(folder, "all"), input({ journals: [{ title: "stage 1", path: journal }] }))
    const expected = ["classes.svg", "confusion.svg", "predictions.csv", "report.md", "results.json", "training.svg"]
    expect((await readdir(join(folder, "all"))).sort()).toEqual(expected)
    expect(files.map((file) => file.split("/").at(-1)).sort()).toEqual(expected)
    for (const name of expected.filter((file) => file.endsWith(".svg"))) {
      expect((await sharp(join(folder, "all", name)).metadata()).width).toBeGreaterThan(200)
    }
  })

  it("stores the figures in results.json as they were returned", async () => {
    const { results } = await writeReport(join(folder, "json"), input())
    expect(JSON.parse(await readFile(join(folder, "json", "results.json"), "utf8"))).toEqual(results)
    expect(results.splits[0].methods[0].figures.top1?.value).toBeCloseTo(8 / 12, 12)
    expect(results.splits[0].methods[0].difference?.top1?.value).toBeCloseTo(3 / 12, 12)
  })

  it("writes one CSV row per prediction, with quoted names and the probability of each class", async () => {
    await writeReport(join(folder, "csv"), input())
    const lines = (await readFile(join(folder, "csv", "predictions.csv"), "utf8")).trimEnd().split("\n")
    expect(lines[0]).toBe('split,method,fold,seed,clip,label,predicted,group,"p:hug, tight",p:kick,p:指さす')
    expect(lines).toHaveLength(1 + 2 * 24)
    expect(lines[1]).toBe('fold10,baseline,f0,1,"c ""0""","hug, tight",kick,,0.1,0.8,0.1')
  })

  it("prints a row per method with the figures, and the difference only where there is one", async () => {
    const { text } = await writeReport(join(folder, "text"), input())
    expect(text).toContain("fold10 (12 clips, 3 classes, 2 folds)")
    expect(text.split("\n").filter((line) => /^[│┌└├]/.test(line) && line.length > 80)).toEqual([])
    const rows = text.split("\n")
    // tables below each other, each with the first column
    const cells = (name: string) =>
      rows
        .filter((row) => row.startsWith(`│ ${name} `))
        .flatMap((row, i) => row.split("│").slice(i === 0 ? 0 : 2, -1))
        .map((cell) => cell.trim())
    expect(cells("baseline")[3]).toMatch(/^66\.7 \[\d+\.\d, \d+\.\d\]$/)
    expect(cells("baseline").slice(4, 7)).toEqual(["–", "66.7", "3.46 k"])
    expect(cells("baseline")[7]).toMatch(/^\+25\.0 \[/)
    expect(cells("full").slice(6, 8)).toEqual(["21.4 M", ""])
  })

  it("adds a table without given classes, and says in the report what that means", async () => {
    const { text, results } = await writeReport(join(folder, "less"), input({ exclude: ["kick"] }))
    expect(text).toContain("fold10 without kick (8 clips, 2 classes, 2 folds)")
    expect(results.splits.map(({ excluded }) => excluded)).toEqual([[], ["kick"]])
    const report = await readFile(join(folder, "less", "report.md"), "utf8")
    expect(report).toMatch(/Without kick.*scaled to sum to 1/)
  })

  it("names pictures by split where there are several, with names safe for files", async () => {
    const runs = ["scene 1/2", "fold10"].map((split) => run("full", [0], [1], split))
    await writeReport(join(folder, "splits"), input({ runs }))
    expect(await readdir(join(folder, "splits"))).toEqual(
      expect.arrayContaining(["confusion-scene_1_2.svg", "classes-fold10.svg"]),
    )
    expect(await readFile(join(folder, "splits", "report.md"), "utf8")).toContain("(confusion-scene_1_2.svg)")
  })

  it("gives the same files for the same input", async () => {
    for (const name of ["one", "two"]) await writeReport(join(folder, name), input())
    for (const file of await readdir(join(folder, "one"))) {
      expect(await readFile(join(folder, "one", file))).toEqual(await readFile(join(folder, "two", file)))
    }
  })

  it("writes nothing when the predictions cannot be scored", async () => {
    const broken = run("full", [])
    const nan = { ...broken, predictions: [{ ...broken.predictions[0], probabilities: [Number.NaN, 0, 1] }] }
    await expect(writeReport(join(folder, "none"), input({ runs: [nan] }))).rejects.toThrow(
      /full on fold10: clip c "0"[\s\S]*NaN/,
    )
    expect(await readdir(folder)).not.toContain("none")
  })
})

describe("training curves", () => {
  const journal = (text: string) => ({ title: "stage 2", path: "metrics.jsonl", text })

  it("draw the losses of all prompts in one panel", () => {
    const svg = trainingChart([journal('{"step":1,"split":"train","loss":2,"loss.A":1,"loss.B":1}')]) ?? ""
    expect(svg.match(/stage 2: loss by prompt/g)).toHaveLength(1)
    for (const prompt of ["A", "B"]) expect(svg).toContain(`>${prompt}<`)
  })

  it("draw a panel per figure and a line per split, averaged over journals of one stage", () => {
    const first =
      '{"step":1,"epoch":1,"split":"train","loss":2,"lr":0.1}\n{"step":2,"epoch":1,"split":"val","loss":3}\n'
    const svg = trainingChart([journal(first), journal(first.replace('"loss":2', '"loss":4'))]) ?? ""
    expect(svg).toContain("stage 2: loss")
    expect(svg).toContain("stage 2: lr")
    expect(svg).toContain(">val<")
  })

  it("leave out a torn last line, but name a broken one before", () => {
    const line = '{"step":1,"split":"train","loss":2}'
    expect(trainingChart([journal(`${line}\n{"step":2,"sp`)])).not.toBeNull()
    expect(() => trainingChart([journal(`${line}\n{"step":2,"sp\n${line}\n`)])).toThrow(/metrics\.jsonl:2/)
    expect(() => trainingChart([journal(`{"step":"x","split":"train"}\n${line}\n`)])).toThrow(/metrics\.jsonl:1/)
    expect(trainingChart([journal("")])).toBeNull()
    expect(trainingChart([journal('{"step":1,"split":"train","learningRate":0.1}')])).toBeNull()
    expect(trainingChart([])).toBeNull()
  })
})

describe("numbers", () => {
  it("read well", () => {
    expect(formatCount(0)).toBe("0")
    expect(formatCount(999)).toBe("999")
    expect(formatCount(21_400_000)).toBe("21.4 M")
    expect(formatInterval({ value: 0.875, low: 0.8, high: 1 })).toBe("87.5 [80.0, 100.0]")
    expect(formatInterval(undefined)).toBe("–")
  })
})
