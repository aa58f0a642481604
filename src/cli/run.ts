/** `fourtier run <data>`: the whole recipe. */

import { basename, join, resolve } from "node:path"
import { Command } from "commander"
import { runRecipe } from "../recipe.ts"
import { withFolderLock } from "../util/lock.ts"
import { terminalReporter } from "../util/progress.ts"
import { configOptions, interruptible, readConfig } from "./shared.ts"

export function runCommand(): Command {
  return configOptions(
    new Command("run")
      .description("everything: from a folder of clips to a tested, exported recogniser")
      .argument("<data>", "folder of class folders, folder with tables, or a CSV, TSV or JSONL file")
      .option("-o, --out <folder>", "folder of the run (default: runs/<name of the data>)"),
  ).action(async (data: string, options: { out?: string }) => {
    const settings = await readConfig(options)
    const out = options.out ?? join("runs", basename(resolve(data)))
    const { report } = await interruptible((signal) => {
      const context = { config: settings.value, reporter: terminalReporter(), signal }
      return withFolderLock(out, () => runRecipe(data, out, settings.print(), context))
    })
    process.stdout.write(`${report.text}\n`)
  })
}
