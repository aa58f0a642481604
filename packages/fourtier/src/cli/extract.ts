/** `fourtier extract <data>`: the frozen encoder's features of every clip, and nothing else. */

import { Command } from "commander"
import { configOptions, DATA } from "./options.ts"

export function extractCommand(): Command {
  return configOptions(
    new Command("extract")
      .description("compute the frozen encoder's features of all clips and cache them")
      .argument("<data>", DATA),
  ).action(async (data: string, options: unknown) => {
    const { extractFeatures } = await import("./actions/extract.ts")
    await extractFeatures(data, options)
  })
}
