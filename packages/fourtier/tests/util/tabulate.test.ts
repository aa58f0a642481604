/** Protects tables of figures: one content in four forms, nothing lost or broken by odd names. */

import { describe, expect, it } from "vitest"
import { parseCsv } from "../../src/util/csv.ts"
import { type FigureTable, TABLE_FORMATS, tabulate } from "../../src/util/tabulate.ts"

const table: FigureTable = {
  title: "Table 7",
  columns: [
    { title: "prompts" },
    { title: "top-1 %", group: "K400 & co", kind: "share", best: "highest" },
    { title: "gain", group: "K400 & co", kind: "difference" },
    { title: "nll", kind: "number", best: "lowest" },
    { title: "p", kind: "p" },
    { title: "weights", kind: "count" },
  ],
  rows: [
    ["A_B", { value: 0.875, low: 0.8, high: 0.9333 }, null, 0.5, null, 21_400_000],
    ["none | 100 %", 0.8421, { value: -0.0329, low: -0.08, high: 0.002 }, 0.25, 0.0004, 12],
  ],
  notes: ["Intervals: 95 %."],
}

describe("a table of figures", () => {
  it("is rounded for people, with intervals in brackets and a dash for what is missing", () => {
    const text = tabulate(table, "terminal", 120)
    expect(text.split("\n")[0]).toBe("Table 7")
    expect(text).toMatch(/│ A_B +│ +87\.5 \[80\.0, 93\.3\] │ +– │ 0\.500 │ +– │ +21\.4 M │/)
    expect(text).toMatch(/│ none \| 100 % │ +84\.2 │ −3\.3 \[−8\.0, \+0\.2\] │ 0\.250 │ < 0\.001 │ +12 │/)
    expect(text.endsWith("Intervals: 95 %.\n")).toBe(true)
    for (const line of tabulate(table, "terminal", 80).split("\n")) expect(line.length).toBeLessThanOrEqual(80)
  })

  it("has its best figures in bold in Markdown, and bars in names escaped", () => {
    const [title, , head, , first, second] = tabulate(table, "markdown").split("\n")
    expect(title).toBe("### Table 7")
    expect(head).toContain("K400 & co<br>top-1 %")
    expect(first).toBe("| A_B | **87.5 [80.0, 93.3]** | – | 0.500 | – | 21.4 M |")
    expect(second).toContain("| none \\| 100 % | 84.2 | −3.3 [−8.0, +0.2] | **0.250** |")
  })

  it("keeps every digit in CSV, intervals in columns of their own, shares under titles without per cent", () => {
    const [head, first, second] = parseCsv(tabulate(table, "csv"), "table").map(({ fields }) => fields)
    expect(head.slice(1, 4)).toEqual(["K400 & co top-1", "K400 & co top-1 low", "K400 & co top-1 high"])
    expect(first).toEqual(["A_B", "0.875", "0.8", "0.9333", "", "", "", "0.5", "", "21400000"])
    expect(second).toEqual(["none | 100 %", "0.8421", "", "", "-0.0329", "-0.08", "0.002", "0.25", "0.0004", "12"])
  })

  it("is LaTeX that compiles: signs escaped, groups above their columns, equally many cells in every row", () => {
    const text = tabulate(table, "latex")
    const rows = text.split("\n").filter((line) => line.endsWith("\\\\"))
    expect(rows[0]).toBe(" & \\multicolumn{2}{c}{K400 \\& co} &  &  &  \\\\")
    expect(text).toContain("\\cmidrule(lr){2-3}")
    expect(rows[2]).toBe("A\\_B & \\textbf{87.5 [80.0, 93.3]} & -- & 0.500 & -- & 21.4 M \\\\")
    expect(rows[3]).toBe("none | 100 \\% & 84.2 & $-$3.3 [$-$8.0, +0.2] & \\textbf{0.250} & $<$ 0.001 & 12 \\\\")
    expect(text).toContain("\\begin{tabular}{lrrrrr}\n\\toprule")
  })

  it("has no best among fewer than two figures, and shows what is no number as a dash", () => {
    const columns = [{ title: "a" }, { title: "b", kind: "share", best: "highest" }] as const
    for (const format of TABLE_FORMATS) {
      const text = tabulate(
        {
          columns,
          rows: [
            ["x", 1],
            ["y", null],
          ],
        },
        format,
      )
      expect(text).not.toMatch(/\*\*|textbf/)
      expect(tabulate({ columns, rows: [["x", Number.NaN]] }, format)).not.toContain("NaN")
    }
  })
})
