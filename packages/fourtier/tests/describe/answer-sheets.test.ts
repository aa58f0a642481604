/** Protects what people have written: a sheet is understood as spreadsheets save it, and what is not understood is named. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { importBeside } from "../../src/describe/beside.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { clips, scratch } from "./fixtures.ts"

const folder = scratch()
const two = clips(2)
let sheets = 0

/** Imports a filled-in sheet about two clips. @returns "0 A: hug" for each answer, and what was skipped */
async function imported(text: string, name = "tasks.csv") {
  const task = join(folder, `${sheets++}`)
  mkdirSync(task)
  writeFileSync(join(task, "clips.csv"), `strip,clip\n0001.jpg,${two[0].id}\n0002.jpg,${two[1].id}\n`)
  writeFileSync(join(task, name), text)
  const target = join(task, "descriptions.jsonl")
  const { unknown, twice } = await importBeside(join(task, name), target, two, resolvePrompts("paper"))
  const lines = readFileSync(target, "utf8").trim().split("\n")
  const told = lines.map((line) => {
    const { path, prompt, answer } = JSON.parse(line)
    return `${two.findIndex(({ relative }) => relative === path)} ${prompt}: ${answer}`
  })
  return { told, unknown, twice }
}

describe("a filled-in sheet", () => {
  it.each([
    ["as it was written", "strip,A,B\n0001.jpg,hug,\n0002.jpg,kick,\n"],
    [
      "of a spreadsheet: semicolons, a byte order mark, empty rows",
      "\ufeffstrip;A;B\r\n0001.jpg;hug;\r\n0002.jpg;kick;\r\n;;\r\n",
    ],
    ["whose strips lost their zeros and endings", "Strip,A\n1,hug\n2.jpg,kick\n"],
    ["whose strips have folders", "strip,A\ntask/0001.jpg,hug\nC:\\task\\0002.jpg,kick\n"],
    ["whose prompts are written small", "strip,a,b\n0001.jpg,hug,?\n0002.jpg,kick,n/a\n"],
    ["whose prompts are their questions", "strip,What is the action  category?\n0001.jpg,hug\n0002.jpg,kick\n"],
    ["whose prompts have their questions behind them", "strip,A: What is it?\n0001.jpg,hug\n0002.jpg,kick\n"],
    ["with what people put into empty cells", "strip,A,B,C,D\n0001.jpg,hug,-,–,?\n0002.jpg,kick,N/A,\u00a0,\u200b\n"],
  ])("%s", async (_, text) => {
    expect(await imported(text)).toEqual({ told: ["0 A: hug", "1 A: kick"], unknown: [], twice: null })
  })

  it("separated by tabs, and in JSON lines with null and numbers", async () => {
    const told = ["0 A: hug", "0 B: 2 men, arms"]
    expect((await imported("strip\tA\tB\n0001.jpg\thug\t2 men, arms\n", "tasks.txt")).told).toEqual(told)
    const line = { strip: "0001.jpg", answers: { A: "hug", B: 2, C: null } }
    expect((await imported(JSON.stringify(line), "tasks.jsonl")).told).toEqual(["0 A: hug", "0 B: 2"])
  })

  it("with columns of one's own: they are named, the answers count", async () => {
    const { told, unknown } = await imported("strip,A,annotator\n0001.jpg,hug,anna\n")
    expect([told, unknown]).toEqual([["0 A: hug"], [`${two[0].id} annotator`]])
  })

  it("of two annotators: which questions they answer in different words is said, the last answer counts", async () => {
    const rows = "0001.jpg,hug\n0002.jpg,kick\n0001.jpg, hug \n0002.jpg,a push\n"
    const { told, twice } = await imported(`strip,A\n${rows}`)
    expect(told.at(-1)).toBe("1 A: a push")
    expect(twice).toBe(`1 question is answered twice: ${two[1].id} A "kick", then "a push"; the last answer counts`)
  })

  it("names a strip that the task does not have, and a spreadsheet", async () => {
    await expect(imported("strip,A\n0009.jpg,hug\n")).rejects.toThrow(/:2: there is no strip 0009\.jpg in this task/)
    await expect(imported("PK", "tasks.xlsx")).rejects.toThrow(/a spreadsheet is not read[\s\S]*CSV/)
  })
})
