/** From `--shard` and `--steal` to how the work is divided. */

import type { Reporter } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import type { Division } from "../../shards/job.ts"
import { parseShard, shardFromEnvironment, shardName } from "../../shards/shard.ts"
import type { ShardOptions } from "../shard-options.ts"

/**
 * @param work folder of the shared jobs
 * @returns undefined where this process does all of the work
 * @throws FourtierError for a part that there is not, or that the environment does not tell
 */
export function divisionOf(
  { shard: given = "auto", steal = false, block }: ShardOptions,
  work: string,
  reporter: Reporter,
): Division | undefined {
  const common = { work, ...(block === undefined ? {} : { blockSize: block }) }
  const asked = given.trim().toLowerCase()
  if (asked === "none") {
    if (!steal) return undefined
    throw new FourtierError({ where: "--shard none", what: "contradicts --steal", fix: "leave one of the two out" })
  }
  const found = asked === "auto" ? shardFromEnvironment(process.env, !steal) : { shard: parseShard(given), from: null }
  if (steal) {
    reporter.say("  shared work: blocks are taken from all that run this with the same cache (fourtier status)")
    return { shard: found?.shard ?? null, steal, ...common }
  }
  if (!found) return undefined
  const why = found.from === null ? "" : `, as ${found.from} says; all of it with --shard none`
  reporter.say(`  part ${shardName(found.shard)} of the work${why}`)
  return { shard: found.shard, steal, ...common }
}
