/** `fourtier extract <data>`: the frozen encoder's features of every clip, and nothing else. */

import { Command } from "commander"
import { configOptions, DATA } from "./options.ts"
import { type ShardOptions, shardOptions } from "./shard-options.ts"

export function extractCommand(): Command {
  const command = new Command("extract")
    .description("compute the frozen encoder's features of all clips and cache them")
    .argument("<data>", DATA)
  return shardOptions(configOptions(command)).action(async (data: string, options: ShardOptions) => {
    const { extractFeatures } = await import("./actions/extract.ts")
    await extractFeatures(data, options)
  })
}
