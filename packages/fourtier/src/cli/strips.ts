/** `fourtier strips <data>`: writes the key-frame strip of every clip, as the vision-language model sees it. */

import { basename, join, resolve } from "node:path"
import { plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { Command } from "commander"
import { doctor, hasStrip, writeStrips } from "../video/index.ts"
import { defaultManifest, wholeNumber } from "./doctor.ts"

interface StripsOptions {
  out?: string
  manifest?: string
  frames: number
  height?: number
  quality: number
  workers?: number
  force?: boolean
}

export function stripsCommand(): Command {
  return new Command("strips")
    .description("write a strip of key frames of every clip, as JPEG")
    .argument("<data>", "folder of class folders, folder with tables, or a CSV, TSV or JSONL file")
    .option(
      "-o, --out <folder>",
      "where to write <clip id>.jpg (default: runs/<data>/strips-<frames>, with -<height> where one is given)",
    )
    .option("--manifest <file>", "manifest to use and keep (default: runs/<data>/manifest.jsonl)")
    .option("-k, --frames <n>", "key frames a strip", wholeNumber, 5)
    .option("--height <n>", "height in pixels (default: the video's own)", wholeNumber)
    .option("--quality <n>", "JPEG quality, 1 to 100", wholeNumber, 90)
    .option("--workers <n>", "worker threads (default: all cores)", wholeNumber)
    .option("--force", "write strips anew that are there already")
    .action(async (data: string, options: StripsOptions) => {
      const { frames, height, quality, workers } = options
      const reporter = terminalReporter()
      const { manifest } = await doctor(data, options.manifest ?? defaultManifest(data), reporter, { workers })
      const out =
        options.out ??
        join("runs", basename(resolve(data)), `strips-${frames}${height === undefined ? "" : `-${height}`}`)
      const there = await Promise.all(manifest.clips.map((clip) => options.force !== true && hasStrip(out, clip)))
      const clips = manifest.clips.filter((_, i) => !there[i])
      const failures: FourtierError[] = []
      const task = reporter.task("Writing strips", clips.length, "clips")
      const onError = (_: unknown, error: FourtierError) => void failures.push(error)
      for await (const _ of writeStrips(clips, out, { frames, height, quality, workers, onError })) task.tick()
      task.done(
        `${plural(clips.length - failures.length, "strip")} written to ${out}, ${manifest.clips.length - clips.length} there already`,
      )
      for (const { message } of failures) reporter.warn(message)
      if (failures.length > 0)
        throw new FourtierError({ where: out, what: `${plural(failures.length, "strip")} missing` })
    })
}
