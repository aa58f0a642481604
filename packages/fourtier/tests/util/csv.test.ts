/** Protects: what is written is read back to the letter, every row knows its line, and broken text is named by file and line. */

import { csvLine } from "@fourtier/core"
import { describe, expect, it } from "vitest"
import { parseCsv } from "../../src/util/csv.ts"

const fieldsOf = (text: string, separator?: "," | "\t") =>
  parseCsv(text, "x", { separator }).map(({ fields }) => fields)
const linesOf = (text: string) => parseCsv(text, "x").map(({ line }) => line)

describe("CSV", () => {
  it("quotes what needs it, and nothing else", () => {
    expect(csvLine(["a", 'say "hi"', "x,y", "two\nlines", " edge", 0.5, "", null])).toBe(
      'a,"say ""hi""","x,y","two\nlines"," edge",0.5,,\n',
    )
  })

  it("writes what it reads back, whatever is in it", () => {
    const rows = [
      ["a", "b"],
      ['say "hi", twice', "two\nlines"],
      ["", "ünïcödé 握手"],
      ["\r\n", " "],
      ["tab\t", '"'],
    ]
    expect(fieldsOf(rows.map(csvLine).join(""))).toEqual(rows)
  })

  it("reads a byte order mark, either line end, empty last fields and a last line without end", () => {
    expect(fieldsOf('\uFEFF"a",b\r\nx,\n,y')).toEqual([
      ["a", "b"],
      ["x", ""],
      ["", "y"],
    ])
    expect(fieldsOf("")).toEqual([])
  })

  it("reads tabs, and quotes inside a field as they are", () => {
    expect(fieldsOf('a\tb\n"1\t2"\the says "hi", twice\n', "\t")).toEqual([
      ["a", "b"],
      ["1\t2", 'he says "hi", twice'],
    ])
  })

  it("reads what spreadsheets write: semicolons, a first line that names the separator, old Mac line ends", () => {
    const rows = [
      ["path", "start"],
      ["a, b.mp4", "1,5"],
    ]
    expect(fieldsOf("path;start\na, b.mp4;1,5\n")).toEqual(rows)
    expect(fieldsOf("sep=;\r\npath;start\r\na, b.mp4;1,5\r\n")).toEqual(rows)
    expect(fieldsOf('path,start\r"a, b.mp4","1,5"\r')).toEqual(rows)
    expect(fieldsOf("path|start\na, b.mp4|1,5\n")).toEqual(rows)
    expect(linesOf("sep=;\rpath;start\r\ra;1")).toEqual([2, 4])
  })

  it("leaves out comments and the spaces around fields, but not files whose name begins with #", () => {
    expect(fieldsOf('# clips, by Anna\n path , label\n# the "good" ones\n#1.mp4, "wave, big"\n')).toEqual([
      ["path", "label"],
      ["#1.mp4", "wave, big"],
    ])
    const header = parseCsv("# path,label\na.mp4,x\n", "x", { columns: ["path"] })
    expect(header[0].fields).toEqual(["path", "label"])
  })

  it("knows each row's first line past empty lines and line breaks in quotes", () => {
    expect(linesOf('\na,b\n1,"x\r\ny\nz"\n\r\n"",""\n3,4')).toEqual([2, 3, 7, 8])
  })

  it("names the line of a ragged row and of an open quote, and what to do", () => {
    expect(() => parseCsv('a,b\n"1\n",2\n1,2,3\n', "x.csv")).toThrow(
      /x\.csv:4: a row has another number of fields[\s\S]*2 fields[\s\S]*3[\s\S]*comma between double quotes/,
    )
    expect(() => parseCsv("a\tb\n1\n", "x.tsv")).toThrow(/x\.tsv:2[\s\S]*tab between double quotes/)
    expect(() => parseCsv('a\n\n"open\nto\nthe end\n', "x.csv")).toThrow(
      /x\.csv:3: a quoted field has no end[\s\S]*fix/,
    )
  })
})
