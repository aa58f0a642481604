/**
 * `fourtier run <data>`: the whole recipe; and its stages as verbs, each of which does what comes before it where that is not
 * done yet, and leaves its own result for the next.
 */

import { basename, join, resolve } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { Command } from "commander"
import { type RecipeResult, runRecipe, type Until } from "../recipe.ts"
import { withFolderLock } from "../util/lock.ts"
import { configOptions, interruptible, readConfig } from "./shared.ts"

export const runCommand = () =>
  recipeCommand("run", "everything: from a folder of clips to a tested, exported recogniser", "export")

export const alignCommand = () => recipeCommand("align", "stage 1: processors meet the VLM's answers", "align")

export const finetuneCommand = () => recipeCommand("finetune", "stage 2 and the baselines", "finetune")

export const evaluateCommand = () =>
  recipeCommand("evaluate", "test all methods side by side, write the report", "evaluate")

export const exportCommand = () =>
  recipeCommand("export", "write the bundle and prove it against the trainer", "export")

function recipeCommand(name: string, description: string, until: Until): Command {
  return configOptions(
    new Command(name)
      .description(description)
      .argument("<data>", "folder of class folders, folder with tables, or a CSV, TSV or JSONL file")
      .option("-o, --out <folder>", "folder of the run (default: runs/<name of the data>)"),
  ).action(async (data: string, options: { out?: string }) => {
    const settings = await readConfig(options)
    const out = options.out ?? join("runs", basename(resolve(data)))
    const context = { config: settings.value, reporter: terminalReporter() }
    const result = await interruptible((signal) =>
      withFolderLock(out, () => runRecipe(data, out, settings.print(), { ...context, signal }, until)),
    )
    process.stdout.write(`${summary(result, out)}\n`)
  })
}

function summary({ report, bundle }: RecipeResult, out: string): string {
  const shipped = bundle ? `\nbundle: ${join(out, "bundle")}` : ""
  if (!report) return `weights and journals: ${join(out, "trials")}${shipped}`
  return `${report.text}\nreport: ${join(out, "report.md")}${shipped}`
}
