/** `fourtier extract <data>`: the frozen encoder's features of every clip, and nothing else. */

import { basename, join, resolve } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { Command } from "commander"
import { extract, measure } from "../stages.ts"
import { resolveSplits } from "../video/splits.ts"
import { configOptions, interruptible, readConfig } from "./shared.ts"

export function extractCommand(): Command {
  return configOptions(
    new Command("extract")
      .description("features of the frozen encoder for every clip, into the cache")
      .argument("<data>", "folder of class folders, folder with tables, or a CSV, TSV or JSONL file"),
  ).action(async (data: string, options) => {
    const { value: config } = await readConfig(options)
    await interruptible(async (signal) => {
      const context = { config, reporter: terminalReporter(), signal }
      const manifest = await measure(data, join("runs", basename(resolve(data)), "manifest.jsonl"), context)
      const { train, test } = await extract(resolveSplits(manifest, config.split), context)
      for (const [part, { store, views }] of Object.entries({ train, test })) {
        process.stdout.write(`${part}\t${views} views a clip\t${store.count} records\t${store.path}\n`)
        await store.close()
      }
    })
  })
}
