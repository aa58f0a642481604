/** Features of every clip into the cache. */

import { plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { contextFor, extractDivided, measure, splitsOf } from "../../stages/index.ts"
import { cacheFolders } from "../../util/cache-folders.ts"
import { interruptible } from "../interrupt.ts"
import type { ShardOptions } from "../shard-options.ts"
import { divisionOf } from "./division.ts"
import { defaultManifest } from "./folders.ts"
import { readConfig } from "./read-config.ts"

/**
 * Computes what is missing, or this process's part of it, and prints views, records and file of each store. `options` are those of
 * `configOptions` too. The exit status is 1 when a clip cannot be decoded.
 */
export async function extractFeatures(data: string, options: ShardOptions): Promise<void> {
  const { value: config } = await readConfig(options)
  await interruptible(async (signal) => {
    const reporter = terminalReporter()
    const context = { config, reporter, signal }
    const division = divisionOf(options, cacheFolders(config.cache).work, reporter)
    const manifest = await measure(data, defaultManifest(data), context, false)
    const splits = await splitsOf(data, manifest, context)
    const parts = await extractDivided(splits, contextFor(manifest.clips, context), division)
    for (const [part, { store, views, failed }] of parts) {
      for (const { clip, error } of failed) reporter.warn(`${clip.relative} has no features: ${error.message}`)
      const lost = failed.length > 0 ? `\t${plural(failed.length, "clip")} failed` : ""
      process.stdout.write(`${part}\t${views} views per clip\t${store.count} records\t${store.path}${lost}\n`)
      if (failed.length > 0) process.exitCode = 1
      await store.close()
    }
  })
}
