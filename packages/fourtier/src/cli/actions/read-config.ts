/** From the options of a verb to its configuration. */

import { parseViewGrid } from "@fourtier/core/frames"
import { z } from "zod"
import { type ConfigOptions, loadConfig } from "../../config.ts"
import type { SettingsLayer } from "../../util/settings.ts"

const flagsSchema = z.object({
  config: z.string().optional(),
  preset: z.string().optional(),
  set: z.array(z.string()).optional(),
  folds: z.string().optional(),
  split: z.string().optional(),
  views: z.string().optional(),
  seeds: z.number().optional(),
  exclude: z.array(z.string()).optional(),
  alignment: z.string().optional(),
  answers: z.string().optional(),
})

/** What the options of `configOptions` say of the configuration. */
export function configOptionsOf(options: unknown): ConfigOptions {
  const { config, preset, set, folds, split, views, seeds, exclude, alignment, answers } = flagsSchema.parse(options)
  const flags: SettingsLayer[] = []
  const flag = (source: string, values: SettingsLayer["values"]) => flags.push({ source, values })
  if (folds !== undefined) flag("--folds", { split: { folds } })
  if (split !== undefined) flag("--split", { split: { column: columnsIn(split) } })
  if (views !== undefined) flag("--views", { views: { test: { ...parseViewGrid(views, "--views") } } })
  if (seeds !== undefined) flag("--seeds", { seeds })
  if (exclude !== undefined) flag("--exclude", { exclude })
  if (alignment !== undefined) flag("--alignment", { alignment })
  if (answers !== undefined) flag("--answers", { describe: { kind: "replay", file: answers } })
  return { file: config, preset, set, flags }
}

/** The configuration that the options of `configOptions` make up. @throws FourtierError that names the wrong setting */
export const readConfig = async (options: unknown) => loadConfig(configOptionsOf(options))

/** One column, or several: "split1,split2,split3". */
function columnsIn(text: string): string | string[] {
  const names = text.split(",").map((name) => name.trim())
  return names.length > 1 ? names : text
}
