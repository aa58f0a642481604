/** `fourtier info`: weights and multiply–adds of a configuration, part by part. */

import { plural } from "@fourtier/core"
import { countHeadFlops } from "@fourtier/core/model"
import { Command } from "commander"
import { z } from "zod"
import { openVisualEncoder } from "../encoders/catalog.ts"
import { promptsOf } from "../stages.ts"
import { terminalTable } from "../util/table.ts"
import { configOptions, readConfig } from "./shared.ts"

const optionsSchema = z.object({ classes: z.coerce.number().int().min(2) })

export function infoCommand(): Command {
  return configOptions(
    new Command("info")
      .description("weights and multiply-adds of each part, for one view of one clip")
      .argument("[config]", "YAML or JSON file of settings, as with --config")
      .option("--classes <n>", "number of classes", "10"),
  ).action(async (file: string | undefined, options) => {
    const { value: config } = await readConfig({ ...options, config: file ?? options.config })
    const { classes } = optionsSchema.parse(options)
    const encoder = await openVisualEncoder(config.encoder)
    const { T, H, W, D } = encoder.size
    const prompts = promptsOf(config).prompts.map(({ id }) => id)
    const parts = [
      await encoder.flops(),
      ...countHeadFlops({ ...encoder.size, D: config.model.width ?? D }, classes, prompts, config.model),
    ]
    const head = parts.slice(1)
    const rows = [...parts, { part: "head", ...sum(head) }, { part: "all", ...sum(parts) }].map(
      ({ part, weights, macs }) => [part, millions(weights), (macs / 1e9).toFixed(3)],
    )
    process.stdout.write(
      `${encoder.name}: map T=${T}, grid ${H}×${W}, D=${D}; ${plural(prompts.length, "prompt")}, ${plural(classes, "class", "classes")}\n`,
    )
    const columns = [
      { title: "part" },
      { title: "weights (M)", align: "right" as const },
      { title: "multiply-adds (G)", align: "right" as const },
    ]
    process.stdout.write(`${terminalTable(columns, rows)}\n`)
  })
}

const sum = (parts: readonly { weights: number; macs: number }[]) => ({
  weights: parts.reduce((total, { weights }) => total + weights, 0),
  macs: parts.reduce((total, { macs }) => total + macs, 0),
})

const millions = (n: number) => (n / 1e6).toFixed(3)
