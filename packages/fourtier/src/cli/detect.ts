/** `fourtier detect <bundle> <video...>`: who does what, where, in videos. */

import { Command } from "commander"
import type { DetectCommandOptions } from "./actions/detect.ts"
import { detectorOptions, numberIn, wholeNumber } from "./options.ts"

export function detectCommand(): Command {
  const command = new Command("detect")
    .description("who does what, where, in videos")
    .argument("<bundle>", "bundle that `fourtier detection` exported")
    .argument("<video...>", "video files, or folders of videos")
    .option("-o, --out <folder>", "write every format there; videos done before are skipped")
    .option("--no-mp4", "with --out: do not draw videos with boxes and actions")
    .option("--json", "print one line of JSON per person and key time")
    .option("--csv", "print a CSV as AVA's: video, time, box, class, score")
    .option("--boxes <file>", "where people are: a CSV as SlowFast publishes for AVA")
  return detectorOptions(command)
    .option("--rate <n>", "frames a second in which people are looked for", numberIn(0.1, 1000), 10)
    .option("--step <s>", "seconds between the times that are judged", numberIn(0.04, 3600), 1)
    .option("--threshold <p>", "least probability of an action that is shown", numberIn(0, 1), 0.5)
    .option("--provider <name>", "device: auto, cpu, cuda, webgpu, coreml, dml", "auto")
    .option("--threads <n>", "threads of ONNX Runtime (default: one per core)", wholeNumber)
    .option("--cache <folder>", "where found people are kept (default: the user's cache)")
    .action(async (bundle: string, videos: string[], options: DetectCommandOptions) => {
      const { detect } = await import("./actions/detect.ts")
      await detect(bundle, videos, options)
    })
}
