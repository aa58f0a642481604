/** Cells are what the definition says, each with the settings it stands for; what cannot be run is named, what is misspelt is refused. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { builtIn } from "../../src/ablate/built-in.ts"
import { cellsOf, referenceOf } from "../../src/ablate/cells.ts"
import { ablationSchema, readAblation } from "../../src/ablate/definition.ts"
import { loadConfig } from "../../src/config.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-ablate-"))
afterAll(() => rmSync(folder, { recursive: true }))

const ablationOf = (about: object) => ablationSchema.parse({ title: "Mine", ...about })

describe("combinations of prompts", () => {
  it("are the 16 of the paper's Table 7, in its order; without prompts it is the baseline", async () => {
    const { value: config } = await loadConfig()
    const ablation = builtIn("prompts", config, folder)
    const cells = await cellsOf(ablation, {}, "prompts", true)
    expect(cells.map(({ name }) => name)).toEqual([
      ...["none", "A", "B", "C", "D", "A+B", "A+C", "A+D", "B+C", "B+D", "C+D"],
      ...["A+B+C", "A+B+D", "A+C+D", "B+C+D", "A+B+C+D"],
    ])
    expect(cells.map(({ config }) => config?.methods.join(" "))).toEqual([
      "baseline",
      ...Array<string>(15).fill("full full-shuffled"),
    ])
    expect(referenceOf(cells, ablation)).toBe("A+B+C+D")
  })

  it("keep the words of prompts that are not the paper's", async () => {
    const own = { system: null, add: [{ id: "speed", text: "How fast?" }], preset: "paper" as const, only: ["A"] }
    const { value: config } = await loadConfig({ flags: [{ source: "test", values: { prompts: own } }] })
    const cells = await cellsOf(builtIn("prompts", config, folder), {}, "prompts")
    expect(cells.map(({ name }) => name)).toEqual(["none", "A", "speed", "A+speed"])
    expect(cells[2].config?.prompts).toMatchObject({ system: null, add: [{ id: "speed", text: "How fast?" }] })
  })
})

describe("cells", () => {
  it("lay their settings over all others, --set included", async () => {
    const ablation = ablationOf({
      base: { model: { blocks: 1 } },
      axes: {
        width: { narrow: { model: { width: 8 } }, wide: { model: { width: 16 } } },
        seeds: { one: {}, two: { seeds: 2 } },
      },
    })
    const cells = await cellsOf(ablation, { set: ["model.width=4", "seeds=1"] }, "mine.yaml")
    expect(cells.map(({ name, config }) => [name, config?.model.width, config?.model.blocks, config?.seeds])).toEqual([
      ["narrow, one", 8, 1, 1],
      ["narrow, two", 8, 1, 2],
      ["wide, one", 16, 1, 1],
      ["wide, two", 16, 1, 2],
    ])
  })

  it("one at a time, leave out what changes nothing, and name what contradicts itself", async () => {
    const { value: config } = await loadConfig()
    const cells = await cellsOf(builtIn("switches", config, folder), {}, "switches")
    const names = cells.map(({ name }) => name)
    expect(names[0]).toBe("as configured")
    expect(names).toContain("ffn: mlp")
    expect(names).not.toContain("ffn: conv") // as the preset has it
    expect(cells.filter(({ lacking }) => lacking)).toEqual([])
    const [, tokens] = await cellsOf(
      ablationOf({ combine: "one", axes: { similarity: { tokens: { align: { similarity: "tokens" } } } } }),
      {},
      "mine.yaml",
    )
    expect(tokens.config).toBeNull()
    expect(tokens.lacking?.reason).toContain("the language classifier reads pooled embeddings")
  })

  it("are refused where a setting is misspelt, two have one name, or there is no such reference", async () => {
    const misspelt = ablationOf({ axes: { width: { narrow: { model: { widht: 8 } } } } })
    await expect(cellsOf(misspelt, {}, "mine.yaml")).rejects.toThrow(
      /model\.widht \(mine\.yaml: axes\.width\.narrow\)[\s\S]*width/,
    )
    const twice = ablationOf({ axes: { a: { "x, y": {}, x: {} }, b: { z: {}, "y, z": {} } } })
    await expect(cellsOf(twice, {}, "mine.yaml")).rejects.toThrow(/same name[\s\S]*x, y, z/)
    const lost = ablationOf({ reference: "middle", axes: { width: { narrow: {}, wide: { seeds: 2 } } } })
    await expect(cellsOf(lost, {}, "mine.yaml")).rejects.toThrow(
      /mine\.yaml: reference: no such cell[\s\S]*narrow; wide/,
    )
  })
})

describe("a file of cells", () => {
  const write = (text: string) => {
    const file = join(folder, "mine.yaml")
    writeFileSync(file, text)
    return file
  }

  it("is read, and refused by name where it says something else", async () => {
    const { axes } = await readAblation(write("title: Width\naxes: { width: { narrow: { model: { width: 8 } } } }"))
    expect(axes.width.narrow).toEqual({ model: { width: 8 } })
    await expect(readAblation(write("title: Width\naxis: {}\naxes: { a: { b: {} } }"))).rejects.toThrow(
      /mine\.yaml: axis: no such entry of an ablation[\s\S]*did you mean axes\?/,
    )
    await expect(readAblation(write("title: Width\naxes: {}"))).rejects.toThrow(/axes: an ablation without cells/)
    await expect(readAblation(write("title: Width\naxes: { width: {} }"))).rejects.toThrow(
      /axes\.width: .*without cells/,
    )
    await expect(readAblation(write("axes: { a: { b: {} } }"))).rejects.toThrow(/mine\.yaml: title/)
  })
})
