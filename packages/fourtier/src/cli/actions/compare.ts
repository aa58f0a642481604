/** Finished runs side by side. */

import { join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { type Comparison, compareRuns } from "../../evaluate/compare.ts"
import { readRun } from "../../evaluate/stored.ts"
import { COMPARISON_TABLES, classGainChart, writeComparison } from "../../report/comparison.ts"
import { TABLE_FORMATS } from "../../util/tabulate.ts"
import { oneOf } from "./one-of.ts"

export interface CompareOptions {
  method?: string[]
  split?: string
  format: string
  table?: string[]
  charts?: string
}

/** Classes up to which one picture shows them all well. */
const LEGIBLE = 20

/** Prints the comparison in the form that is asked for, and draws its classes where that is. */
export async function compare(folders: readonly string[], options: CompareOptions): Promise<void> {
  const format = oneOf("--format", options.format, [...TABLE_FORMATS, "json"] as const)
  const named = options.table?.map((name) => oneOf("--table", name, COMPARISON_TABLES))
  const tables = named ?? (format === "csv" ? (["figures"] as const) : COMPARISON_TABLES)
  if (format === "csv" && tables.length > 1) {
    throw new FourtierError({
      where: "--table",
      what: "a CSV file holds one table",
      found: tables.join(", "),
      fix: "ask for one of them at a time",
    })
  }
  const runs = []
  for (const [folder, method] of sides(folders, options.method ?? [])) runs.push(await readRun(folder, method))
  const comparison = compareRuns(runs, options.split === undefined ? {} : { split: options.split })
  const text =
    format === "json" ? `${JSON.stringify(comparison, null, 2)}\n` : writeComparison(comparison, format, tables)
  process.stdout.write(text)
  if (options.charts !== undefined) await draw(options.charts, comparison)
}

/** Each run with its method: one method for all runs, one for each, or several of one run. */
function sides(folders: readonly string[], methods: readonly string[]): [string, string | undefined][] {
  if (folders.length === 1 && methods.length > 1) return methods.map((method) => [folders[0], method])
  if (methods.length <= 1) return folders.map((folder) => [folder, methods[0]])
  if (methods.length === folders.length) return folders.map((folder, i) => [folder, methods[i]])
  throw new FourtierError({
    where: "--method",
    what: "not as many methods as runs",
    expected: `one for all, or ${folders.length}`,
    found: String(methods.length),
  })
}

async function draw(folder: string, { pairs }: Comparison): Promise<void> {
  for (const [i, pair] of pairs.entries()) {
    const number = pairs.length === 1 ? "" : `-${i + 1}`
    const files = [join(folder, `classes${number}.svg`)]
    await writeFileAtomic(files[0], classGainChart(pair))
    if (pair.classes.length > LEGIBLE) {
      files.push(join(folder, `classes${number}-outermost.svg`))
      await writeFileAtomic(files[1], classGainChart(pair, LEGIBLE / 2))
    }
    process.stderr.write(`${pair.other} − ${pair.first} on ${pair.split}: ${files.join(", ")}\n`)
  }
}
