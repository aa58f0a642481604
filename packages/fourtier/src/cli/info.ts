/** `fourtier info`: weights and multiply-adds of a configuration, part by part. */

import { Command } from "commander"
import type { InfoOptions } from "./actions/info.ts"
import { configOptions, wholeNumberIn } from "./options.ts"

export function infoCommand(): Command {
  return configOptions(
    new Command("info")
      .description("count weights and multiply-adds of each part, for one view of one clip")
      .argument("[config]", "YAML or JSON file with settings, as for --config")
      .option("--classes <n>", "number of classes, 2 or more", wholeNumberIn(2), 10)
      .option("--whole", "count the encoder as it was published, not only the part that the map needs"),
  ).action(async (file: string | undefined, options: InfoOptions) => {
    const { printInfo } = await import("./actions/info.ts")
    await printInfo({ ...options, config: file ?? options.config })
  })
}
