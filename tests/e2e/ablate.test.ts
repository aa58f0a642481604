/** An ablation trains what its cells do not share and nothing else, once; the full set of prompts gives what a run gives. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseAblationResults } from "fourtier/ablate"
import { beforeAll, describe, expect, it } from "vitest"
import { built, cacheOf, fourtier, SETTINGS, scratchFolder, writeClips } from "./fixtures.ts"

const folder = scratchFolder()
const CONFIG = {
  ...SETTINGS,
  prompts: ["A", "B"],
  methods: ["full"],
  align: { ...SETTINGS.align, epochs: 0 },
  split: { test: 0.25, val: 0 },
  calibration: null,
}

const resultsOf = (out: string) =>
  parseAblationResults(JSON.parse(readFileSync(join(folder, out, "ablation.json"), "utf8")))
const linesOf = (out: string) => readFileSync(join(folder, out, "journal.jsonl"), "utf8").split("\n").length - 1
const alignments = () => readdirSync(join(cacheOf(folder), "alignments")).length

interface Cell {
  runs: { predictions: { clipId: string; probabilities: number[] }[] }[]
}

describe.skipIf(!built)("fourtier ablate", () => {
  beforeAll(() => {
    writeClips(join(folder, "clips"), 6)
    writeFileSync(join(folder, "config.yaml"), JSON.stringify(CONFIG))
  })

  it("prompts: every combination; each prompt is aligned once; the full set is the full method of a run", async () => {
    const command = ["ablate", "prompts", "clips", "-c", "config.yaml", "-o", "prompts", "--labels-per-class", "all,1"]
    const { code, out, err } = await fourtier(folder, ...command)
    expect(err).not.toMatch(/not run/)
    expect(code).toBe(0)
    expect(out.split("\n").filter((line) => line.length > 80 && !line.startsWith("Top-1"))).toEqual([])
    const { cells, columns, reference } = resultsOf("prompts")
    expect(cells.map(({ name, results }) => [name, results.length])).toEqual([
      ["none", 2],
      ["A", 2],
      ["B", 2],
      ["A+B", 2],
    ])
    expect(columns.map(({ labelsPerClass }) => labelsPerClass)).toEqual([null, 1])
    expect([reference, cells[3].results[0].fromReference]).toEqual(["A+B", null])
    expect(cells[1].results[0].fromReference?.p).toBeGreaterThan(0)
    expect([linesOf("prompts"), alignments()]).toEqual([8, 2])
    const kept = readdirSync(join(folder, "prompts"), { recursive: true, encoding: "utf8" })
    expect(kept.filter((name) => name.endsWith(".safetensors"))).toEqual([])
    for (const ending of ["md", "csv", "tex"]) expect(existsSync(join(folder, `prompts/ablation.${ending}`))).toBe(true)

    // nothing is run again
    expect((await fourtier(folder, ...command)).code).toBe(0)
    expect(linesOf("prompts")).toBe(8)

    expect((await fourtier(folder, "evaluate", "clips", "-c", "config.yaml", "-o", "run")).code).toBe(0)
    expect(alignments()).toBe(2)
    const rows = readFileSync(join(folder, "run/predictions.csv"), "utf8").split("\n").slice(1)
    const cell: Cell = JSON.parse(readFileSync(join(folder, "prompts/cells/A-B/labels-all/cell.json"), "utf8"))
    for (const { clipId, probabilities } of cell.runs[0].predictions) {
      const shown = probabilities.map((p) => Number(p.toPrecision(9))).join(",")
      expect(rows.filter((row) => row.includes(`,full,`) && row.includes(clipId) && row.endsWith(shown))).toHaveLength(
        1,
      )
    }
  })

  it("workers share the cells: each is run once, and the tables are those of one process", async () => {
    const common = ["ablate", "prompts", "clips", "-c", "config.yaml", "-o", "shared", "--labels-per-class", "all,1"]
    const workers = await Promise.all([0, 1].map(() => fourtier(folder, ...common, "--steal")))
    expect(workers.map(({ code, err }) => [code, /not run/.test(err)])).toEqual([
      [0, false],
      [0, false],
    ])
    const journals = readdirSync(join(folder, "shared/journals"))
    const lines = journals.flatMap((name) =>
      readFileSync(join(folder, "shared/journals", name), "utf8")
        .split("\n")
        .slice(0, -1),
    )
    expect(lines).toHaveLength(8)
    const figures = (out: string) => resultsOf(out).cells.map(({ name, results }) => [name, results])
    expect(figures("shared")).toEqual(figures("prompts"))
    const { out } = await fourtier(folder, "status", "shared")
    expect(out).toMatch(/cells of shared.*8 of 8 cells done \(100 %\), 0 failed, 0 left/s)
    // parts of one's own find what is done, and write the tables as well
    expect((await fourtier(folder, ...common, "--shard", "2/2")).out).toMatch(/files: /)
  })

  it("prompts that are trained together are trained once, for all combinations", async () => {
    const before = alignments()
    const trained = ["--set", "align.epochs=2", "--set", "align.start=random", "--set", "model.languageWeight=0"]
    const { code } = await fourtier(
      folder,
      "ablate",
      "prompts",
      "clips",
      "-c",
      "config.yaml",
      "-o",
      "trained",
      ...trained,
    )
    expect(code).toBe(0)
    expect(resultsOf("trained").cells.every(({ results }) => results.length === 1)).toBe(true)
    expect(alignments() - before).toBe(1)
  })

  it("keyframes: what nobody has answered is named with the command that asks, and nothing is asked", async () => {
    const { code, out } = await fourtier(folder, "ablate", "keyframes", "clips", "-c", "config.yaml", "-o", "K")
    expect(code).toBe(0)
    expect(out).toMatch(/K = 3: not run: the answers in descriptions\.jsonl[\s\S]*fourtier describe clips --frames 3/)
    const { cells } = resultsOf("K")
    expect(cells.map(({ results }) => results.length)).toEqual([0, 0, 1, 0])
  })
})
