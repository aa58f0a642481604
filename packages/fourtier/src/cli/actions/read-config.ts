/** From the options of a verb to its configuration. */

import { z } from "zod"
import { loadConfig } from "../../config.ts"
import type { SettingsLayer } from "../../util/settings.ts"

const flagsSchema = z.object({
  config: z.string().optional(),
  preset: z.string().optional(),
  set: z.array(z.string()).optional(),
  folds: z.string().optional(),
  split: z.string().optional(),
  seeds: z.number().optional(),
  exclude: z.array(z.string()).optional(),
  alignment: z.string().optional(),
  answers: z.string().optional(),
})

/** The configuration that the options of `configOptions` make up. @throws FourtierError that names the wrong setting */
export async function readConfig(options: unknown) {
  const { config, preset, set, folds, split, seeds, exclude, alignment, answers } = flagsSchema.parse(options)
  const flags: SettingsLayer[] = []
  const flag = (source: string, values: SettingsLayer["values"]) => flags.push({ source, values })
  if (folds !== undefined) flag("--folds", { split: { folds } })
  if (split !== undefined) flag("--split", { split: { column: split } })
  if (seeds !== undefined) flag("--seeds", { seeds })
  if (exclude !== undefined) flag("--exclude", { exclude })
  if (alignment !== undefined) flag("--alignment", { alignment })
  if (answers !== undefined) flag("--answers", { describe: { kind: "replay", file: answers } })
  return loadConfig({ file: config, preset, set, flags })
}
