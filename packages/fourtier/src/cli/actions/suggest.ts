/** `fourtier suggest`: what a run has found out about labels that are wanting. */

import { join } from "node:path"
import { readText, requireFile } from "@fourtier/tensor/node"
import { SUGGESTIONS } from "../../recipe.ts"
import { parseCsv } from "../../util/csv.ts"
import { terminalTable } from "../../util/table.ts"

/** Prints the clips whose label would teach most, the first first. @throws FourtierError where the run has none */
export async function printSuggestions(run: string, count: number): Promise<void> {
  const fix = "give the folder of a finished run (runs/<data>) on described clips of which some have no label"
  const path = await requireFile(join(run, SUGGESTIONS), fix)
  const [, ...rows] = parseCsv(await readText(path), path)
  if (rows.length === 0) {
    process.stdout.write("every clip's class is sure: no label is wanted\n")
    return
  }
  const shown = rows
    .slice(0, count)
    .map(({ fields: [clip, guess, probability] }) => [
      clip,
      guess || "none of the classes",
      guess ? `${(100 * Number(probability)).toFixed(0)} %` : "",
    ])
  const columns = [{ title: "clip" }, { title: "seems to be" }, { title: "sure", align: "right" as const }]
  process.stdout.write(`${terminalTable(columns, shown)}\n`)
}
