/** The recipe, up to one of its stages. */

import { join } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { type RecipeResult, runRecipe, type Until } from "../../recipe.ts"
import { withFolderLock } from "../../util/lock.ts"
import { ENDING, interruptible } from "../interrupt.ts"
import { runFolder } from "./folders.ts"
import { readConfig } from "./read-config.ts"
import { together } from "./together.ts"

/** Runs the recipe up to the stage `until` and prints its results. `options` are those of `configOptions`, and `out`. */
export async function runUntil(until: Until, data: string, options: { out?: string }): Promise<void> {
  const { value: config, print } = await readConfig(options)
  const out = options.out ?? runFolder(data)
  await together(async (ranks) => {
    const result = await interruptible(
      (signal) =>
        withFolderLock(out, () => {
          const context = { config, reporter: terminalReporter(), signal, ranks }
          return runRecipe(data, out, print(), context, until)
        }),
      ranks && ENDING,
    )
    process.stdout.write(`${summary(result, out)}\n`)
  })
}

function summary({ report, page, bundle, suggestions }: RecipeResult, out: string): string {
  const exported = bundle ? `\nbundle: ${join(out, "bundle")}` : ""
  const next = suggestions.slice(0, 3).map(({ clip }) => `\n  ${clip}`)
  const wanted = next.length > 0 ? `\nlabels that would teach most (fourtier suggest ${out}):${next.join("")}` : ""
  const shown = page ? `\nreport: ${page} (tables: report.md)` : ""
  if (!report)
    return `weights and training curves: ${join(out, "trials")}${page ? `\nreport: ${page}` : ""}${exported}${wanted}`
  return `${report.text}${shown}${exported}${wanted}`
}
