/** `fourtier detection <data>`: trains and compares detectors of what people do. */

import { Command } from "commander"
import type { DetectionOptions } from "./actions/detection.ts"
import { detectorOptions, listOf, numberIn, settingsOptions, wholeNumber } from "./options.ts"

export function detectionCommand(): Command {
  const command = new Command("detection")
    .description("train and compare methods that tell who does what, where")
    .argument("<data>", "AVA's folder, a CSV of boxes, or CVAT's XML (docs/detection.md)")
  return detectorOptions(settingsOptions(command), "")
    .option(
      "--methods <list>",
      "linear-probe, attentive-probe, baseline, full, full-shuffled (default: all; those with words where there are answers)",
      listOf(String),
    )
    .option("--subject <whom>", "what an answer is about: clip, the whole picture; or person, each by itself", "clip")
    .option("--answers <file>", "recorded answers of a vision-language model (JSONL or CSV)")
    .option("--boxes <file>", "people's boxes from a detector: a CSV as SlowFast publishes")
    .option("--threshold <score>", "least score of boxes (default: 0.8; the detector's own)", numberIn(0, 1))
    .option("--window <seconds>", "length of the clip around a key frame", numberIn(0.1, 60), 2)
    .option("--every <seconds>", "between key frames, in a CSV or CVAT's XML", numberIn(0, 3600), 1)
    .option("--frame-rate <n>", "frames a second in folders of extracted frames", numberIn(0.01, 1000), 30)
    .option("--jitter <share>", "how far true boxes move in training, of their sides", numberIn(0, 0.5), 0.1)
    .option("--seeds <n>", "number of training runs, each with its own seed", wholeNumber)
    .option("-o, --out <folder>", "where to write results (default: runs/<data>)")
    .addHelpText("after", PARTS)
    .action(async (data: string, options: DetectionOptions) => {
      const { compareOnData } = await import("./actions/detection.ts")
      await compareOnData(data, options)
    })
}

const PARTS = `
Learns from the part train, and is tested on every other part, such as val: with
true boxes, and with those of --boxes or --detector. Settings of encoder, model
and training are those of fourtier run; every picture is letterboxed.`
