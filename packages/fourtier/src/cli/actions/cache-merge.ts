/** Takes what many workers wrote together: shards of features, files of answers and measurements. */

import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { mergeAnswers } from "../../describe/cache.ts"
import { compactFeatures } from "../../features/compact.ts"
import { readJobs } from "../../shards/status.ts"
import { cacheFolders } from "../../util/cache-folders.ts"
import { cacheUsers } from "../../util/cache-users.ts"
import { mergeMeasurements } from "../../video/memory.ts"
import { readConfig } from "./read-config.ts"

/** @throws FourtierError where another process uses the cache, or workers share work in it */
export async function mergeCache(options: unknown): Promise<void> {
  const { value: config } = await readConfig(options)
  const folders = cacheFolders(config.cache)
  const [user] = await cacheUsers(folders.root)
  const running = (await readJobs(folders.work)).find(({ state }) => state === "running")
  if (user || running) {
    const found = user ? `process ${user.pid} on ${user.host}` : running?.title
    const fix = "wait until it has ended (fourtier status)"
    throw new FourtierError({ where: folders.root, what: "somebody is using the cache", found, fix })
  }
  let [stores, shards] = [0, 0]
  for (const { name } of (await readdir(folders.features, { withFileTypes: true }).catch(() => [])).filter((entry) =>
    entry.isDirectory(),
  )) {
    const merged = await compactFeatures(join(folders.features, name))
    if (merged > 0) stores++
    shards += merged
  }
  const { files, answers } = await mergeAnswers(folders.answers)
  const measured = await mergeMeasurements(folders.measurements)
  const lines = [
    `features: ${plural(shards, "shard")} of ${plural(stores, "store")} became one each`,
    `answers: ${answers} of ${plural(files, "file")} taken into ${folders.answers}`,
    `measurements: ${plural(measured, "file")} taken into one`,
  ]
  process.stdout.write(`${lines.join("\n")}\n`)
}
