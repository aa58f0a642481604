/** `fourtier segment <bundle> <video...>`: what happens from when to when in long videos. */

import { Command } from "commander"
import type { SegmentCommandOptions } from "./actions/segment.ts"
import { notNegative, positive, probability, wholeNumber } from "./options.ts"

export function segmentCommand(): Command {
  return new Command("segment")
    .description("what happens from when to when in long videos")
    .argument("<bundle>", "bundle that `fourtier run` exported")
    .argument("<video...>", "video files, or folders of videos")
    .option("-o, --out <folder>", "write every format there; videos done before are skipped")
    .option("--mp4", "with --out: also write videos with captions")
    .option("--json", "print one line of JSON per span")
    .option("--csv", "print a CSV table: path, label, start, end, score")
    .option("--truth <file>", "print what the spans are worth beside those of a table or ActivityNet JSON")
    .option("--window <s>", "seconds of a window (default: as long as the training clips)", positive)
    .option("--step <s>", "seconds between windows (default: the window over its frames)", positive)
    .option("--threshold <p>", "least probability of an action (default: the bundle's, or 0.7)", probability)
    .option("--least <s>", "seconds that a span lasts at least (default: half a window)", notNegative)
    .option("--contrast <p>", "by how much an action stands out from what is around it (default: 0.35)", probability)
    .option("--provider <name>", "device: auto, cpu, cuda, webgpu, coreml, dml", "auto")
    .option("--threads <n>", "threads of ONNX Runtime (default: one per core)", wholeNumber)
    .action(async (bundle: string, videos: string[], options: SegmentCommandOptions) => {
      const { segment } = await import("./actions/segment.ts")
      await segment(bundle, videos, options)
    })
}
