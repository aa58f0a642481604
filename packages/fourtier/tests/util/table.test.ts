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

  it("fit the width: text is wrapped, and nothing of it lost", () => {
    const path = "clips/a long name/of a folder/and then some more of it/until it is too long.mp4"
    const table = terminalTable([{ title: "video" }, { title: "clips", align: "right" }], [[path, "12345"]], 40)
    expect(table.split("\n").every((line) => line.length <= 40)).toBe(true)
    const wrapped = table
      .split("\n")
      .slice(3, -1)
      .map((line) => line.split("│")[1].replace(/^ /, "").replace(/ $/, ""))
    expect(wrapped.join("").trimEnd()).toBe(path)
    expect(table).toContain("12345")
  })

  it("break text at spaces, not where there is a no-break space", () => {
    const table = terminalTable(
      [{ title: "class" }, { title: "size" }],
      [["hug", "272\u00a0to\u00a0448\u00a0× 220\u00a0to\u00a0312"]],
      28,
    )
    expect(
      table
        .split("\n")
        .slice(3, 5)
        .map((line) => line.split("│")[2].trim()),
    ).toEqual(["272\u00a0to\u00a0448\u00a0×", "220\u00a0to\u00a0312"])
  })

  it("become several where numbers alone are wider, each with the first column", () => {
    const columns = ["top 1", "top 5", "mean\nclass"].map((title) => ({ title, align: "right" as const }))
    const row = ["full", "88.2 [81.0, 95.0]", "99.1 [98.0, 99.9]", "87.5 [80.1, 94.2]"]
    const lines = terminalTable([{ title: "method" }, ...columns], [row], 50).split("\n")
    expect(lines.every((line) => line.length <= 50)).toBe(true)
    expect(lines.filter((line) => line.startsWith("│ full"))).toEqual([
      "│ full   │ 88.2 [81.0, 95.0] │ 99.1 [98.0, 99.9] │",
      "│ full   │ 87.5 [80.1, 94.2] │",
    ])
  })

  it("cannot be broken by bars or line breaks in Markdown cells", () => {
    const table = markdownTable([{ title: "a|b" }, { title: "n", align: "right" }], [["x\ny", "1|2"]])
    expect(table).toBe("| a\\|b | n |\n| --- | ---: |\n| x<br>y | 1\\|2 |")
  })
})
