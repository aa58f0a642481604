/** What several verbs share: options that make up the configuration, and a clean way out on Ctrl-C. */

import { type Command, Option } from "commander"
import { z } from "zod"
import { loadConfig, PRESETS } from "../config.ts"
import type { SettingsLayer } from "../util/settings.ts"
import { wholeNumber } from "./doctor.ts"

const flagsSchema = z.object({
  config: z.string().optional(),
  preset: z.string().optional(),
  set: z.array(z.string()).optional(),
  folds: z.string().optional(),
  split: z.string().optional(),
  seeds: z.number().optional(),
  exclude: z.array(z.string()).optional(),
  answers: z.string().optional(),
  out: z.string().optional(),
})

/** Adds the options that name settings. */
export function settingsOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "YAML or JSON file of settings")
    .addOption(new Option("--preset <name>", "settings to start from (default: small)").choices(Object.keys(PRESETS)))
    .option("--set <a.b=c...>", "single settings, above all others")
}

/** Adds all the options that `readConfig` reads. */
export function configOptions(command: Command): Command {
  return settingsOptions(command)
    .option("--split <column>", "column of the tables that names train, val and test")
    .option("--folds <column>", "column of the tables that numbers the folds")
    .option("--seeds <n>", "training runs that differ in their seed", wholeNumber)
    .option("--exclude <class...>", "classes that a second table leaves out")
    .option("--answers <file>", "recorded answers of a vision-language model (JSONL or CSV)")
}

/** The configuration of a command line. */
export async function readConfig(options: unknown) {
  const { config, preset, set, folds, split, seeds, exclude, answers } = flagsSchema.parse(options)
  const flags: SettingsLayer[] = []
  const flag = (source: string, values: SettingsLayer["values"]) => flags.push({ source, values })
  if (folds !== undefined) flag("--folds", { split: { folds } })
  if (split !== undefined) flag("--split", { split: { column: split } })
  if (seeds !== undefined) flag("--seeds", { seeds })
  if (exclude !== undefined) flag("--exclude", { exclude })
  if (answers !== undefined) flag("--answers", { describe: { kind: "replay", file: answers } })
  return loadConfig({ file: config, preset, set, flags })
}

/**
 * Ends the process at once as the signal does by default. `process.exit` would stop worker threads wherever they are, and one
 * inside native code then aborts the process (see `serveJobs`).
 */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** Runs work that Ctrl-C ends at the next safe place; a second Ctrl-C ends the process at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) dieBy(signal)
    process.stderr.write("\nstopping at the next safe place, Ctrl-C again to stop at once\n")
    controller.abort()
  }
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  try {
    return await work(controller.signal)
  } finally {
    process.off("SIGINT", stop)
    process.off("SIGTERM", stop)
  }
}
