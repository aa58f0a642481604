/** Features of every clip into the cache. */

import { terminalReporter } from "@fourtier/core/node"
import { contextFor, extract, measure, splitsOf } from "../../stages/index.ts"
import { interruptible } from "../interrupt.ts"
import { defaultManifest } from "./folders.ts"
import { readConfig } from "./read-config.ts"

/** Computes what is missing, and prints views, records and file of each store. `options` are those of `configOptions`. */
export async function extractFeatures(data: string, options: unknown): Promise<void> {
  const { value: config } = await readConfig(options)
  await interruptible(async (signal) => {
    const context = { config, reporter: terminalReporter(), signal }
    const manifest = await measure(data, defaultManifest(data), context, false)
    const splits = await splitsOf(data, manifest, context)
    const { train, test } = await extract(splits, contextFor(manifest.clips, context))
    for (const [part, { store, views }] of Object.entries({ train, test })) {
      process.stdout.write(`${part}\t${views} views per clip\t${store.count} records\t${store.path}\n`)
      await store.close()
    }
  })
}
