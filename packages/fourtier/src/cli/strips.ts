/** `fourtier strips <data>`: the key-frame strip of every clip, as the vision-language model sees it. */

import { Command } from "commander"
import type { StripsOptions } from "./actions/strips.ts"
import { DATA, wholeNumber, wholeNumberIn } from "./options.ts"
import { shardOptions } from "./shard-options.ts"

export function stripsCommand(): Command {
  return shardOptions(new Command("strips"))
    .description("write a strip of key frames of every clip as JPEG")
    .argument("<data>", DATA)
    .option(
      "-o, --out <folder>",
      "where to write <clip id>.jpg (default: runs/<data>/strips-<frames>, plus -<height> if given)",
    )
    .option("--manifest <file>", "manifest to use and update (default: runs/<data>/manifest.jsonl)")
    .option("-k, --frames <n>", "key frames per strip", wholeNumber, 5)
    .option("--height <n>", "height in pixels (default: as in the video)", wholeNumber)
    .option("--quality <n>", "JPEG quality, 1 to 100", wholeNumberIn(1, 100), 90)
    .option("--workers <n>", "worker threads (default: one per core)", wholeNumber)
    .option("--force", "overwrite existing strips")
    .action(async (data: string, options: StripsOptions) => {
      const { writeAllStrips } = await import("./actions/strips.ts")
      await writeAllStrips(data, options)
    })
}
