import { describe, expect, it } from "vitest"
import { markdownTable, terminalTable } from "../../src/util/table.ts"

describe("tables", () => {
  it("align numbers to the right and keep lines equally long, also with line breaks", () => {
    const lines = terminalTable(
      [{ title: "name" }, { title: "n\nall", align: "right" }],
      [
        ["a", "1"],
        ["bb", "22"],
      ],
    ).split("\n")
    expect(new Set(lines.map((line) => line.length)).size).toBe(1)
    expect(lines).toContain("│ a    │   1 │")
    expect(lines.join("")).not.toContain("\u001b")
  })

  it("cannot be broken by bars or line breaks in Markdown cells", () => {
    const table = markdownTable([{ title: "a|b" }, { title: "n", align: "right" }], [["x\ny", "1|2"]])
    expect(table).toBe("| a\\|b | n |\n| --- | ---: |\n| x<br>y | 1\\|2 |")
  })
})
